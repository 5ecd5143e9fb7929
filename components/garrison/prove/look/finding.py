"""Looking things up on the cluster: live objects, addresses as they are now, service account tokens."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from garrison import defaults as d
from garrison.cluster import Store
from garrison.derive.secrets import PLATFORM
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
    store: Store = PLATFORM
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
        if not self.store.platform:
            found |= self._foreign_store()
        for party in externals(self.graph):  # where the way to them begins
            found[party] = found.get(GATEWAY, [])
        return found

    def _foreign_store(self) -> dict[Party, list[Manifest]]:
        """The pods of a store that somebody else runs in this cluster; one that is elsewhere has none to be seen."""
        if not self.store.namespace:
            return {}
        chosen = ",".join(f"{key}={value}" for key, value in self.store.labels)
        there = self.kubectl.items("pods", namespace=self.store.namespace, selector=chosen)
        return {STORE: [pod for pod in there if pods.ready(pod)]}

    def at_store(self) -> tuple[Place, ...]:
        """Where the secret store is: its pods, or its addresses."""
        if self.store.ranges:
            return addresses_of(self.store)
        return tuple(map(_place, self.targets().get(STORE, ())))

    def world(self, probes: Collection[Probe], admin: Ref, forged: Forged) -> World:
        """Addresses as they are now, and the tokens these probes need."""
        live = self._pods()
        own = {_ref(pod): _place(pod) for pod in live if pod["metadata"]["labels"].get(LABEL) == self.run}
        addresses = {party: tuple(map(_place, found)) for party, found in self.targets(live).items()}
        if self.store.ranges:
            addresses[STORE] = addresses_of(self.store)
        for party in sources(self.graph, self.store):
            if party.role in ("free", "stray") and (where := pods.where(party, self.run)) in own:
                addresses[party] = (own[where],)
        addresses[API] = (Place(self._api_address()),)
        if self.graph.leaves:
            nodes = node_addresses(self.kubectl.items("nodes"))
            addresses |= {METADATA: (Place(METADATA.name),), NODE: tuple(Place(node) for node in nodes)}
        copies = {party: self._copies(party, own) for party in services(self.graph)}
        opened = {party: self._copies(party, own, "-open") for party in services(self.graph)}
        needed = sorted({subject for probe in probes for subject in subjects(probe, admin, self.store)})
        tokens = {subject: self.token(*subject) for subject in needed}
        gateways = {way: self._copies(GATEWAY, own, variant) for way, variant in GATEWAYS.items()}
        return World(self.graph, addresses, opened, copies, forged, tokens, admin, self.store, gateways=gateways)

    def copies(self, party: Party, variant: Variant) -> tuple[Place, ...]:
        """Where the run's own copies of a party are now."""
        own = {_ref(pod): _place(pod) for pod in self._pods() if pod["metadata"]["labels"].get(LABEL) == self.run}
        return self._copies(party, own, variant)

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


def addresses_of(store: Store) -> tuple[Place, ...]:
    """Of a store outside the cluster: what its name means to this machine, as far as the cluster's description has it.

    A pod that may not ask for names is told an address.
    """
    ranges = [ipaddress.ip_network(cidr) for cidr in store.ranges]
    try:
        told = {str(row[4][0]) for row in socket.getaddrinfo(store.host, None, type=socket.SOCK_STREAM)}
    except OSError:
        told = {str(one.network_address) for one in ranges if one.num_addresses == 1}
    known = sorted(one for one in told if any(ipaddress.ip_address(one) in wide for wide in ranges))
    if not known:
        raise ProveError(f"{store.host} is at none of {', '.join(store.ranges)} for this machine: see storeRanges")
    return tuple(map(Place, known))


def _place(pod: Manifest) -> Place:
    return Place(str(pod["status"].get("podIP", "")), pod["metadata"]["name"])


def _ref(pod: Manifest) -> Ref:
    return Ref(pod["metadata"]["namespace"], pod["metadata"]["name"])


def node_addresses(nodes: Iterable[Manifest]) -> list[str]:
    """Where the nodes can be reached, as the API server knows them."""
    kinds = ("InternalIP", "ExternalIP")
    return sorted({a["address"] for n in nodes for a in n["status"].get("addresses", ()) if a["type"] in kinds})
