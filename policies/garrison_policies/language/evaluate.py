"""Rules against objects, in Python: the reading for files, previews and live clusters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.rule import Finding, Rule


def evaluate(rules: Iterable[Rule], inventory: Inventory) -> Iterator[Finding]:
    """All findings of all rules, object by object and then across objects."""
    chosen = tuple(rules)
    for item in inventory.objects:
        for rule in chosen:
            yield from judge(rule, item)
    for rule in chosen:
        yield from look(rule, inventory)


def judge(rule: Rule, item: Object) -> Iterator[Finding]:
    """The findings of a rule's checks on one object; one for each part that breaks it."""
    for check in rule.checks:
        for path, part, whole in check.subject.looks_at(item):
            if not check.require.holds(part, whole):
                place = ".".join(filter(None, [path, check.at]))
                yield finding(rule, item, place, message(rule, part))


def look(rule: Rule, inventory: Inventory) -> Iterator[Finding]:
    """The findings of a rule that needs several objects."""
    for item, path, text in rule.look(inventory) if rule.look else ():
        yield finding(rule, item, path, text)


def message(rule: Rule, part: object) -> str:
    """The requirement, with the name of the part that breaks it where it has one."""
    name = part.get("name") if isinstance(part, dict) else None
    return f"required: {rule.title} ({name})" if isinstance(name, str) else f"required: {rule.title}"


def finding(rule: Rule, item: Object, path: str, text: str) -> Finding:
    return Finding(
        rule=rule.id,
        controls=rule.controls,
        severity=rule.severity,
        file=item.file,
        line=item.line,
        object=item,
        path=path,
        message=text,
        remedy=rule.remedy,
    )
