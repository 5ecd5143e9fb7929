"""One run on a cluster: its pods, certificates and tokens, made at the start and removed at the end, come what may."""

from __future__ import annotations

import json
import secrets
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive.mesh import config_ref
from garrison.derive.names import APP, full_host
from garrison.manifest import Manifest
from garrison.model.externals import is_outside
from garrison.model.graph import Graph
from garrison.prove.expect.calls import impostor
from garrison.prove.expect.expected import namespaces, services, sources
from garrison.prove.kubectl import Kubectl
from garrison.prove.look import behind, certify, forge, opening, pods, replicas
from garrison.prove.look.alone import undisturbed
from garrison.prove.look.finding import Finder
from garrison.prove.look.pods import GATEWAYS, LABEL, Variant
from garrison.prove.look.world import World, impersonated, straight_to
from garrison.prove.model import EDGE, EDITOR, GATEWAY, Hold, Party, Probe, ProveError, Request
from garrison.prove.trials import Trial
from garrison.words import Ref

READY_SECONDS, LOOK_SECONDS = 300, 15
RESOLVE = """
import json, socket, sys
found = {}
for host in sys.argv[1:]:
    try:
        found[host] = sorted({row[4][0] for row in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except OSError:
        found[host] = []
print(json.dumps(found))
"""
CLEANED = "networkpolicies,pods,configmaps,serviceaccounts"


