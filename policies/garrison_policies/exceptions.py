"""Exceptions to rules: each for one rule and one object, owned by somebody, with a reason and a last day.

Others let an exception name a pattern of objects (Kyverno's PolicyException, Gatekeeper's excluded namespaces); it
outlives what it was made for and covers what nobody looked at. Here an exception names one object exactly.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from garrison.errors import Problem, did_you_mean
from garrison_policies.load_yaml import documents
from garrison_policies.own import ESTATE
from garrison_policies.rule import Finding

DEFAULT_FILE = Path("policies/exceptions.yaml")
WILDCARDS = frozenset("*?[]")
# Kinds without a namespace. For all others the namespace is part of the name: "web" in shop is not "web" in bank.
CLUSTER_KINDS = (
    "APIService",
    "CSIDriver",
    "CustomResourceDefinition",
    "GatewayClass",
    "IngressClass",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttributesClass",
)


class ExceptionsError(ValueError):
    """The exceptions cannot be honoured as written. `problems` has all of them, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


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


REMEDIES = {
    "rule": "name one rule; `garrison check --list` has them",
    "kind": "name the object exactly: kind, namespace and name",
    "name": "name the object exactly: kind, namespace and name",
    "owner": "name the person or team that answers for it",
    "reason": "say why the rule cannot be kept",
}
FIELDS = frozenset(item.name for item in fields(PolicyException))


def load_exceptions(path: Path, *, known: Iterable[str] | None = None) -> tuple[PolicyException, ...]:
    """Read a YAML file with a list `exceptions`; raises ExceptionsError with every problem in it.

    known: the rule ids that may be named; the whole catalogue by default. Expired entries are returned: that an
    exception has run out is for the check to report, at the object it no longer covers.
    """
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
        flat = _flat(entry)
        wrong = [Problem(f"{where}: entry {number}", *told) for told in _wrong(flat, rules)]
        problems += wrong
        if not wrong:
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


def _catalogue() -> Iterable[str]:
    from garrison_policies.rules import RULES  # here alone: whoever brings its own list need not load every rule

    return (rule.id for rule in (*RULES, *ESTATE))


def _flat(entry: Any) -> dict[str, str]:
    """One level of texts: the object's fields beside the others, what is empty left out."""
    if not isinstance(entry, Mapping):
        return {}
    inner = entry.get("object")
    both = {
        **{key: value for key, value in entry.items() if key != "object"},
        **(inner if isinstance(inner, Mapping) else {}),
    }
    return {str(key): str(value).strip() for key, value in both.items() if str(value).strip()}


def _wrong(flat: Mapping[str, str], rules: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with an entry and what to do about it."""
    for name, remedy in REMEDIES.items():
        if name not in flat:
            yield f"{name} is missing", remedy
    for name in sorted(flat.keys() - FIELDS):
        yield f"{name!r} is not a field", did_you_mean(name, FIELDS, f"the fields are {', '.join(sorted(FIELDS))}")
    for name in ("rule", "kind", "namespace", "name"):
        if WILDCARDS & set(flat.get(name, "")):
            yield f"{name} {flat[name]!r} is a pattern", "write one entry for each rule and object"
    if "rule" in flat and flat["rule"] not in rules and not WILDCARDS & set(flat["rule"]):
        yield f"there is no rule {flat['rule']!r}", did_you_mean(flat["rule"], rules, REMEDIES["rule"])
    if "kind" in flat and "namespace" not in flat and not _of_the_cluster(flat["kind"]):
        yield f"the namespace of {flat['kind']} {flat.get('name', '')!r} is missing", REMEDIES["name"]
    try:
        datetime.date.fromisoformat(flat.get("expires", ""))
    except ValueError:
        yield f"expires {flat.get('expires', '')!r} is not a date", "write the last day it holds, such as 2026-12-31"


def _of_the_cluster(kind: str) -> bool:
    return kind in CLUSTER_KINDS or kind.startswith("Cluster")
