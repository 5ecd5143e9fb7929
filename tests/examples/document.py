"""docs/applications.md, from the programs and the tables: `python -m examples.document > docs/applications.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from examples.tables import APPS, LATER, ONE_POD, awaited, edges, program, rows
from garrison.declare.program import graph_of

# Name, and how many workloads and edges there are, of which one workload could be declared before. Counted from
# manifests, Dockerfiles and sources; tests/examples/test_upstream.py counts the six again where their manifests are.
SIX = {
    "online_boutique": ("Online Boutique 0.10.6", 12, 16),
    "bank_of_anthos": ("Bank of Anthos 0.6.10, with two Jobs of its extras", 11, 14),
    "sock_shop": ("Sock Shop", 14, 15),
    "aks_store": ("AKS store demo 2.2.0", 10, 12),
    "robot_shop": ("Stan's Robot Shop", 13, 21),
    "petclinic": ("Spring Petclinic Cloud, with its three MySQL", 8, 11),
}
FIVE = {
    "OpenTelemetry demo": (25, 44),
    "Train Ticket": (64, 155),
    "eShopOnContainers": (21, 64),
    "Apache Fineract": (3, 2),
    "openIMIS": (8, 11),
}
BEFORE = {"Train Ticket": (1, 0)}  # its news service: no settings, no callees, and a route that answers everything
# What upstream has and the program has not, or has otherwise: for each the reason.
REFUSED = {
    "online_boutique": ("nothing",),
    "bank_of_anthos": (
        "the containers beside the Jobs' own, of a proxy to Cloud SQL: the databases are in the estate",
        "metrics and traces to Google Cloud: switched off by upstream's own settings",
        "passwords and the key of its tokens as text in manifests: read from the store",
    ),
    "sock_shop": (
        "the exporter in rabbitmq's pod: a service of its own, with one operation",
        "network policies for a `cart` that no pod is called: derived ones instead",
    ),
    "aks_store": (
        "a password among arguments: a variable from the store",
        "the back office open to the internet: it has users",
        "an identity that only Azure gives: a key from the store",
        "documentdb writes to two folders only, which it may not be content with",
    ),
    "robot_shop": (
        "NET_ADMIN of mysql, which Pod Security does not let (it slows the network down for demonstrations)",
        "an agent on the node: no part of the application",
    ),
    "petclinic": (
        "reading every Secret of the namespace through the Kubernetes API: files and variables instead",
        "a port for traces that nobody is told of",
    ),
}
HEAD = """\
# Public applications

Written from the programs in `examples` and the tables in `tests/examples` by `python -m examples.document`; edit
those, not this page.

Eleven public applications, {workloads} workloads and {edges} edges. Before there were words for ports, protocols,
settings, secrets in the application's words, hosts outside and jobs, {before_workloads} workload and {before_edges}
edges could be declared with all that they need to run. Now it is {now_workloads} and {now_edges}: {here_workloads}
and {here_edges} of them in programs that are here, the others reasoned.

