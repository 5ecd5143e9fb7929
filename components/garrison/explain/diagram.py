"""The graph for people as text: a table for a terminal, Mermaid for a page that draws it. `drawing` has the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from garrison.explain import allowed
from garrison.explain.links import Kind, Link, Node, Shape, links, nodes
from garrison.model.parts import Parts

ARROWS = {
    Kind.WAY_IN: ("--", "-->"),
    Kind.PUBLIC: ("-.", ".->"),
    Kind.TOKEN: ("==", "==>"),
    Kind.CALL: ("--", "-->"),
    Kind.CONNECTION: ("-.", ".->"),
    Kind.LEASE: ("-.", ".->"),
    Kind.READ: ("-.", ".->"),
    Kind.RIGHT: ("-.", ".->"),
}
COLOURS = {Kind.PUBLIC: "#16a34a", Kind.TOKEN: "#8b5cf6"}  # of a line; both are seen on light and dark pages
SHAPES = {
    Shape.HOST: ("([", "])"),
    Shape.EDGE: ("{{", "}}"),
    Shape.TCP: ("[[", "]]"),
    Shape.WORKER: ("(", ")"),
    Shape.JOB: ("[/", "/]"),
    Shape.ELSEWHERE: ("[[", "]]"),
    Shape.OUTSIDE: ("[/", "\\]"),
    Shape.DATABASE: ("[(", ")]"),
    Shape.SECRET: (">", "]"),
    Shape.API: ("[\\", "/]"),
}
OPEN = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;"}  # Mermaid's own way to write what it would read


def mermaid(graph: Parts, said: str = "") -> str:
    """A Mermaid flowchart: a subgraph for each namespace, an arrow for each caller and audience with its operations.

    Thick and violet is what carries a user's token, dashed and green what is for anybody.
    """
    found, arrows = [*nodes(graph)], [*links(graph)]
    lines = [f"%% {said}"] if said else []
    lines += ["flowchart LR", *(f"  {_node(node)}" for node in found if not node.namespace)]
    others = dict.fromkeys(node.namespace for node in found if node.shape == Shape.ELSEWHERE)
    for namespace in (*graph.namespaces, *others):
        inside = (node for node in found if node.namespace == namespace)
        lines += [f"  subgraph {namespace}", *(f"    {_node(node)}" for node in inside), "  end"]
    lines += [f"  {_id(link.start)} {_arrow(link)} {_id(link.end)}" for link in arrows]
    for kind, colour in COLOURS.items():
        if numbers := [str(number) for number, link in enumerate(arrows) if link.kind == kind]:
            lines.append(f"  linkStyle {','.join(numbers)} stroke:{colour}")
    return "\n".join(lines) + "\n"


def table(graph: Parts, said: str = "") -> str:
    """Everything that is allowed, a line each: who, what, whom, through which host and on which terms."""
    rows = [(one.who, one.what, one.whom, one.host, "; ".join(one.terms)) for one in allowed.allowed(graph)]
    parts = [_columns([("FROM", "MAY", "TO", "THROUGH", "TERMS"), *rows])]
    if graph.hosts:
        parts.append(_columns([("HOST", "LETS IN"), *_hosts(graph)]))
    rest = f"This is {said}; what else is declared is left out." if said else "Everything else is refused."
    return "\n".join([*parts, f"{rest}\n"])


def _hosts(graph: Parts) -> Iterator[tuple[str, str]]:
    for host in graph.hosts:
        issuers = sorted({route.issuer for route in graph.routes if route.host == host.name and route.issuer})
        tokens = f"tokens of {', '.join(issuers)}" if issuers else "anybody"
        yield host.name, f"browsers; people log in with {host.login}" if host.login else tokens
    for issuer in graph.issuers:
        if issuer.embedded:
            yield issuer.login, f"whoever logs in at {issuer.name}, the embedded issuer"
        else:
            yield issuer.url, f"{issuer.name}, another issuer: tokens for {issuer.audience}, groups in {issuer.groups}"


def _columns(rows: Sequence[tuple[str, ...]]) -> str:
    """Aligned; a column in which nothing is said is left out."""
    said = [column for column in zip(*rows, strict=True) if any(column[1:]) or column[0] in ("FROM", "MAY", "TO")]
    widths = [max(map(len, column)) for column in said]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in zip(*said, strict=True))
    return "\n".join(lines) + "\n"


def _id(key: str) -> str:
    """No two parts have one: names have no dot and no capital, a host has both."""
    return key.replace(" ", ".").replace("-", "_").replace("/", ".")


def _node(node: Node) -> str:
    left, right = SHAPES.get(node.shape, ("[", "]"))
    under = [] if node.namespace and node.shape != Shape.ELSEWHERE else [node.under]
    said = [node.name, *under, *filter(None, [node.weak])]
    return f'{_id(node.key)}{left}"{_said(said)}"{right}'


def _arrow(link: Link) -> str:
    left, right = ARROWS[link.kind]
    served = link.kind in COLOURS and link.fine
    said = [link.title, *link.lines, *link.fine] if served else [*link.lines]
    return f'{left} "{_said(said)}" {right}' if said else right


def _said(texts: Sequence[str]) -> str:
    return "<br/>".join("".join(OPEN.get(letter, letter) for letter in text) for text in texts)
