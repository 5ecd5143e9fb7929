"""The graph for people: Mermaid for a README, SVG for a report, a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from garrison.explain import allowed
from garrison.model.graph import Graph
from garrison.words import Ref

COLOURS = ("#dbeafe", "#dcfce7", "#fef3c7", "#fce7f3", "#ede9fe", "#e2e8f0")
API = Ref("control plane", allowed.API)  # no service has such a name
BOX_W, BOX_H, GAP_X, GAP_Y, EDGE = 150, 46, 230, 46, 40


def mermaid(graph: Graph) -> str:
    """A Mermaid flowchart: one subgraph per namespace, one arrow per call with its operations."""
    lines = ["flowchart LR"]
    for namespace in graph.namespaces:
        lines.append(f"  subgraph {namespace}")
        lines += [f"    {_id(s.ref)}[{s.name}]" for s in graph.services_in(namespace)]
        lines += [f"    {_id(b.ref)}[({b.ref.name})]" for b in graph.databases if b.ref.namespace == namespace]
        lines.append("  end")
    for call in graph.calls:
        said = "<br/>".join(str(operation) for operation in call.operations)
        lines.append(f'  {_id(call.caller)} -- "{said}" --> {_id(call.callee)}')
    for use in graph.uses:
        lines.append(f'  {_id(use.service)} -. "{use.role}" .-> {_id(use.database)}')
    if graph.permissions:
        lines.append(f"  KubernetesAPI[[{API.name}]]")  # in capitals, so the id of nothing else
    for ref, permissions in graph.permissions_of.items():
        said = "<br/>".join(f"{' '.join(p.verbs)} {p}" for p in permissions)
        lines.append(f'  {_id(ref)} -. "{said}" .-> KubernetesAPI')
    return "\n".join(lines) + "\n"


def table(graph: Graph) -> str:
    """Everything that is allowed, a line each: who, what, whom."""
    rows = [("FROM", "MAY", "TO"), *((one.who, one.what, one.whom) for one in allowed.allowed(graph))]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip() for a, b, c in rows]
    return "\n".join(lines) + "\n\nEverything else is refused.\n"


def svg(graph: Graph) -> str:
    """A drawing without any tool: callers left of what they call, one colour per namespace."""
    places = _places(graph)
    width = max((x for x, _ in places.values()), default=0) + BOX_W + EDGE
    height = max((y for _, y in places.values()), default=0) + BOX_H + EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(graph.name)}: who may call whom</title>",
        '<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#475569"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *_edges(graph, places),
        *_boxes(graph, places),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _id(ref: Ref) -> str:
    return f"{ref.namespace}_{ref.name}".replace("-", "_")


def _links(graph: Graph) -> Iterator[tuple[Ref, Ref, str]]:
    for call in graph.calls:
        yield call.caller, call.callee, ", ".join(str(operation) for operation in call.operations)
    for use in graph.uses:
        yield use.service, use.database, f"lease: {use.role}"
    for ref, permissions in graph.permissions_of.items():
        # a picture has no room for verbs and names; the table and Mermaid say them
        yield ref, API, ", ".join(sorted({p.resource for p in permissions}))


def _places(graph: Graph) -> dict[Ref, tuple[int, int]]:
    """Column by the longest way from a service that nobody calls; a cycle stops at the number of nodes."""
    nodes = [s.ref for s in graph.services] + [b.ref for b in graph.databases] + ([API] if graph.permissions else [])
    depth = dict.fromkeys(nodes, 0)
    for _ in nodes:
        moved = False
        for start, end, _label in _links(graph):
            if depth[end] < depth[start] + 1 <= len(nodes) - 1:
                depth[end], moved = depth[start] + 1, True
        if not moved:
            break
    rows: dict[int, int] = {}
    places = {}
    for ref in nodes:
        column = depth[ref]
        row = rows.get(column, 0)
        rows[column] = row + 1
        places[ref] = (EDGE + column * (BOX_W + GAP_X), EDGE + row * (BOX_H + GAP_Y))
    return places


def _boxes(graph: Graph, places: dict[Ref, tuple[int, int]]) -> Iterator[str]:
    databases = {database.ref for database in graph.databases}
    for ref, (x, y) in places.items():
        colour = "#ffffff" if ref == API else COLOURS[graph.namespaces.index(ref.namespace) % len(COLOURS)]
        radius = 20 if ref in databases else 6
        yield (
            f'<rect x="{x}" y="{y}" width="{BOX_W}" height="{BOX_H}" rx="{radius}" fill="{colour}" stroke="#475569"/>'
            f'<text x="{x + BOX_W // 2}" y="{y + 20}" text-anchor="middle" font-weight="600">{escape(ref.name)}</text>'
            f'<text x="{x + BOX_W // 2}" y="{y + 36}" text-anchor="middle" font-size="11" fill="#475569">'
            f"{escape(ref.namespace)}</text>"
        )


def _edges(graph: Graph, places: dict[Ref, tuple[int, int]]) -> Iterator[str]:
    for start, end, label in _links(graph):
        (x1, y1), (x2, y2) = places[start], places[end]
        x1, y1, y2 = x1 + BOX_W, y1 + BOX_H // 2, y2 + BOX_H // 2
        bend = max(60, (x2 - x1) // 2)
        # the label sits near the arrow's head, where edges of different callers have parted
        x, y = x1 + (x2 - x1) * 0.62, y1 + (y2 - y1) * 0.72
        yield (
            f'<path d="M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}" fill="none" stroke="#475569"'
            ' stroke-width="1.4" marker-end="url(#a)"/>'
            f'<text x="{x:.0f}" y="{y - 5:.0f}" text-anchor="middle" font-size="11" fill="#1e293b" paint-order="stroke"'
            f' stroke="#ffffff" stroke-width="4">{escape(label)}</text>'
        )
