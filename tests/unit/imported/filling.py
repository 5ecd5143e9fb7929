"""What somebody does with a first program: pin the images, fill in the open lines, and load it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from garrison import Graph, Namespace, Service
from garrison.declare.program import load
from garrison_import.plan.parts import Plan
from garrison_import.program import LOCK, lock, program

DIGEST = "@sha256:" + "0" * 64


def closed(text: str) -> str:
    """The program with an operation in each open line."""
    rows = []
    for row in text.splitlines(keepends=True):
        if match := re.match(r"(\w+\.calls\(\w+)(.*\)  # open: (.*))$", row):
            rows.append(f"{match[1]}, {_operation(match[3])}{match[2]}\n")
        elif match := re.match(r"\w+\.calls\(  # open: (.*)$", row):
            rows += [row, f"    OPERATED, {_operation(match[1])},\n"]
        elif rows and rows[-1].startswith("    OPERATED"):
            rows[-1] = rows[-1].replace("OPERATED", row.strip().removesuffix(","))
        else:
            rows.append(row)
    return "".join(rows)


def _operation(what: str) -> str:
    return '"shop.Any/Call"' if "package.Service" in what else '"GET /any/{id}"'


def pinned(text: str) -> str:
    """The lock file without names that are none, which only whoever deploys the application knows."""
    return re.sub(r'^(\S+) = "[^"]*"  # open: .*$', rf'\1 = "registry.example/\1{DIGEST}"', text, flags=re.MULTILINE)


def declared(plan: Plan) -> str:
    """What no document has, declared by hand."""
    absent = {line.edge.callee.ref: line for line in plan.lines if line.edge.absent}
    return "".join(
        f'{plan.namespaces[ref.namespace]}.service("{ref.name}", image="x/y{DIGEST}", port={line.edge.port},'
        ' protocol="tcp")\n'
        for ref, line in absent.items()
    )


def written(plan: Plan, folder: Path) -> Path:
    """The program and its lock file, as `garrison import -o` writes them."""
    (folder / LOCK).write_text(lock(plan))
    file = folder / "program.py"
    file.write_text(program(plan, lock_beside=True))
    return file


def graph(plan: Plan, folder: Path) -> Graph:
    """The graph of the program after it was filled in."""
    file = written(plan, folder)
    (folder / LOCK).write_text(pinned((folder / LOCK).read_text()))
    file.write_text(closed(file.read_text()) + declared(plan))
    return load(file).graph()


def can_say(plan: Plan) -> bool:
    """Whether the words that it needs are there: jobs, and secrets in the words of the application."""
    reads = "env" in inspect.signature(Service.reads).parameters
    jobs = hasattr(Namespace, "job")
    needs_reads = any(one.env for one in plan.secrets)
    return (reads or not needs_reads) and (jobs or not any(said.work.ends for said in plan.said))
