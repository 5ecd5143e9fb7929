"""`garrison changes OLD NEW`: what a change means, in words."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from garrison.cluster import Cluster
from garrison.declare.program import ProgramError
from garrison.declare.written import outputs
from garrison.explain.changes import as_json, as_table, changes
from garrison.model.graph import Graph
from garrison.settings import cluster_of

FORMATS = {"table": as_table, "json": as_json}
WHAT = "a program, a graph (`garrison graph --format json`), or a stack (`pulumi stack export`)"


def parser() -> argparse.ArgumentParser:
    """Its options."""
    made = argparse.ArgumentParser(
        prog="garrison changes",
        description="Who may newly do what, who no longer, and which objects change.",
        epilog=f"OLD and NEW are each {WHAT}.",
    )
    made.add_argument("old", type=Path, metavar="OLD")
    made.add_argument("new", type=Path, metavar="NEW")
    where = "the stack's file: the cluster of a side that names none itself"
    made.add_argument("--cluster", type=Path, metavar="FILE", help=where)
    made.add_argument("--format", choices=FORMATS, default="table", help="default: %(default)s")
    return made


def main(arguments: Sequence[str]) -> int:
    """Print the changes; 0 however many there are, because a change is no fault."""
    options = parser().parse_args(arguments)
    there = cluster_of(options.cluster) if options.cluster else Cluster()
    (old, before), (new, after) = (side(path, there) for path in (options.old, options.new))
    print(FORMATS[options.format](changes(old, new, before=before, after=after)), end="")
    return 0


def side(path: Path, otherwise: Cluster) -> tuple[Graph, Cluster]:
    """The graph and the cluster that a file tells of; raises ProgramError saying what it is not."""
    try:
        text = path.read_text() if path.suffix == ".json" else _declared(path)
        data = json.loads(text)
        found = outputs(data)
        if not found:
            return Graph.from_json(text), otherwise
        if len(found) > 1:
            raise ProgramError(f"{path}: has {len(found)} estates; export a stack that has one")
        graph, cluster = (found[0].get(name) for name in ("graph", "cluster"))
        read = Graph.from_json(json.dumps(graph))
        return read, Cluster.from_json(json.dumps(cluster)) if cluster else otherwise
    except (OSError, ValueError) as error:
        raise ProgramError(f"{path}: {error}; name {WHAT}") from None


def _declared(path: Path) -> str:
    """A program's graph, made in a process of its own: two versions must not share their modules."""
    command = [sys.executable, "-m", "garrison", "graph", "--format", "json", "--app", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ProgramError(done.stderr.strip().removeprefix("garrison: "))
    return done.stdout
