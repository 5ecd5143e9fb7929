"""The edge's part of a run: what can be tried, with whose tokens, and where the edge is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Cluster, Issuer
from garrison.derive.edge.names import DYNAMIC, STATE
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.prove.expect.edge import around, bearers, behind, trials
from garrison.prove.judge.entry import has_contract, probe_of
from garrison.prove.kubectl import Kubectl
from garrison.prove.look.behind import Behind
from garrison.prove.look.entry import Entry
from garrison.prove.look.execute import tool
from garrison.prove.look.pods import LABEL, ready
from garrison.prove.look.session import Session
from garrison.prove.look.tickets import Forging, NotHadError, Tokens
from garrison.prove.look.trail import checked, logs_of
from garrison.prove.look.trying import READS, Trying, possible
from garrison.prove.look.world import Place
from garrison.prove.model import EDGE, Party, Probe, ProveError, Result, Seen
from garrison.prove.trials import Trial, Try, Untried
from garrison.words import Ref

PUBLIC: Final = Ref(d.EDGE.namespace, "public")
HTTPS: Final = 443
BROUGHT: Final = 150.0  # seconds in which a changed ConfigMap is in a pod: the kubelet's minute, its cache, the agent
PAUSE: Final = 1.0
Choice = Callable[[Trial], bool]


@dataclass(eq=False)
class Entrance:
    """What is tried at one edge in one run."""

    trying: Trying
    probes: list[Probe]
    untried: list[Untried]
    behind: Behind | None = None
    graph: Graph | None = None
    kubectl: Kubectl | None = None
    started: float = field(default_factory=time.monotonic)

    def carrier(self, probe: Probe) -> Any:
        """Who carries a probe out."""
        return self.trying if isinstance(probe.attempt, Trial) and probe.attempt.place == "edge" else self.behind

    def checked(self, results: Sequence[Result]) -> list[Result]:
        """With what the logs behind the edge say of what was refused; without a cluster nobody reads them."""
        if self.kubectl is None or self.graph is None or not self.trying.sent:
            return list(results)
        return checked(results, self.trying.sent, logs_of(self.kubectl, self.graph, self.started))


def acting(probes: Sequence[Probe]) -> list[str]:
    """The operations that are really done: requests without fault that change something. Empty where none is."""
    tried = [probe.attempt for probe in probes if isinstance(probe.attempt, Trial)]
    done = [one for one in tried if one.kind in (Try.WELL_FORMED, Try.LIMIT) and one.shape.method not in READS]
    return sorted({str(one.route.operation) for one in done if has_contract(one)})


def edge_probes(graph: Graph) -> list[Probe]:
    """All that there would be to try, could every token be had."""
    return [*(probe_of(trial, HTTPS) for trial in (*trials(graph), *behind(graph))), *around(graph)]


def from_outside(
    graph: Graph,
    entry: Entry,
    tokens: Tokens,
    replicas: int,
    *,
    chosen: Choice = lambda _: True,
    reads_only: bool = False,
) -> Entrance:
    """All that needs no cluster; tokens are asked for what is chosen alone."""
    forging = Forging(tokens)
    can, cannot = possible(filter(chosen, trials(graph)), forging, reads_only=reads_only)
    return Entrance(Trying(entry, forging, replicas), [probe_of(trial, entry.port) for trial in can], cannot)


def at_cluster(
    session: Session,
    entry: Entry,
    tokens: Tokens,
    timeout: float,
    *,
    chosen: Choice = lambda _: True,
    reads_only: bool = False,
) -> Entrance:
    """That, and the same tokens at the sidecars, and what the edge's place in the network opens."""
    graph, kubectl = session.graph, session.kubectl
    replicas = session.cluster.entrance.replicas
    found = from_outside(graph, entry, tokens, replicas, chosen=chosen, reads_only=reads_only)
    can, cannot = possible(filter(chosen, behind(graph)), found.trying.tokens, reads_only=reads_only)
    where = session.pod_of(EDGE)
    session.bearers = lambda: _bearers(graph, tokens)

    def places(target: Party, astray: bool) -> Sequence[Place]:
        if astray:
            return session.finder.copies(target, "-misled")
        pods = session.finder.targets().get(target, [])
        return [Place(str(pod["status"]["podIP"]), pod["metadata"]["name"]) for pod in pods]

    found.behind = Behind(found.trying.tokens, places, lambda specs: tool(kubectl, where, specs, timeout))
    found.probes += [*(probe_of(trial, d.MTLS_PORT) for trial in can), *around(graph)]
    found.untried += cannot
    found.graph, found.kubectl = graph, kubectl
    return found


