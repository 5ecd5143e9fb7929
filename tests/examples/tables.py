"""The tables beside this file: what is true of six public applications, written down from their manifests and sources.

`edges.tsv`: who speaks with whom, how the program tells the address, and where upstream shows the edge: a variable, a
command, a ConfigMap, a network policy, or nowhere but in the image. What looks like an edge there and is none has the
protocol `none`, and says why. `variables.tsv`: each variable of each workload, upstream's and the program's.
"""

from __future__ import annotations

import csv
import functools
import inspect
from dataclasses import dataclass
from pathlib import Path

import pytest

from garrison import App, Graph, Namespace, Service
from garrison.declare.program import graph_of
from harness.paths import REPO

HERE = Path(__file__).parent
APPS = ("online_boutique", "bank_of_anthos", "sock_shop", "aks_store", "robot_shop", "petclinic")
ONE_POD = "pod"  # an edge inside one pod upstream: no edge there, and one here

# Words of a program that are being added; a program that says one is tested as soon as there is one.
LATER = {
    "reads(env=)": "env" in inspect.signature(Service.reads).parameters,
    "external()": hasattr(App, "external"),
    "job()": hasattr(Namespace, "job"),
}
SAID = {"reads(env=)": "reads(", "external()": ".external(", "job()": ".job("}


@dataclass(frozen=True)
class Edge:
    app: str
    caller: str
    callee: str
    protocol: str
    told: str
    shown: str
    why: str

    @property
    def pair(self) -> tuple[str, str]:
        """Caller and callee; a further port is its service's."""
        return self.caller, self.callee.partition(":")[0]


@dataclass(frozen=True)
class Variable:
    app: str
    workload: str
    variable: str
    kind: str
    why: str


def rows(name: str) -> list[dict[str, str]]:
    with (HERE / name).open() as table:
        return list(csv.DictReader(table, delimiter="\t"))


@functools.cache
def edges(app: str) -> tuple[Edge, ...]:
    """The real ones."""
    return tuple(one for one in _edges() if one.app == app and one.protocol != "none")


@functools.cache
def no_edges(app: str) -> tuple[Edge, ...]:
    return tuple(one for one in _edges() if one.app == app and one.protocol == "none")


@functools.cache
def _edges() -> tuple[Edge, ...]:
    return tuple(Edge(**row) for row in rows("edges.tsv"))


@functools.cache
def variables(app: str) -> tuple[Variable, ...]:
    return tuple(one for one in (Variable(**row) for row in rows("variables.tsv")) if one.app == app)


def program(app: str) -> Path:
    return REPO / "examples" / f"{app}.py"


def awaited(app: str) -> list[str]:
    """The words that a program says and nobody understands yet."""
    text = program(app).read_text()
    return [word for word, there in LATER.items() if not there and SAID[word] in text]


@functools.cache
def graph(app: str) -> Graph:
    """The graph of a program; where it says what is not a word yet, the test is left out and says so."""
    if waits := awaited(app):
        pytest.skip(f"examples/{app}.py waits for {', '.join(waits)}")
    return graph_of(program(app))
