"""The statements of a program before they are text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from garrison.findings import Finding
from garrison.words import Ref
from garrison_import.evidence.edges import Edge, Evidence
from garrison_import.evidence.protocols import Protocol
from garrison_import.plan.verdicts import Verdicts
from garrison_import.read.parts import Workload
from garrison_import.read.world import World


@dataclass(frozen=True)
class Secret:
    """A path of the secret store that somebody has to fill; never the value. `env` is how the application gets it."""

    path: str
    env: Mapping[str, str] | str | None
    source: str
    remark: str = ""


@dataclass
class Said:
    """One workload as the program says it.

    named: the arguments, in order. ports: identifier, name, number and protocol of further ones.
    remarks: what is not said, or open, one comment each.
    """

    work: Workload
    ref: Ref
    name: str
    port: int
    protocol: Protocol
    named: list[tuple[str, Any]] = field(default_factory=list)
    ports: list[tuple[str, str, int, Protocol]] = field(default_factory=list)
    secrets: list[Secret] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def argument(self, name: str) -> Any:
        return dict(self.named).get(name)

    def target(self, port: int) -> str:
        """The identifier of a port of its pods: its own for the main port."""
        return next((one for one, _, number, _ in self.ports if number == port), self.name)

    def spoken(self, port: int) -> Protocol:
        """What is spoken there."""
        return next((protocol for _, _, number, protocol in self.ports if number == port), self.protocol)


@dataclass
class Line:
    """One edge as the program says it. `open_` says what somebody has to fill in; empty where nothing is."""

    edge: Edge
    caller: str
    verb: str
    callee: str
    protocol: Protocol
    operations: tuple[str, ...] = ()
    source: str = ""
    """The file that the operations are from."""
    env: Mapping[str, str] | str | None = None
    alias: str = ""
    remarks: list[str] = field(default_factory=list)
    open_: str = ""
    written: bool = True
    """False for one that is only a comment, because what calls is not in the program."""


@dataclass(frozen=True)
class Plan:
    """The whole program: `app` and `namespaces` with their identifiers, workloads, edges and images by short name."""

    app: str
    namespaces: Mapping[str, str]
    said: tuple[Said, ...]
    lines: tuple[Line, ...]
    images: Mapping[str, str]
    doors: tuple[str, ...]
    world: World
    evidence: Evidence
    verdicts: Verdicts
    contradictions: tuple[Finding, ...]

    @property
    def secrets(self) -> list[Secret]:
        return list({one.path: one for said in self.said for one in said.secrets}.values())

    @property
    def open_lines(self) -> list[Line]:
        return [line for line in self.lines if line.open_]
