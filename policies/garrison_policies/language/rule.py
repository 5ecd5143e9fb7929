"""What a rule is, and what it finds. A rule is a value; how it is enforced at each place is not its business."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from garrison import findings
from garrison.findings import Severity
from garrison_policies.language.expr import Path, Predicate, at, get, parts, present
from garrison_policies.language.objects import Inventory, Object

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The parts of which objects a rule looks at.

    kinds: the kinds it is for; `with `pod`, kinds of other groups that hold a pod template count too.
    pod: paths start at the pod template (metadata and spec) instead of the object.
    each: the lists whose elements are looked at one by one; empty looks at the template or object itself.
    words: the elements are words, not mappings.
    """

    kinds: tuple[str, ...]
    pod: bool = False
    each: tuple[Path, ...] = ()
    words: bool = False

    def looks_at(self, obj: Object) -> Iterator[tuple[str, Any, Any]]:
        """Pairs of path and part, with the whole that parts inherit from."""
        if self.pod:
            for where, template in obj.templates:
                yield from self._parts(where, template)
        elif obj.known_as in self.kinds:
            yield from self._parts("", obj.body)

    def _parts(self, where: str, root: Any) -> Iterator[tuple[str, Any, Any]]:
        if not self.each:
            yield where, root, root
        for path in self.each:
            found = get(root, path)
            for number, one in enumerate(found if isinstance(found, list) else ()):
                yield ".".join((*filter(None, [where]), *parts(path))) + f"[{number}]", one, root


@dataclass(frozen=True, kw_only=True)
class Check:
    """`require` holds for every part the subject names. Said equally well at every place."""

    subject: Subject
    require: Predicate
    at: str = ""  # the field a finding points at, below the part

    def cel(self) -> str:
        """The same as one CEL expression, of `object` or of `variables.pod` (the pod template: metadata and spec)."""
        root = "variables.pod" if self.subject.pod else "object"
        if not self.subject.each:
            return self.require.cel(root, root)
        return " && ".join(
            f"(!({present(root, path)}) || {at(root, path)}.all(it, {self.require.cel('it', root)}))"
            for path in self.subject.each
        )


# What a rule that needs other objects says of one inventory: the object, the path in it, and what is wrong.
Hit = tuple[Object, str, str]
Look = Callable[[Inventory], Iterator[Hit]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One requirement.

    id: the name in reports and exceptions, words joined by dashes.
    title: the requirement as a sentence: what must be so.
    remedy: what to write instead.
    controls: the canonical controls it decides (docs/policies.md names them).
    references: PSS, CIS, NSA and OWASP ids, each with its family in front: "CIS 5.2.2", "OWASP K01".
    checks: what each object must satisfy; all of them.
    look: for what only several objects together can show. Such a rule is not enforced at admission,
        where only one object is seen.
    good, bad: YAML of one example each; bad breaks this rule.
    tags: "baseline" or "restricted" for the rules that make up that Pod Security level; restricted is both together.
    """

    id: str
    title: str
    severity: Severity
    remedy: str
    controls: tuple[str, ...]
    references: tuple[str, ...]
    good: str
    bad: str
    checks: tuple[Check, ...] = ()
    look: Look | None = None
    admission: bool = True  # False: said of files and live objects, too strict or too noisy to refuse at the door
    why_not_admission: str = ""
    tags: frozenset[str] = field(default_factory=frozenset)

    @property
    def at_admission(self) -> bool:
        """Whether the API server can enforce it: it needs one object only, and is meant to refuse."""
        return bool(self.checks) and self.look is None and self.admission


@dataclass(frozen=True, kw_only=True)
class Finding(findings.Finding):
    """One place where a rule is broken, in an object; `exception` is the owner of the exception that covers it."""

    object: Object | None
    exception: str = ""
