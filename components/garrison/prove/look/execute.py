"""Carrying probes out: inside the pods, from this machine, and as questions to the API server.

A probe that could not be carried out is an `error`, whatever the reason: a lost pod is never a refused connection.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

from garrison.derive.names import APP, PROXY
from garrison.errors import GarrisonError
from garrison.prove.expect.data import STORE
from garrison.prove.judge import classify
from garrison.prove.judge.classify import UNAVAILABLE
from garrison.prove.judge.verdict import worst
from garrison.prove.kubectl import Kubectl
from garrison.prove.look import api, certify, proxylog
from garrison.prove.look.finding import node_addresses
from garrison.prove.look.pods import Variant
from garrison.prove.look.session import Session, misled
from garrison.prove.look.world import REQUEST_ID, Place, Spec, World, administration, specs
from garrison.prove.model import EDGE, OUTSIDE, Admit, Certify, Party, Probe, ProveError, Result, Review, Seen
from garrison.words import Ref

PARALLEL = 8  # kubectl processes at once
SIDE_BY_SIDE = 96  # attempts at once in one pod, as its tool does: most of them wait for an answer that never comes
LOG_SECONDS = 5.0
NO_POD = "the probe could not be run: "


class Entrance(Protocol):
    """What is tried at the edge (`look.entrance`)."""

    def carrier(self, probe: Probe) -> Any:
        """Who carries a probe out."""


@dataclass(frozen=True)
class Runner:
    """Runs probes of one session."""

    session: Session
    timeout: float
    entrance: Entrance | None = None
    """Who carries out what is tried at the edge and from its place."""

    def run(self, probes: Sequence[Probe], world: World) -> list[Result]:
        """The results, in the order of the probes."""
        batches: dict[Callable[[list[Probe]], list[Seen]], list[Probe]] = {}
        for probe in probes:
            for carrier in self._carriers(probe, world):
                batches.setdefault(carrier, []).append(probe)
        seen: dict[Probe, list[Seen]] = {}
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            longest = sorted(batches.items(), key=lambda batch: -len(batch[1]))  # first: nobody waits for it alone
            found = pool.map(lambda batch: list(zip(batch[1], _safely(*batch), strict=True)), longest)
            for probe, what in (pair for pairs in found for pair in pairs):
                seen.setdefault(probe, []).append(what)
        return [Result(probe, worst(probe, seen[probe])) for probe in probes]

    def as_administrator(self, source: Party, admin: Ref, method: str, path: str, data: object) -> None:
        """One write at the secret store, from a pod that can reach it."""
        kubectl = self.session.kubectl
        finder, store = self.session.finder, self.session.cluster.store
        if not (found := finder.at_store()):
            raise ProveError(f"the secret store {STORE} has no ready pod")
        attempt = administration(found[0].address, admin, finder.token(str(admin), store.audience), store)
        attempt |= {"method": method, "path": path, "data": data}
        (seen,) = tool(kubectl, self.session.pod_of(source), [attempt], self.timeout)
        if seen["stage"] != "store" or seen["status"] not in (200, 204):
            raise ProveError(f"the secret store did not take {method} {path}: {seen['error'] or seen['status']}")

    def _carriers(self, probe: Probe, world: World) -> list[Any]:
        """Who carries it out: for a probe from a workload, each of the pods that speak for it."""
        match probe:
            case Probe(attempt=Review()):
                return [self._reviews]
            case Probe(attempt=Admit()):
                return [self._admissions]
            case Probe(attempt=Certify()):
                return [self._certificates]
            case Probe(source=source) if source == OUTSIDE:
                return [self._outside]
            case Probe(source=source) if self.entrance and (source == EDGE or source.role == "host"):
                return [self.entrance.carrier(probe)]
        variant: Variant = "-misled" if misled(probe) else ""
        count = self.session.replicas_of(probe.source, variant)
        return [_Pod(self.session, probe.source, variant, replica, world, self.timeout) for replica in range(count)]

    def _reviews(self, probes: list[Probe]) -> list[Seen]:
        return api.reviews(self.session.kubectl, probes)

    def _admissions(self, probes: list[Probe]) -> list[Seen]:
        return [api.admission(self.session.kubectl, probe, self.session.image) for probe in probes]

    def _certificates(self, probes: list[Probe]) -> list[Seen]:
        session = self.session
        where = session.namespace, session.cluster.authority
        return [certify.ask(session.kubectl, session.graph, probe, *where) for probe in probes]

    def _outside(self, probes: list[Probe]) -> list[Seen]:
        """At every node's address. Nothing else is ever tried from here: pod addresses must not leave the cluster."""
        nodes = node_addresses(self.session.kubectl.items("nodes"))
        with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
            knocks = [[pool.submit(knock, node, probe.port, self.timeout) for node in nodes] for probe in probes]
            return [openest(future.result() for future in row) for row in knocks]


