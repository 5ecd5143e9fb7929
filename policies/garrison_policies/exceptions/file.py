"""Exceptions to rules: each for one rule and one object, owned by somebody, with a reason and a last day.

Others let an exception name a pattern of objects (Kyverno's PolicyException, Gatekeeper's excluded namespaces); it
outlives what it was made for and covers what nobody looked at. Here an exception names one object exactly.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from garrison import guest
from garrison.errors import GarrisonError, Problem
from garrison_policies.exceptions.entry import FIELDS, flattened, wrong
from garrison_policies.language.own import ESTATE
from garrison_policies.language.rule import Finding
from garrison_policies.read.documents import documents

DEFAULT_FILE = Path("policies/exceptions.yaml")


class ExceptionsError(GarrisonError, ValueError):
    """The exceptions cannot be honoured as written. `problems` has all of them, not only the first."""

    problems: tuple[Problem, ...]

    def __init__(self, problems: Iterable[Problem]) -> None:
        super().__init__(problems)


@dataclass(frozen=True, kw_only=True)
class PolicyException:
    """Lets one object break one rule until a day.

    rule: the id of the rule.
    kind, namespace, name: the object, exactly; the namespace is empty for kinds of the cluster. What the controllers
        of a workload make of it (ReplicaSets, Jobs, Pods) is covered with it on a live cluster, siblings never are.
    owner: the person or team that answers for it.
    reason: why the rule cannot be kept, for the auditor who reads it next year.
    expires: the last day it holds.
    """

    rule: str
    kind: str
    name: str
    owner: str
    reason: str
    expires: datetime.date
    namespace: str = ""

    def days_left(self, today: datetime.date) -> int:
        """Days until the last one, 0 on it; negative once it has expired."""
        return (self.expires - today).days

    @property
    def object(self) -> str:
        """The object as reports name it."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def __str__(self) -> str:
        return f"{self.rule} for {self.object}"


def load_exceptions(path: Path, *, known: Iterable[str] | None = None) -> tuple[PolicyException, ...]:
    """Read a YAML file with a list `exceptions`, or a Python file with PolicyException values among its names.

    Raises ExceptionsError with every problem in it.

    known: the rule ids that may be named; the whole catalogue by default. Expired entries are returned: that an
    exception has run out is for the check to report, at the object it no longer covers.
    """
    if path.suffix == ".py":
        return validated(_from_code(path), known=known)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ExceptionsError([Problem(str(path), f"cannot be read ({error})", "name a readable YAML file")]) from None
    entries: list[Any] = []
    for document in documents(text):
        listed = document.body.get("exceptions") if isinstance(document.body, Mapping) else None
        if document.problem or not isinstance(listed, list):
            what = document.problem or "holds no list `exceptions`"
            remedy = "write `exceptions:` and below it one entry for each object"
            raise ExceptionsError([Problem(f"{path}:{document.line}", what, remedy)])
        entries += listed
    return parse_exceptions(entries, where=str(path), known=known)


def parse_exceptions(
    entries: Iterable[Any], *, where: str = "exceptions", known: Iterable[str] | None = None
) -> tuple[PolicyException, ...]:
    """Entries as YAML gives them: {rule, object: {kind, namespace, name}, owner, reason, expires}."""
    rules = frozenset(_catalogue() if known is None else known)
    made: list[PolicyException] = []
    problems: list[Problem] = []
    for number, entry in enumerate(entries, 1):
        flat = flattened(entry)
        found = [Problem(f"{where}: entry {number}", *told) for told in wrong(flat, rules)]
        problems += found
        if not found:
            made.append(PolicyException(expires=datetime.date.fromisoformat(flat.pop("expires")), **flat))
    twins = [name for name, count in Counter(map(str, made)).items() if count > 1]
    problems += [Problem(where, f"{twin} is there twice", "keep one entry for each rule and object") for twin in twins]
    if problems:
        raise ExceptionsError(problems)
    return tuple(made)


def validated(
    exceptions: Iterable[PolicyException], *, known: Iterable[str] | None = None
) -> tuple[PolicyException, ...]:
    """Exceptions written in code, held to the same: they come back, or ExceptionsError says what is wrong."""
    entries = [{name: str(getattr(one, name)) for name in FIELDS} for one in exceptions]
    return parse_exceptions(entries, where="exceptions in code", known=known)


def open_findings(
    findings: Iterable[Finding], exceptions: Iterable[PolicyException], *, today: datetime.date | None = None
) -> Iterator[Finding]:
    """The findings that no exception of today covers, object for object.

    For previews and files, where nothing has owners yet; `excepted.apply` knows what controllers make, too.
    """
    day = today or datetime.datetime.now(tz=datetime.UTC).date()
    holding = {(one.rule, one.kind, one.namespace, one.name) for one in exceptions if one.days_left(day) >= 0}
    for found in findings:
        item = found.object
        if item is None or (found.rule, item.kind, item.namespace, item.name) not in holding:
            yield found


def _from_code(path: Path) -> Iterator[PolicyException]:
    try:
        names = guest.run(path)
    except guest.FailedError as error:
        raise ExceptionsError([Problem(str(path), str(error), "it has to run by itself")]) from error
    for value in names.values():
        yield from (
            one for one in (value if isinstance(value, list | tuple) else [value]) if isinstance(one, PolicyException)
        )


def _catalogue() -> Iterable[str]:
    from garrison_policies.rules import RULES  # here alone: whoever brings its own list need not load every rule

    return (rule.id for rule in (*RULES, *ESTATE))
