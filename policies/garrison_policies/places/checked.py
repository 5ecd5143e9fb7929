"""What one check looks at: files, what a program derives, or the live cluster; and what each of them adds to the rules.

Each source is imported when it is asked for, so that checking a file starts without the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.rule import Finding
from garrison_policies.read.files import CheckError
from garrison_policies.read.load import load

if TYPE_CHECKING:
    from garrison.cluster import Cluster
    from garrison.model.graph import Graph


@dataclass
class Checked:
    """Objects, what could not be read of them, and remarks for whoever reads the report."""

    inventory: Inventory
    findings: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def files(paths: Sequence[str]) -> Checked:
    """YAML and JSON, with what Kustomize and Helm render."""
    loaded = load(paths)
    passed = [f"{file}: passed over, it holds no Kubernetes object" for file in loaded.passed]
    return Checked(Inventory(tuple(loaded.objects)), loaded.findings, passed)


def program(path: Path, graph: Graph, cluster: Cluster | None) -> Checked:
    """What a program derives for a cluster."""
    from garrison.derive import render

    return Checked(Inventory(tuple(Object(body, str(path)) for body in render(graph, cluster))))


def cluster(context: str | None = None, kubeconfig: str | None = None) -> Checked:
    """The cluster that is named, or that kubectl finds."""
    from garrison import kube
    from garrison_policies.places import live

    return Checked(Inventory(live.read(kube.flags(context, kubeconfig))))


def read_graph(path: Path) -> Graph:
    """A program that declares an App, or a graph that `garrison graph --format json` wrote; raises CheckError."""
    from garrison.declare.program import ProgramError, graph_of

    try:
        return graph_of(path)
    except (ProgramError, ValueError) as error:
        raise CheckError(str(error)) from None


def read_cluster(path: Path | None) -> Cluster | None:
    """The cluster that a stack's file describes; raises CheckError."""
    from garrison.settings import cluster_of

    try:
        return cluster_of(path) if path else None
    except ValueError as error:
        raise CheckError(str(error)) from None


def against(graph: Graph, cluster: Cluster | None, path: Path, checked: Checked) -> list[Finding]:
    """Whether what is there is what the program derives for this cluster."""
    from garrison_policies.places.estate import compare

    return list(compare(graph, checked.inventory, file=str(path), cluster=cluster))


def of_the_cluster(findings: Iterable[Finding], checked: Checked) -> list[Finding]:
    """Each finding once, at the workload it comes from."""
    from garrison_policies.places import live

    return live.folded(findings, checked.inventory)


def counted(
    findings: Iterable[Finding],
    checked: Checked,
    *,
    system: bool,
    everywhere: bool,
    there: Cluster | None = None,
    graph: Graph | None = None,
) -> list[Finding]:
    """The findings that a check of a live cluster answers for; what it left out is a remark."""
    from garrison_policies.places.scope import Scope

    named, app = (frozenset(graph.spaces), graph.name) if graph else (frozenset[str](), "")
    scope = Scope(checked.inventory, system=system, everywhere=everywhere, there=there, named=named, app=app)
    left = scope.counted(findings)
    checked.remarks += scope.remarks()
    return left
