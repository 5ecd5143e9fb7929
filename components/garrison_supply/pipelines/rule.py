"""What a rule about a pipeline is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from garrison.findings import Finding, Severity
from garrison_supply.pipelines.document import Document, Where

Hit = tuple[Where, str]


@dataclass(frozen=True)
class File:
    """A file of a CI system; what the systems have in common."""

    document: Document

    def scripts(self) -> Iterator[Hit]:
        """Every shell script in it."""
        raise NotImplementedError

    def images(self) -> Iterator[Hit]:
        """Every container image it names outside of scripts."""
        raise NotImplementedError

    def written_out(self, _where: Where, name: str) -> Iterator[str]:
        """A name with what the file itself puts into it; as it stands, where that is decided elsewhere."""
        yield name

    def pipefail(self, _where: Where) -> bool:
        """Whether a script fails with any command of a pipe; GitLab's runner sees to it."""
        return True

    def variables(self) -> Iterator[tuple[Where, str, Any]]:
        """Every variable it sets: where, name, value."""
        raise NotImplementedError


V = TypeVar("V", bound=File)


@dataclass(frozen=True, kw_only=True)
class Rule(Generic[V]):
    """One requirement on a pipeline.

    id: the name in reports; where zizmor has the audit, zizmor's name.
    title: what must be so. remedy: what to write instead.
    references: who asks for it and where: "OWASP CICD-SEC-4", "CIS SSC 2.4.2" (Software Supply Chain), "SLSA ...".
    reads: the kind of file it is for. look: the places that break it.
    good, bad: one file each; bad breaks this rule, good does not.
    """

    id: str
    title: str
    severity: Severity
    remedy: str
    references: tuple[str, ...]
    reads: type[V]
    look: Callable[[V], Iterable[Hit]]
    good: str
    bad: str


def judge(rules: Iterable[Rule[Any]], file: File) -> Iterator[Finding]:
    """All findings of the rules that read this kind of file."""
    for rule in rules:
        if isinstance(file, rule.reads):
            for where, message in rule.look(file):
                yield finding(rule, file.document, where, message)


def finding(rule: Rule[Any], document: Document, where: Where, message: str) -> Finding:
    return Finding(
        rule=rule.id,
        severity=rule.severity,
        file=document.file,
        line=document.line(where),
        path=".".join(map(str, where)),
        message=f"{rule.title}: {message}" if message else rule.title,
        remedy=rule.remedy,
    )
