"""One run on a cluster: its pods, certificates and tokens, made at the start and removed at the end, come what may."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from garrison import defaults as d
from garrison.derive.mesh import config_ref
from garrison.graph import Graph, Ref
from garrison.manifest import Manifest
from garrison.prove import forge, opening, pods
from garrison.prove.data import STORE
from garrison.prove.expected import services, sources
from garrison.prove.kubectl import Kubectl
from garrison.prove.model import API, FREE, Party, Probe, ProveError
from garrison.prove.pods import LABEL
from garrison.prove.world import Subject, World, impersonated, subjects

READY_SECONDS = 120
CLEANED = "networkpolicies,pods,configmaps"


@dataclass
class Session:
    """What a run has on the cluster, and where it finds its targets."""

    kubectl: Kubectl
    graph: Graph
    image: str
    say: Callable[[str], None]
    run: str = field(default_factory=lambda: secrets.token_hex(3))
    forged: forge.Forged = field(default_factory=dict)
    tokens: dict[Subject, str] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return f"garrison-probe-{self.run}"

    def pod_of(self, party: Party, *, opened: bool = False) -> Ref:
        """Where the probes of a party run; with `opened`, its copy that makes no demands on callers."""
        namespace = self.namespace if party == FREE else party.namespace
        names = {"stray": "undeclared", "free": "free"}
        stem = names.get(party.role) or f"{party.name}{'-database' if party.role == 'database' else ''}"
        return Ref(namespace, f"garrison-probe-{stem}{'-open' if opened else ''}")

    # --- making ------------------------------------------------------------------------------------------------------

    def start(self, probes: Collection[Probe]) -> None:
        """Everything the probes need, ready; ProveError says what is missing."""
        self.kubectl.apply([_namespace(self.namespace, self.run)])
        foreign = {impersonated(p, self.graph) for p in probes if _credential(p).startswith("foreign")}
        if foreign:
            self.kubectl.apply(forge.manifests(self.graph, sorted(foreign), self.namespace, self.run))
        used = {p.source for p in probes} | {p.target for p in probes if p.target.role in ("free", "stray")}
        opened = {p.target for p in probes if p.phase == "identity open"}
        self.kubectl.apply(self._pods(used, opened))
        self.say(f"waiting for {len(used & set(sources(self.graph))) + len(opened)} probe pods")
        if foreign:
            self._wait("certificates", "--all", f"--namespace={self.namespace}", condition="Ready")
            found = self.kubectl.items("secrets", namespace=self.namespace)
            self.forged = forge.read(found, sorted(foreign))
        self._wait("pods", f"--selector={LABEL}={self.run}", "--all-namespaces", condition="ContainersReady")

    def _pods(self, used: Collection[Party], opened: Collection[Party]) -> Iterator[Manifest]:
        for party in sources(self.graph):
            if party in used:
                yield self._pod(party)
        for party in services(self.graph):
            if party in opened:
                config = self.pod_of(party, opened=True)
                live = self.kubectl.get("configmap", config_ref(party.ref).name, party.namespace)
                meta = {"name": config.name, "namespace": config.namespace, "labels": {LABEL: self.run}}
                data = opening.identity(live["data"])
                yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
                yield self._clone(party, config.name, config.name)

    def _pod(self, party: Party) -> Manifest:
        where = self.pod_of(party)
        if party.role == "service":
            return self._clone(party, where.name, "")
        owner = None
        if party.role == "database":
            owner = self.kubectl.get("statefulset", party.name, party.namespace)
        return pods.stand_in(party, where, run=self.run, image=self.image, owner=owner)

    def _clone(self, party: Party, name: str, config: str) -> Manifest:
        live = self.kubectl.get("deployment", party.name, party.namespace)
        port = self.graph.by_ref[party.ref].port
        return pods.clone(live, name=name, run=self.run, image=self.image, port=port, config=config)

    def _wait(self, *what: str, condition: str) -> None:
        code, _, err = self.kubectl.attempt(
            "wait", *what, f"--for=condition={condition}", f"--timeout={READY_SECONDS}s", timeout=READY_SECONDS + 10
        )
        if code:
            raise ProveError(f"the probes' {what[0]} are not ready: {self._why() or err.strip()}")

    def _why(self) -> str:
        """What the kubelet says about probe pods that do not start."""
        found = self.kubectl.items("pods", selector=f"{LABEL}={self.run}")
        return "; ".join(sorted({reason for pod in found for reason in pods.complaints(pod)}))

    # --- finding -----------------------------------------------------------------------------------------------------

    def world(self, probes: Iterable[Probe], admin: Ref) -> World:
        """Addresses as they are now, and the tokens these probes need."""
        own = {
            Ref(p["metadata"]["namespace"], p["metadata"]["name"]): p["status"].get("podIP", "")
            for p in self.kubectl.items("pods", selector=f"{LABEL}={self.run}")
        }
        addresses = {party: pod["status"]["podIP"] for party, pod in self.targets().items()}
        listening = [p for p in sources(self.graph) if p.role in ("free", "stray") and self.pod_of(p) in own]
        addresses |= {party: own[self.pod_of(party)] for party in listening}
        addresses[API] = self.kubectl.get("service", "kubernetes", "default")["spec"]["clusterIP"]
        opened = {p: own[ref] for p in services(self.graph) if (ref := self.pod_of(p, opened=True)) in own}
        needed = {subject for probe in probes for subject in subjects(probe, admin)}
        self.tokens |= {subject: self.token(*subject) for subject in sorted(needed - set(self.tokens))}
        return World(self.graph, addresses, opened, self.forged, self.tokens, admin)

    def targets(self) -> dict[Party, Manifest]:
        """One ready pod of every workload: the first by name, so that two runs take the same."""
        found: dict[Party, Manifest] = {}
        live = [*self.kubectl.items("pods", selector=f"{d.NAME},!{LABEL}")]
        for pod in sorted(live, key=lambda pod: str(pod["metadata"]["name"])):
            ref = Ref(pod["metadata"]["namespace"], pod["metadata"]["labels"][d.NAME])
            for party in (*services(self.graph), *_databases(self.graph), STORE):
                if party.ref == ref and pods.ready(pod):
                    found.setdefault(party, pod)
        return found

    def token(self, whose: str, audience: str) -> str:
        """A service account token as a pod would get it, good for the ten minutes that are the least to be had."""
        ref = Ref.parse(whose)
        flags = [f"--namespace={ref.namespace}", f"--audience={audience}", "--duration=10m"]
        return self.kubectl.run("create", "token", ref.name, *flags).strip()

    # --- opening and leaving -----------------------------------------------------------------------------------------

    @contextmanager
    def open_network(self) -> Iterator[None]:
        """For the probe pods alone, and only inside the `with`."""
        namespaces = [*self.graph.namespaces]
        if self.graph.uses or self.graph.reads:
            namespaces.append(d.STORE_NAMESPACE)
        self.kubectl.apply(opening.network(namespaces, self.run))
        try:
            yield
        finally:
            self.kubectl.delete("networkpolicies", "--all-namespaces", f"--selector={LABEL}={self.run}")

    def clear(self, *, everything: bool = False) -> None:
        """Remove what this run made; with `everything`, what any earlier run left."""
        which = f"--selector={LABEL}" if everything else f"--selector={LABEL}={self.run}"
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
        interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # cleaning up is not worth interrupting
        try:
            session.clear()
        finally:
            signal.signal(signal.SIGINT, interrupt)
            signal.signal(signal.SIGTERM, before)


def _credential(probe: Probe) -> str:
    return str(getattr(probe.attempt, "credential", ""))


def _databases(graph: Graph) -> list[Party]:
    return [Party("database", database.ref.namespace, database.ref.name) for database in graph.databases]


def _namespace(name: str, run: str) -> Manifest:
    labels = {LABEL: run, "pod-security.kubernetes.io/enforce": d.POD_SECURITY}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