@dataclass(frozen=True)
class _Pod:
    """Runs a batch in one probe pod, by one `kubectl exec`."""

    session: Session
    source: Party
    variant: Variant
    replica: int
    world: World
    timeout: float

    def __hash__(self) -> int:
        return hash((self.source, self.variant, self.replica))

    def __call__(self, probes: list[Probe]) -> list[Seen]:
        """Each probe at every replica of its target; of these, what counts."""
        every = [(probe, place, one) for probe in probes for place, one in specs(probe, self.world).items()]
        attempts = [one for _, _, one in every]
        where = self.session.pod_of(self.source, self.variant, self.replica)
        observations = tool(self.session.kubectl, where, attempts, self.timeout)
        self._ask_proxy(where, attempts, observations)
        found: dict[Probe, list[Seen]] = {}
        for (probe, place, _), observation in zip(every, observations, strict=True):
            seen = classify.read(probe.attempt, observation)
            found.setdefault(probe, []).append(replace(seen, reason=f"{seen.reason}{self._between(where, place)}"))
        return [worst(probe, found[probe]) for probe in probes]

    def _between(self, where: Ref, place: Place) -> str:
        """Which replica it was, for the sentence about a deviation."""
        start = f"from {where.name} " if self.session.replicas_of(self.source, self.variant) > 1 else ""
        return f" [{start}at {place.pod}]" if place.pod else ""

    def _ask_proxy(self, where: Ref, attempts: Sequence[Spec], observations: Sequence[dict[str, Any]]) -> None:
        """Why the own proxy could not reach a callee is in its access log only; the caller is told no more than 503."""
        failed = [
            (attempt["headers"][REQUEST_ID], seen)
            for attempt, seen in zip(attempts, observations, strict=True)
            if REQUEST_ID in attempt.get("headers", {}) and (seen["status"] >= 500 or seen.get("grpc") == UNAVAILABLE)
        ]
        deadline, details = time.monotonic() + LOG_SECONDS, dict[str, str]()
        while any(request_id not in details for request_id, _ in failed) and time.monotonic() < deadline:
            log = self.session.kubectl.run("logs", where.name, f"--namespace={where.namespace}", f"--container={PROXY}")
            details = proxylog.details(log)
        for request_id, seen in failed:
            seen["body"] += f" {details.get(request_id, 'and the proxy logged no reason')}"


def tool(kubectl: Kubectl, pod: Ref, attempts: Sequence[Spec], timeout: float) -> list[dict[str, Any]]:
    """The probe tool's observations of a batch of attempts in one pod."""
    rounds = len(attempts) // SIDE_BY_SIDE + 1
    answer = kubectl.run(
        *("exec", "--stdin", pod.name, f"--namespace={pod.namespace}", f"--container={APP}"),
        *("--", "python3", "-m", "prober"),
        stdin=json.dumps({"timeout": timeout, "attempts": list(attempts)}),
        timeout=60 + rounds * (timeout + 10) * 3,
    )
    found: list[dict[str, Any]] = json.loads(answer)["observations"]
    return found


def _safely(carry: Callable[[list[Probe]], list[Seen]], probes: list[Probe]) -> list[Seen]:
    try:
        return carry(probes)
    except (GarrisonError, ValueError, KeyError) as error:
        return [Seen("error", None, f"{NO_POD}{error}")] * len(probes)


def knock(host: str, port: int, timeout: float) -> Seen:
    """Try a TCP connection from this machine; a reset and a rejection look alike from here, and either refuses."""
    try:
        socket.create_connection((host, port), timeout=timeout).close()
    except ConnectionRefusedError:
        return Seen("refused", "workload", f"nothing listens at node {host}")
    except OSError as error:
        return Seen("refused", "network", f"node {host}: {error.strerror or error}")
    return Seen("allowed", None, f"node {host} answers")


def openest(seen: Iterable[Seen]) -> Seen:
    """One open door is enough."""
    return min(
        seen, key=lambda s: ("allowed", "error", "refused").index(s.verdict), default=Seen("error", None, "no nodes")
    )