@dataclass
class Session:
    """What one run has on the cluster."""

    kubectl: Kubectl
    graph: Graph
    image: str
    say: Callable[[str], None]
    cluster: Cluster = field(default_factory=Cluster)
    run: str = field(default_factory=lambda: secrets.token_hex(16))
    forged: forge.Forged = field(default_factory=dict)
    issues_foreign: bool = True
    bearers: Callable[[], Mapping[Ref, str]] = dict
    """Tokens of users as they are good now, by the service that serves them."""

    def __post_init__(self) -> None:
        self.finder = Finder(self.kubectl, self.graph, self.run, self.cluster.store)
        self.namespace = pods.namespace_of(self.run)
        self.replicas: dict[tuple[Party, Variant], int] = {}
        self.addresses: dict[str, list[str]] = {}

    def pod_of(self, party: Party, variant: Variant = "", replica: int = 0) -> Ref:
        return pods.where(party, self.run, variant, replica)

    def replicas_of(self, party: Party, variant: Variant = "") -> int:
        """From how many pods a party is spoken for."""
        return self.replicas.get((party, variant), 1)

    def world(self, probes: Collection[Probe], admin: Ref) -> World:
        outside = self._outside({host for probe in probes if (host := straight_to(probe))})
        return replace(self.finder.world(probes, admin, self.forged), bearers=self.bearers(), outside=outside)

    def _outside(self, hosts: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """Where these hosts are, as the gateway's place is told: who can ask nobody for a name may know it."""
        if asked := sorted(set(hosts) - self.addresses.keys()):
            pod = self.pod_of(GATEWAY)
            where = ("exec", pod.name, f"--namespace={pod.namespace}", f"--container={APP}")
            self.addresses |= json.loads(self.kubectl.run(*where, "--", "python3", "-c", RESOLVE, *asked))
        return {host: tuple(self.addresses[host]) for host in hosts}

    # --- making ------------------------------------------------------------------------------------------------------

    def start(self, probes: Collection[Probe], also: Collection[Party] = ()) -> None:
        """Everything the probes need, and pods of those parties too, ready; ProveError says what is missing."""
        homes = [self.namespace, *namespaces(self.graph, self.cluster.store)]
        self.kubectl.apply([_namespace(self.namespace, self.run), *(pods.account(home, self.run) for home in homes)])
        foreign = {impersonated(p, self.graph) for p in probes if _credential(p).startswith("foreign")}
        undeclared = any(_credential(p) == "undeclared identity" for p in probes)
        if undeclared or any(p.source == EDITOR for p in probes):
            self.kubectl.apply(certify.rights(self.namespace, self.run))
        if undeclared:
            self.kubectl.apply([certify.own_identity(self.graph, self.namespace, self.cluster.authority)])
        if foreign:
            self.kubectl.apply(self._forged(sorted(foreign)))
        used = (
            {p.source for p in probes}
            | {*also}
            | {p.target for p in probes if p.target.role in ("free", "stray") or at_copy(p)}
        )
        used |= {GATEWAY} if any(map(straight_to, probes)) else set()
        opened = {p.target for p in probes if p.phase == "identity open"}
        ways = {GATEWAYS[p.attempt.by] for p in probes if isinstance(p.attempt, Request) and p.attempt.by}
        wanted = [*self._pods(used, opened), *self._misled({party for p in probes for party in misled(p)})]
        wanted += [item for variant in sorted(ways) for item in self._gateway(variant)]
        self.kubectl.apply(wanted)
        count = sum(item["kind"] == "Pod" for item in wanted)
        self.say(f"waiting for {count} probe pods")
        if foreign or undeclared:
            self._wait("certificates", "--all", f"--namespace={self.namespace}", condition="Ready")
            found = self.kubectl.items("secrets", namespace=self.namespace)
            self.forged = forge.read(found, sorted(foreign))
        if count:
            self._wait_for_pods()

    def _forged(self, refs: Sequence[Ref]) -> list[Manifest]:
        """Certificates that must not be accepted, as bad as this cluster can be brought to make them."""
        made = list(forge.manifests(self.graph, refs, self.namespace, self.run, self.cluster.authority))
        foreign = next(item for item in made if item["kind"] == "Certificate")
        self.issues_foreign = not forge.refused(self.kubectl, foreign)
        if self.issues_foreign:
            return made
        self.say("admission refuses certificates of another trust domain; an authority of the run's own makes them")
        return list(forge.manifests(self.graph, refs, self.namespace, self.run, ""))

    def _pods(self, used: Collection[Party], opened: Collection[Party]) -> Iterator[Manifest]:
        live = self.finder.targets()
        for party in sources(self.graph, self.cluster.store):
            if party in used:
                yield from self._speakers(party, live.get(party, ()))
        if EDGE in used:
            ref = self.pod_of(EDGE)
            yield behind.pod(self.finder.find("deployments", d.EDGE), ref, run=self.run, image=self.image)
        for party in services(self.graph):
            if party in opened:
                config = self.pod_of(party, "-open")
                found = self.finder.find("configmaps", config_ref(party.ref))
                meta = {"name": config.name, "namespace": config.namespace, "labels": {LABEL: self.run}}
                data = opening.identity(found["data"])
                yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
                yield from self._clones(party, live.get(party, ()), "-open", config.name)

    def _misled(self, callers: Collection[Party]) -> Iterator[Manifest]:
        """Copies for whom each callee's name leads to another service's pod, and the name of who has issuers' keys."""
        live = {party.ref: found[0] for party, found in self.finder.targets().items()} if callers else {}
        for party in sorted(callers):
            calls = self.graph.calls_from.get(party.ref, ())
            callees = [d.EGRESS if is_outside(call.callee) else call.callee for call in calls]
            callees += [d.EDGE] if party.ref in self.graph.tokens_at else []
            others = {callee: impostor(self.graph, party.ref, callee) for callee in callees}
            names = {
                full_host(callee): str(live[other]["status"]["podIP"])
                for callee, other in others.items()
                if other in live
            }
            (clone,) = self._clones(party, (), "-misled")
            yield pods.mislead(clone, names)

    def _gateway(self, variant: Variant) -> Iterator[Manifest]:
        """A copy of the gateway that takes each host for somebody else, or somebody else for each host."""
        ref = self.pod_of(GATEWAY, variant)
        found = self.kubectl.get("configmap", config_ref(d.EGRESS).name, d.EGRESS.namespace)  # as it is now
        data = opening.mistaken(found["data"]) if variant == "-mistaken" else opening.steered(found["data"])
        meta = {"name": ref.name, "namespace": ref.namespace, "labels": {LABEL: self.run}}
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
        live = self.finder.find("deployments", d.EGRESS)
        yield pods.gateway(live, ref, run=self.run, image=self.image, config=ref.name)

    def anew(self, parties: Collection[Party], variant: Variant) -> None:
        """Replace these parties' copies: their proxies read configuration and addresses when they start."""
        live = self.finder.targets() if parties else {}
        copies = (pod for party in sorted(parties) for pod in self._speakers(party, live.get(party, ())))
        fresh = [*(self._misled(parties) if variant == "-misled" else copies)]
        if parties and variant in GATEWAYS.values():
            fresh = [*self._gateway(variant)]
        for pod in (item for item in fresh if item["kind"] == "Pod"):
            self.kubectl.delete("pod", pod["metadata"]["name"], f"--namespace={pod['metadata']['namespace']}")
        self.kubectl.apply(fresh)
        if fresh:
            self._wait_for_pods()

    def _speakers(self, party: Party, live: Sequence[Manifest]) -> Iterator[Manifest]:
        """The pods that speak for a party: for a workload one for each of its replicas that differ."""
        if party.role == "service":
            yield from self._clones(party, live)
        elif party == GATEWAY:
            yield self._stand_in(party, 0, self.finder.find("deployments", d.EGRESS))
        elif party.role == "database":
            for replica, like in enumerate(self._alike("statefulsets", party, live, "")):
                yield self._stand_in(party, replica, like)
        else:
            yield self._stand_in(party, 0, None)

    def _stand_in(self, party: Party, replica: int, owner: Manifest | None) -> Manifest:
        where = self.pod_of(party, "", replica)
        return pods.stand_in(party, where, run=self.run, image=self.image, owner=owner)

    def _clones(
        self, party: Party, live: Sequence[Manifest], variant: Variant = "", config: str = ""
    ) -> Iterator[Manifest]:
        port = 0 if party.ref in self.graph.job_by_ref else self.graph.by_ref[party.ref].port
        for replica, like in enumerate(self._alike(self._kind_of(party), party, live, variant)):
            name = self.pod_of(party, variant, replica).name
            yield pods.clone(like, name=name, run=self.run, image=self.image, port=port, config=config)

    def _kind_of(self, party: Party) -> str:
        if job := self.graph.job_by_ref.get(party.ref):
            return "cronjobs" if job.schedule else "jobs"
        return "statefulsets" if self.graph.by_ref[party.ref].stateful else "deployments"

    def _alike(self, kind: str, party: Party, live: Sequence[Manifest], variant: Variant) -> list[Manifest]:
        found = replicas.distinct(replicas.made_by(self.finder.find(kind, party.ref)), live)
        self.replicas[party, variant] = len(found)
        return found

    def _wait_for_pods(self) -> None:
        self._wait("pods", f"--selector={LABEL}={self.run}", "--all-namespaces", condition="ContainersReady")

    def _wait(self, *what: str, condition: str) -> None:
        """Until the condition holds; a pod that can never start ends the wait early."""
        deadline = time.monotonic() + READY_SECONDS
        flags = [f"--for=condition={condition}", f"--timeout={LOOK_SECONDS}s"]
        while True:
            code, _, error = self.kubectl.attempt("wait", *what, *flags)
            if not code:
                return
            live = self.kubectl.items("pods", selector=f"{LABEL}={self.run}")
            reasons = sorted({reason for pod in live for reason in pods.complaints(pod)})
            if time.monotonic() > deadline or any(word in reason for reason in reasons for word in pods.HOPELESS):
                why = "; ".join(reasons) or " ".join(error.split())
                raise ProveError(f"the probes' {what[0]} are not ready: {why}")

    # --- opening and leaving -----------------------------------------------------------------------------------------

    @contextmanager
    def open_network(self) -> Iterator[None]:
        """For the probe pods alone, and only inside the `with`."""
        self.kubectl.apply(opening.network(namespaces(self.graph, self.cluster.store), self.run))
        try:
            yield
        finally:
            self.kubectl.delete("networkpolicies", "--all-namespaces", f"--selector={LABEL}={self.run}")

    def clear(self, *, everything: bool = False) -> None:
        """Remove what this run made; with `everything`, what any earlier run left.

        Until it is gone: whoever looks at the cluster next finds nothing of it.
        """
        which = f"--selector={LABEL}" if everything else f"--selector={LABEL}={self.run}"
        self.kubectl.delete("namespaces", which, "--wait=false")  # it ends while the pods elsewhere do
        self.kubectl.delete(CLEANED, "--all-namespaces", which)
        self.kubectl.delete("namespaces", which)


@contextmanager
def cleaned(session: Session) -> Iterator[Session]:
    """The session with its leavings removed at the end, also after an error, Ctrl-C or SIGTERM."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        session.clear(everything=True)
        yield session
    finally:
        with undisturbed():
            session.clear()
        signal.signal(signal.SIGTERM, before)


def misled(probe: Probe) -> list[Party]:
    """Of whom it needs a copy that is led astray."""
    if isinstance(probe.attempt, Trial):
        return [probe.target] if probe.attempt.place == "misled" else []
    return [probe.source] if isinstance(probe.attempt, Request | Hold) and probe.attempt.misled else []


def at_copy(probe: Probe) -> bool:
    """At the target's copy, whose application is the probe tool's."""
    return isinstance(probe.attempt, Request) and probe.attempt.claims


def _credential(probe: Probe) -> str:
    return str(getattr(probe.attempt, "credential", ""))


def _namespace(name: str, run: str) -> Manifest:
    labels = {LABEL: run, "pod-security.kubernetes.io/enforce": d.POD_SECURITY}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
