"""docs/policies.md, written from the rules: `python -m garrison_policies.document > docs/policies.md`."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from textwrap import dedent

from garrison_policies import rules
from garrison_policies.language.rule import Rule
from garrison_policies.places.admission import enforced

_HEAD = """\
# Policies

Written from the rules by `python -m garrison_policies.document`; edit the rules, not this page.

A rule is one value (`garrison_policies.rules`), judged from that value at four places:

- **files**: `garrison check FOLDER`, on YAML and JSON, Kustomize and Helm's output;
- **preview**: the policy pack stops `pulumi preview` and `pulumi up`;
- **admission**: the API server refuses, by ValidatingAdmissionPolicies in CEL;
- **live**: `garrison check --live`, on what is in the cluster.

Files, preview and live apply every rule. Admission sees one object at a time: a rule that needs several objects cannot
be said there, and of the others some are not meant to refuse at the door. The table says which, and below it why.
Severities are what `--fail-on` compares. References are to the Pod Security Standards (PSS), the CIS Kubernetes
Benchmark (CIS), the NSA and CISA Kubernetes Hardening Guide (NSA) and the OWASP Kubernetes Top Ten of 2022 (OWASP).

{total} rules, {admission} of them enforced at admission.
"""
_COLUMNS = ("rule", "requirement", "severity", "at admission", "references")


def families() -> Iterator[tuple[str, tuple[Rule, ...]]]:
    """Each module of rules: the first sentence of its docstring, and its rules, in the catalogue's order."""
    place = {rule.id: number for number, rule in enumerate(rules.RULES)}
    found = []
    for module in pkgutil.iter_modules(rules.__path__):
        family = importlib.import_module(f"{rules.__name__}.{module.name}")
        if own := getattr(family, "RULES", ()):
            found.append(((family.__doc__ or module.name).splitlines()[0].partition(". ")[0].rstrip("."), own))
    return iter(sorted(found, key=lambda one: place[one[1][0].id]))


def page() -> str:
    """The whole page."""
    at_admission = {rule.id for rule in enforced(rules.RULES)}
    parts = [_HEAD.format(total=len(rules.RULES), admission=len(at_admission))]
    for title, own in families():
        parts += [f"## {title}", _table(own, at_admission)]
        parts += [_details(rule, at_admission) for rule in own]
    return "\n\n".join([*(part.strip() for part in parts), _controls()]) + "\n"


def _table(own: tuple[Rule, ...], at_admission: set[str]) -> str:
    rows = [_COLUMNS, ("---",) * len(_COLUMNS)]
    for rule in own:
        enforced_there = "yes" if rule.id in at_admission else "several objects" if rule.look else "no"
        severity = rule.severity.name.lower()
        rows.append((f"`{rule.id}`", rule.title, severity, enforced_there, ", ".join(rule.references)))
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows)


def _details(rule: Rule, at_admission: set[str]) -> str:
    """What to do, why admission does not refuse, and an example of what the rule finds."""
    lines = [f"<details><summary><code>{rule.id}</code></summary>", "", f"Instead: {rule.remedy}.", ""]
    if rule.id not in at_admission:
        lines += [f"Not at admission: {rule.why_not_admission or 'it takes several objects to see it'}.", ""]
    if rule.controls:
        lines += [f"Decides: {', '.join(f'`{control}`' for control in rule.controls)}.", ""]
    return "\n".join([*lines, "Found in:", "", "```yaml", dedent(rule.bad).strip(), "```", "", "</details>"])


def _controls() -> str:
    """Which rules decide each control, the other way round."""
    found = defaultdict(list)
    for rule in rules.RULES:
        for control in rule.controls:
            found[control].append(f"`{rule.id}`")
    rows = [f"| `{control}` | {', '.join(found[control])} |" for control in sorted(found)]
    return "\n".join(["## By control", "", "| control | rules |", "| --- | --- |", *rows])


if __name__ == "__main__":
    sys.stdout.write(page())