**Declared, not run.** No image of these was started for this page. What is tried, of the six whose programs are
here: upstream's edges and variable names are the program's (`tests/examples/edges.tsv`, `variables.tsv`, compared
with upstream's manifests where a workspace keeps them); every derived object keeps the rules of `garrison check`,
without an exception; a real API server takes each, and Envoy each sidecar's configuration; and what the policies
and both sidecars of each pair let pass, read by a reader of its own, is each real edge and nothing else. Whether an
image then starts as this user with a read-only root file system is upstream's Dockerfile, read and not tried.

Images have upstream's names. Where upstream has a tag and no digest, [images.lock](../examples/images.lock) has
`pin-me`: the program can be rendered, drawn and checked, and `deploy` refuses it and names what to look up.
"""
COST = """\
## What a hop costs

Two sidecars, mutual TLS between them, measured in one run beside the same without them (`benchmarks/hop.py`): 141 us of
CPU for a request over HTTP/1.1, 111 over gRPC, 50 over TCP, both proxies together; a quarter to two thirds of what
the example's own services take for one. [measurements.md](measurements.md#a-hop) has times and rates, and what of
the aim was missed.
"""
WAITING = """
Programs that say a word which is still being added ({words}) wait for it: they count as nothing, and are tried by
nothing, until it is there.
"""
BELOW = """\
A workload counts as declared when it is a service or job of the program, an edge when it is a call or connection of
the graph. `everywhere` are the services whose image listens on every address and cannot be told otherwise
(`bind="all"`): the network alone keeps others from that port, one layer less than the others have. Below the level
at which it fails, `garrison check` has advice on some of them, which the tests look for by name: one copy of what
keeps data or makes load, and users with a low number, which the images were built with.
"""
REASONED = """\
Of these no program is here. The figures are reasoned from what each of their workloads needs (counted from
manifests, Dockerfiles and sources), and nothing of them is executed: what has no word is taken off.
"""


@dataclass(frozen=True)
class Row:
    name: str
    workloads: tuple[int, int, int]
    """Before, now, all."""
    edges: tuple[int, int | None, int]
    everywhere: int | None
    refused: tuple[str, ...]


def computed(app: str) -> Row:
    """A program's figures; nothing, and what it waits for, where it says a word that is not there yet."""
    name, workloads, all_edges = SIX[app]
    if waits := awaited(app):
        wait = f"waits for {', '.join(f'`{word}`' for word in waits)}"
        return Row(_link(app, name), (0, 0, workloads), (0, 0, all_edges), None, (wait, *REFUSED[app]))
    its = graph_of(program(app))
    real = [edge for edge in edges(app) if edge.shown != ONE_POD]
    pairs = {(call.caller.name, call.callee.name) for call in its.calls}
    added = {edge.caller for edge in edges(app) if edge.shown == ONE_POD}
    mine = {service.name for service in its.services} | {job.ref.name for job in getattr(its, "jobs", ())}
    return Row(
        _link(app, name),
        (0, len(mine - added), workloads),
        (0, sum(edge.pair in pairs for edge in real), all_edges),
        sum(service.bind == "all" for service in its.services),
        REFUSED[app],
    )


def reasoned(name: str) -> Row:
    """Figures of an application that is not here: all, without what needs a word that there is not."""
    workloads, all_edges = FIVE[name]
    lacking = [row for row in rows("reasoned.tsv") if row["app"] == name and not LATER.get(row["word"], False)]
    without = min(workloads, sum(int(row["workloads"]) for row in lacking))
    before_workloads, before_edges = BEFORE.get(name, (0, 0))
    # what a workload that cannot be declared calls is not known here: while words are missing no edge is counted
    waits = any(row["word"] != "never" for row in lacking)
    now = None if waits else all_edges - sum(int(row["edges"] or 0) for row in lacking)
    why = tuple(f"{row['need']} ({row['word']})" if row["word"] != "never" else row["need"] for row in lacking)
    return Row(
        name,
        (before_workloads, workloads - without, workloads),
        (before_edges, now, all_edges),
        None,
        why or ("nothing that is known of",),
    )


def _link(app: str, name: str) -> str:
    return f"[{name}](../examples/{app}.py)"


def page() -> str:
    """The whole page."""
    six, five = [computed(app) for app in APPS], [reasoned(name) for name in FIVE]
    every = [*six, *five]
    sums = {
        f"{prefix}{kind}": _added(lines, kind)[index]
        for kind in ("workloads", "edges")
        for prefix, index, lines in (("before_", 0, every), ("now_", 1, every), ("here_", 1, six), ("", 2, every))
    }
    missing = [f"`{word}`" for word, there in LATER.items() if not there]
    wait = [WAITING.format(words=", ".join(missing))] if any(map(awaited, APPS)) else []
    parts = [
        HEAD.format(**sums),
        *wait,
        "## Programs\n",
        *_table(six),
        "",
        BELOW,
        "## Reasoned\n",
        REASONED,
        *_table(five),
        "",
    ]
    total = Row("**all eleven**", _added(every, "workloads"), _added(every, "edges"), None, ())
    return "\n".join([*parts, "## Together\n", *_table([total]), "", COST])


def _added(every: list[Row], kind: str) -> tuple[int, int, int]:
    before, now, total = (sum(getattr(row, kind)[index] or 0 for row in every) for index in range(3))
    return before, now, total


def _table(lines: list[Row]) -> Iterator[str]:
    yield "| application | workloads before | now | edges before | now | everywhere | still refused, or otherwise |"
    yield "|---|---|---|---|---|---|---|"
    for row in lines:
        figures = [_figure(pair[index], pair[2]) for pair in (row.workloads, row.edges) for index in (0, 1)]
        everywhere = "" if row.everywhere is None else str(row.everywhere)
        yield f"| {' | '.join([row.name, *figures, everywhere, '; '.join(row.refused)])} |"


def _figure(some: int | None, total: int) -> str:
    return f"{some} of {total}" if some is not None else f"not counted, of {total}"


if __name__ == "__main__":
    sys.stdout.write(page())
