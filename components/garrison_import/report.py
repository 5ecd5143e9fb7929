"""What an import found, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from garrison.findings import Finding, Severity, count, ordered
from garrison.report import Report, as_json, rows
from garrison.report.table import as_table, columns
from garrison_import.plan.images import PINS, pinned
from garrison_import.plan.parts import Line, Plan

FORMATS = ("table", "json")


def report(plan: Plan, form: str) -> str:
    """The whole report as text that ends its last line."""
    made = Report(name="import", findings=ordered(_findings(plan)), summary=summary(plan), fields={})
    if form == "json":
        return as_json(made.name, **_fields(plan), findings=rows(made))
    parts = [columns([_row(line) for line in plan.lines])] if plan.lines else []
    if made.findings:
        parts.append(as_table(made.findings))
    if plan.secrets:
        parts.append("paths to fill:\n" + "".join(f"  {one.path}  ({one.source})\n" for one in plan.secrets))
    supplied, rules = sum(plan.verdicts.supplied.values()), len(plan.verdicts.supplied)
    if supplied:
        parts.append(f"Garrison makes good by itself: {count(supplied, 'finding')} of {count(rules, 'rule')}\n")
    parts += [f"{remark}\n" for remark in plan.world.remarks]
    return "\n".join([*parts, f"{summary(plan)}\n"])


def summary(plan: Plan) -> str:
    """One sentence with the numbers."""
    unpinned = sum(not pinned(one) for one in plan.images.values())
    return (
        f"{count(len(plan.said), 'workload')}, {count(len(plan.lines), 'edge')}, of which {len(plan.open_lines)} open;"
        f" {len(plan.evidence.undecided)} undecided, {count(len(plan.contradictions), 'contradiction')},"
        f" {count(len(plan.secrets), 'secret')} to fill, {count(unpinned, 'image')} to pin"
    )


def _row(line: Line) -> tuple[str, ...]:
    edge = line.edge
    spoken = line.protocol.spoken if line.protocol.known else "?"
    state = (
        f"open: {line.open_}"
        if line.open_
        else f"{count(len(line.operations), 'operation')}"
        if line.operations
        else ""
    )
    seen = "; ".join(dict.fromkeys(found.where for found in edge.found))
    return str(edge.caller.ref), str(edge.callee.ref), str(edge.port), spoken, state, seen


def _findings(plan: Plan) -> Iterator[Finding]:
    """What somebody has to look at: contradictions, what is undecided, what Garrison refuses, and open sides."""
    yield from plan.contradictions
    for one in plan.evidence.undecided:
        item = one.caller.object
        yield Finding(
            rule="edge-undecided",
            severity=Severity.LOW,
            file=item.file,
            line=item.line,
            object=item,
            path=one.where,
            message=f"{one.name}: {one.why}",
            remedy=one.remedy,
        )
    yield from (one for one in plan.verdicts.refused if one.rule not in PINS)


def _fields(plan: Plan) -> dict[str, Any]:
    return {
        "summary": summary(plan),
        "workloads": [{"name": str(one.work.ref), "kind": one.work.kind, "remarks": one.remarks} for one in plan.said],
        "edges": [_edge(line) for line in plan.lines],
        "undecided": [
            {"caller": str(one.caller.ref), "address": one.name, "where": one.where, "why": one.why}
            for one in plan.evidence.undecided
        ],
        "secrets": [{"path": one.path, "from": one.source} for one in plan.secrets],
        "images": [{"name": name, "image": one, "pinned": pinned(one)} for name, one in plan.images.items()],
        "outside": list(plan.doors),
        "supplied": dict(plan.verdicts.supplied),
        "remarks": list(plan.world.remarks),
    }


def _edge(line: Line) -> dict[str, Any]:
    edge = line.edge
    return {
        "caller": str(edge.caller.ref),
        "callee": str(edge.callee.ref),
        "port": edge.port,
        "protocol": line.protocol.spoken if line.protocol.known else None,
        "because": line.protocol.why,
        "operations": list(line.operations),
        "open": line.open_,
        "evidence": list(dict.fromkeys(found.where for found in edge.found)),
    }
