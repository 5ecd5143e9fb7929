"""Looking things up on the cluster: live objects, addresses as they are now, service account tokens."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from garrison import defaults as d
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.prove.expect import elsewhere
from garrison.prove.expect.data import STORE
from garrison.prove.expect.expected import databases, services, sources
from garrison.prove.expect.outside import METADATA, NODE, externals
from garrison.prove.kubectl import Kubectl
from garrison.prove.look import pods
from garrison.prove.look.forge import Forged
from garrison.prove.look.pods import GATEWAYS, LABEL, Variant
from garrison.prove.look.world import Place, Subject, World, subjects
from garrison.prove.model import API, GATEWAY, Party, Probe, ProveError
from garrison.words import Ref

TOKEN_SECONDS = 300  # tokens are good for ten minutes, the least there is; half of that is enough for any batch


@dataclass
class Finder:
    """What one run knows of the cluster; what may change is asked for each time."""

    kubectl: Kubectl
    graph: Graph
    run: str
    api: str = ""
    tokens: dict[Subject, tuple[float, str]] = field(default_factory=dict)
    live: dict[str, dict[Ref, Manifest]] = field(default_factory=dict)

    def find(self, kind: str, ref: Ref) -> Manifest:
        """An object of the estate as it was when first asked for."""
        if kind not in self.live:
            found = self.kubectl.items(kind, selector=f"{d.MANAGED_BY}={d.MANAGER}")
            self.live[kind] = {Ref(i["metadata"]["namespace"], i["metadata"]["name"]): i for i in found}
        if ref not in self.live[kind]:
            raise ProveError(f"{kind} {ref} is not on the cluster: run `pulumi up` first")
        return self.live[kind][ref]

    def targets(self, live: Sequence[Manifest] | None = None) -> dict[Party, list[Manifest]]:
        """Every ready pod of every workload, by name."""
        ours, theirs = (*services(self.graph), *databases(self.graph)), elsewhere.parties(self.graph)
        parties = {party.ref: party for party in (*ours, *theirs, STORE, GATEWAY)}
        found: dict[Party, list[Manifest]] = {}
        some = self._pods() if live is None else live
        for pod in sorted(some, key=lambda pod: str(pod["metadata"]["name"])):
            labels = pod["metadata"]["labels"]
            party = parties.get(Ref(pod["metadata"]["namespace"], labels[d.NAME]))
            if party and LABEL not in labels and pods.ready(pod):
                found.setdefault(party, []).append(pod)
        for party in externals(self.graph):  # where the way to them begins
            found[party] = found.get(GATEWAY, [])
        return found

    def world(self, probes: Collection[Probe], admin: Ref, forged: Forged) -> World:
        """Addresses as they are now, and the tokens these probes need."""
        live = self._pods()
        own = {_ref(pod): _place(pod) for pod in live if pod["metadata"]["labels"].get(LABEL) == self.run}
        addresses = {party: tuple(map(_place, found)) for party, found in self.targets(live).items()}
        for party in sources(self.graph):
            if party.role in ("free", "stray") and (where := pods.where(party, self.run)) in own:
                addresses[party] = (own[where],)
        addresses[API] = (Place(self._api_address()),)
        if self.graph.leaves:
            nodes = node_addresses(self.kubectl.items("nodes"))
            addresses |= {METADATA: (Place(METADATA.name),), NODE: tuple(Place(node) for node in nodes)}
        copies = {party: self._copies(party, own) for party in services(self.graph)}
        opened = {party: self._copies(party, own, "-open") for party in services(self.graph)}
        needed = sorted({subject for probe in probes for subject in subjects(probe, admin)})
        tokens = {subject: self.token(*subject) for subject in needed}
        gateways = {way: self._copies(GATEWAY, own, variant) for way, variant in GATEWAYS.items()}
        return World(self.graph, addresses, opened, copies, forged, tokens, admin, gateways=gateways)

    def _copies(self, party: Party, own: Mapping[Ref, Place], variant: Variant = "") -> tuple[Place, ...]:
        names = (pods.where(party, self.run, variant, replica) for replica in range(len(own)))
        return tuple(own[name] for name in names if name in own)

    def token(self, whose: str, audience: str) -> str:
        """A service account token as a pod of that account would get it."""
        made, token = self.tokens.get((whose, audience), (0.0, ""))
        if not token or time.monotonic() - made > TOKEN_SECONDS:
            ref = Ref.parse(whose)
            flags = [f"--namespace={ref.namespace}", f"--audience={audience}", "--duration=10m"]
            made, token = time.monotonic(), self.kubectl.run("create", "token", ref.name, *flags).strip()
            self.tokens[whose, audience] = made, token
        return token

    def _pods(self) -> list[Manifest]:
        return self.kubectl.items("pods", selector=d.NAME)

    def _api_address(self) -> str:
        self.api = self.api or str(self.kubectl.get("service", "kubernetes", "default")["spec"]["clusterIP"])
        return self.api


def _place(pod: Manifest) -> Place:
    return Place(str(pod["status"].get("podIP", "")), pod["metadata"]["name"])


def _ref(pod: Manifest) -> Ref:
    return Ref(pod["metadata"]["namespace"], pod["metadata"]["name"])


def node_addresses(nodes: Iterable[Manifest]) -> list[str]:
    """Where the nodes can be reached, as the API server knows them."""
    kinds = ("InternalIP", "ExternalIP")
    return sorted({a["address"] for n in nodes for a in n["status"].get("addresses", ()) if a["type"] in kinds})