def _bearers(graph: Graph, tokens: Tokens) -> dict[Ref, str]:
    """Fresh ones: they live minutes, and a drill longer."""
    callers = {call.caller for call in graph.calls if call.forwards}
    found: dict[Ref, str] = {}
    for caller, want in bearers(graph).items():
        if caller in callers:
            with suppress(NotHadError):
                found[caller] = tokens.give(want).text
    return found


def in_force(kubectl: Kubectl, say: Callable[[str], None], *, patience: float = BROUGHT) -> None:
    """Wait until every pod of the edge has taken the routes that are in its ConfigMap, which its agent says.

    What is not said (an old agent, a log that was rotated away) keeps nobody: then the trials tell what is in force.
    """
    wanted = kubectl.get("configmap", DYNAMIC.name, DYNAMIC.namespace)["data"].get(STATE)
    deadline, told = time.monotonic() + patience, False
    while wanted and (without := [name for name in _edges(kubectl) if wanted not in _agent(kubectl, name)]):
        if time.monotonic() > deadline:
            say(f"{', '.join(without)}: has not said within {patience:.0f} s that it took the routes of {DYNAMIC}")
            return
        if not told:
            say("waiting until the edge has taken its routes")
        told = True
        time.sleep(PAUSE)


def _edges(kubectl: Kubectl) -> list[str]:
    found = kubectl.items("pods", namespace=d.EDGE.namespace, selector=f"{d.NAME}={d.EDGE.name}")
    return [pod["metadata"]["name"] for pod in found if LABEL not in pod["metadata"]["labels"] and ready(pod)]


def _agent(kubectl: Kubectl, pod: str) -> str:
    """The last line in which the agent speaks of a state, if it was taken."""
    said = kubectl.run("logs", pod, f"--namespace={d.EDGE.namespace}", "--container=agent")
    lines = [line for line in said.splitlines() if '"state"' in line]
    return lines[-1] if lines and '"taken"' in lines[-1] else ""


@contextmanager
def entry_of(kubectl: Kubectl, there: Cluster, ca_file: Path | None, timeout: float) -> Iterator[Entry]:
    """Where this cluster's edge is reached; its certificates are the estate's own where nobody said whose else."""
    address, port = _address(kubectl.get("service", PUBLIC.name, PUBLIC.namespace), kubectl)
    with NamedTemporaryFile("w", suffix=".pem") as file:
        if ca_file is None and str(Issuer.of(there.entrance.issuer or there.issuer)) == str(there.authority):
            bundle = kubectl.get("configmap", d.TRUST_BUNDLE, d.EDGE.namespace)
            file.write(bundle["data"][d.TRUST_FILE])
            file.flush()
            ca_file = Path(file.name)
        yield Entry(address, port, ca_file, timeout, there.entrance.port)


def _address(service: Manifest, kubectl: Kubectl) -> tuple[str, int]:
    given = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    if given:
        return str(given[0].get("ip") or given[0]["hostname"]), HTTPS
    (port,) = service["spec"]["ports"]
    if "nodePort" not in port or not (nodes := _nodes(service, kubectl)):
        raise ProveError(f"Service {PUBLIC} has no address yet: look at `kubectl get service --namespace=edge public`")
    return nodes[0], int(port["nodePort"])


def _nodes(service: Manifest, kubectl: Kubectl) -> list[str]:
    """Of the edge's own pods: its Service hides no client's address, so no other node passes a request on."""
    selector = ",".join(f"{label}={value}" for label, value in sorted(service["spec"]["selector"].items()))
    pods = kubectl.items("pods", namespace=PUBLIC.namespace, selector=selector)
    return sorted({pod["status"]["hostIP"] for pod in pods if ready(pod)})


def run(entrance: Entrance) -> list[Result]:
    """Every probe once, in order: for a run without a cluster."""
    groups: dict[int, list[Probe]] = {}
    for probe in entrance.probes:
        groups.setdefault(id(entrance.carrier(probe)), []).append(probe)
    seen: dict[Probe, Seen] = {}
    for group in groups.values():
        seen |= dict(zip(group, entrance.carrier(group[0])(group), strict=True))
    return [Result(probe, seen[probe]) for probe in entrance.probes]
