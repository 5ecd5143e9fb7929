"""Every generated protection, and how to take it away: the list that the drill works through."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field

from garrison import defaults as d
from garrison.cluster import Store
from garrison.derive.mesh import config_ref
from garrison.derive.names import (
    ACCESS_RULES,
    CERTIFICATE_REQUESTS,
    CERTIFICATES,
    DEFAULT_DENY,
    SERVER_SETTINGS,
    admission_policy,
    guards_another,
)
from garrison.derive.secrets import PLATFORM, StoreObject, lease_role, store_objects
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.model.names import database_config
from garrison.prove.drill.keep import name
from garrison.prove.expect.expected import expected, namespaces
from garrison.prove.kubectl import Kubectl
from garrison.prove.look.opening import anywhere, without
from garrison.prove.look.pods import Variant
from garrison.prove.model import API, GATEWAY, Kind, Layer, Lease, Party, Probe, Review
from garrison.words import Ref

Affected = Callable[[Probe], bool]
POD_SECURITY = "pod-security.kubernetes.io/enforce"
KINDS = {  # the probe that must notice each cut of a proxy's configuration
    "authorisation": Kind.UNDECLARED,
    "client certificate": Kind.NO_CERTIFICATE,
    "trust domain": Kind.WRONG_DOMAIN,
    "TLS version": Kind.OLD_TLS,
    "callers' names": Kind.UNDECLARED_IDENTITY,
    "whole handshakes": Kind.RESUMED,
    "removal of claims": Kind.CLAIMED,  # heard by the applications of the run's own copies
    "users' tokens": Kind.WITHOUT_TOKEN,
    "callee's name": Kind.IMPOSTOR,  # what callers demand; the others are demanded of them
}
AFTER_THE_HANDSHAKE = (Kind.UNDECLARED, Kind.UNDECLARED_IDENTITY, Kind.CLAIMED, Kind.WITHOUT_TOKEN)
TELLING = (  # one kind for each way through the network; all connect anew: a policy spares connections that exist
    Kind.DIRECT,
    Kind.NO_CERTIFICATE,
    Kind.UNDECLARED_DESTINATION,
    Kind.DATABASE_PORT,
    Kind.LEASED,
    Kind.STORE_PORT,
    Kind.OWN_PATH,
    Kind.AROUND,
    Kind.WAY_OUT,
)
GATEWAY_KINDS: Mapping[
    str, tuple[Kind, Layer]
] = {  # the probe that must notice each cut of the gateway's configuration
    "authorisation": (Kind.UNDECLARED, "authorization"),
    "client certificate": (Kind.NO_CERTIFICATE, "identity"),
    "exact callers": (Kind.UNDECLARED_HOST, "identity"),
    "TLS version": (Kind.OLD_TLS, "identity"),
    "whole handshakes": (Kind.RESUMED, "identity"),
    "applications' own handshakes": (Kind.OTHER_HOST, "authorization"),
    "hosts' certificates": (Kind.WRONG_HOST, "identity"),
    "the rule about addresses": (Kind.STEERED, "authorization"),
}
BY_COPIES: Mapping[str, Variant] = {"hosts' certificates": "-mistaken", "the rule about addresses": "-steered"}
EVERY_VERB = ("get", "list", "watch", "create", "update", "patch", "delete")  # one by one: "*" is refused at admission
OPEN_DOOR = "host all all all trust\n"


@dataclass(frozen=True)
class Cut:
    """One protection taken away. `weaker` has what replaces the originals; what is not in it is deleted."""

    what: str
    layer: Layer
    affected: Affected
    originals: tuple[Manifest, ...] = ()
    weaker: tuple[Manifest, ...] = ()
    store: StoreObject | None = None
    weaker_store: StoreObject | None = None
    restart: tuple[Ref, ...] = ()
    copies: tuple[Party, ...] = ()  # whose copies are made anew: they read the configuration, too
    variant: Variant = ""
    open_network: bool = False
    everyone: tuple[Party, ...] = field(default=())
    """Targets at each of which the cut must be noticed; with none, one notice is enough."""


def cuts(graph: Graph, kubectl: Kubectl, store: Store = PLATFORM) -> Iterator[Cut]:
    """In the order of the layers, from the live objects; each concerns a probe of the graph."""
    probes = expected(graph, store=store)
    yield from _network(graph, kubectl, probes, store)
    yield from _rights(graph, kubectl)
    yield from _proxies(graph, kubectl, probes)
    yield from _gateway(graph, kubectl, probes)
    yield from _databases(graph, kubectl)
    yield from _store(graph, store)
    yield from _admission(graph, kubectl)


def _network(graph: Graph, kubectl: Kubectl, probes: Collection[Probe], store: Store) -> Iterator[Cut]:
    for namespace in namespaces(graph, store):
        for live in kubectl.items("networkpolicies", namespace=namespace, selector=f"{d.MANAGED_BY}={d.MANAGER}"):
            ref = Ref(namespace, live["metadata"]["name"])
            affected = _through(ref)
            if ref.name == DEFAULT_DENY or any(p.expected == "allowed" and affected(p) for p in probes):
                yield Cut(f"{name(live)} deleted", "network", affected, (live,))
            # else nobody is let through by it: without it the default still refuses everything
            wide = deepcopy(live)
            wide["spec"] |= {"ingress": [{"from": anywhere()}], "egress": [{"to": anywhere()}]}
            yield Cut(f"{name(live)} opened", "network", affected, (live,), (wide,))


def _through(policy: Ref) -> Affected:
    """The probes of the workload that a policy is named after; a namespace's default is for undeclared pods."""

    def affected(probe: Probe) -> bool:
        ends = [end for end in (probe.source, probe.target) if end.namespace == policy.namespace]
        if not any(end.name == policy.name for end in ends):
            ends = [end for end in ends if end.role == "stray" and policy.name == DEFAULT_DENY]
        inside = probe.source.role not in ("outside", "deployer") and probe.target != API
        return probe.phase == "closed" and bool(ends) and inside and probe.kind in TELLING

    return affected


def _rights(graph: Graph, kubectl: Kubectl) -> Iterator[Cut]:
    """A Role that grants more is noticed where it must not, and one that is gone where it must."""
    for ref in graph.permissions_of:
        affected, live = _reviewed(ref), kubectl.get("role", ref.name, ref.namespace)
        rules = [{**rule, "verbs": list(EVERY_VERB)} for rule in live["rules"]]
        yield Cut(f"{name(live)} with every verb", "rbac", affected, (live,), ({**live, "rules": rules},))
        yield Cut(f"{name(live)} deleted", "rbac", affected, (live,))


def _reviewed(account: Ref) -> Affected:
    def affected(probe: Probe) -> bool:
        return isinstance(probe.attempt, Review) and probe.source.ref == account

    return affected


def _proxies(graph: Graph, kubectl: Kubectl, probes: Collection[Probe]) -> Iterator[Cut]:
    """All services at once, and each must be noticed: the probes of one do not depend on another's proxy."""
    refs = [one.ref for one in graph.workloads]
    configs = {ref: kubectl.get("configmap", config_ref(ref).name, ref.namespace) for ref in refs}
    for cut, kind in KINDS.items():
        layer: Layer = "authorization" if kind in AFTER_THE_HANDSHAKE else "identity"
        affected = _of_kind(kind, layer)
        mine = [probe for probe in probes if affected(probe)]
        everyone = tuple(sorted({probe.target for probe in mine}))
        callers = tuple(sorted({probe.source for probe in mine})) if kind == Kind.IMPOSTOR else ()
        copies = callers or (everyone if kind == Kind.CLAIMED else ())
        restart = () if copies else tuple(party.ref for party in everyone)
        originals = tuple(configs[party.ref] for party in copies or everyone)
        weaker = tuple({**live, "data": without(cut, live["data"])} for live in originals)
        what = f"proxy configurations without {cut}"
        if mine:
            yield Cut(
                what,
                layer,
                affected,
                originals,
                weaker,
                restart=restart,
                copies=copies,
                variant="-misled" if callers else "",
                open_network=True,
                everyone=everyone,
            )


def _gateway(graph: Graph, kubectl: Kubectl, probes: Collection[Probe]) -> Iterator[Cut]:
    """The way out. What it demands of hosts is seen at copies of it, which read the same configuration."""
    if not graph.leaves:
        return
    live = kubectl.get("configmap", config_ref(d.EGRESS).name, d.EGRESS.namespace)
    for cut, (kind, layer) in GATEWAY_KINDS.items():
        affected = _at_exit(kind, layer)
        if any(affected(probe) for probe in probes):
            variant = BY_COPIES.get(cut, "")
            yield Cut(
                f"egress gateway without {cut}",
                layer,
                affected,
                (live,),
                ({**live, "data": without(cut, live["data"])},),
                restart=() if variant else (d.EGRESS,),
                copies=(GATEWAY,) if variant else (),
                variant=variant,
                open_network=True,
            )


def _at_exit(kind: Kind, layer: Layer) -> Affected:
    def affected(probe: Probe) -> bool:
        return probe.target.role == "external" and probe.kind == kind and layer in probe.layers

    return affected


def _of_kind(kind: Kind, layer: Layer) -> Affected:
    """Where that layer refuses: over TCP the handshake has refused already what a rule would. What callers demand they
    demand of callees of another App, too, whose own proxies are not ours to weaken.
    """
    roles = ("service", "elsewhere") if kind == Kind.IMPOSTOR else ("service",)

    def affected(probe: Probe) -> bool:
        return probe.target.role in roles and probe.kind == kind and layer in probe.layers

    return affected


def _databases(graph: Graph, kubectl: Kubectl) -> Iterator[Cut]:
    for database in graph.databases:
        ref = database.ref
        live = kubectl.get("configmap", database_config(ref), ref.namespace)
        local = [line for line in live["data"][ACCESS_RULES].splitlines() if line.startswith("local")]
        open_door = {**live["data"], ACCESS_RULES: "\n".join([*local, OPEN_DOOR])}  # its own probes still pass
        old_tls = {**live["data"]}
        old_tls[SERVER_SETTINGS] += "ssl_min_protocol_version = 'TLSv1.2'\n"
        changes: list[tuple[str, Layer, dict[str, str]]] = [
            ("access rules", "database", open_door),
            ("TLS version", "identity", old_tls),
        ]
        for what, layer, data in changes:
            weaker = ({**live, "data": data},)
            title = f"database {ref} without its {what}"
            yield Cut(title, layer, _at_database(ref), (live,), weaker, restart=(ref,), open_network=True)


def _at_database(ref: Ref) -> Affected:
    def affected(probe: Probe) -> bool:
        behind_network = probe.phase == "network open" or (probe.phase == "closed" and "network" not in probe.layers)
        return probe.target == Party("database", ref.namespace, ref.name) and behind_network and bool(probe.layers)

    return affected


def _store(graph: Graph, store: Store) -> Iterator[Cut]:
    for item in store_objects(graph, store):
        if item.path.startswith(store.leases("")):
            endless = StoreObject(item.path, {**item.body, "revocation_statements": ["SELECT 1;"]})
            what = f"secret store {item.path} without an end"
            yield Cut(what, "database", _ended(item.path, store), store=item, weaker_store=endless)
        if item.path.startswith(store.policy("")):
            wide = StoreObject(item.path, {"policy": f'{item.body["policy"]}\npath "*" {{ capabilities = ["read"] }}'})
            yield _store_cut(item, wide, "opened")
            yield _store_cut(item, None, "deleted")
        elif item.path.startswith(store.login("")):
            anyone = {"bound_service_account_names": ["*"], "bound_service_account_namespaces": ["*"]}
            yield _store_cut(item, StoreObject(item.path, {**item.body, **anyone}), "for every service account")
            yield _store_cut(item, StoreObject(item.path, {**item.body, "audience": ""}), "for every audience")
            yield _store_cut(item, None, "deleted")


def _ended(path: str, store: Store) -> Affected:
    def affected(probe: Probe) -> bool:
        lease = probe.attempt
        return isinstance(lease, Lease) and bool(lease.then) and store.leases(lease_role(lease.use, store)) == path

    return affected


def _store_cut(item: StoreObject, weaker: StoreObject | None, how: str) -> Cut:
    def affected(probe: Probe) -> bool:
        reachable = probe.phase == "network open" or (probe.phase == "closed" and "network" not in probe.layers)
        return probe.target.role == "store" and probe.source.role == "service" and reachable

    what = f"secret store {item.path} {how}"
    return Cut(what, "store", affected, store=item, weaker_store=weaker, open_network=True)


def _admission(graph: Graph, kubectl: Kubectl) -> Iterator[Cut]:
    """Each without the admission policies, where they are installed: they refuse the same, and guard the label."""
    ours = f"{d.MANAGED_BY}={d.MANAGER}"
    bindings = kubectl.items("validatingadmissionpolicybindings", selector=ours)
    policies = tuple(live for live in bindings if not guards_another(live["metadata"]["name"], graph.name))
    for namespace in graph.namespaces:
        affected = _at_namespace(namespace)
        live = kubectl.get("namespace", namespace)
        labels = {k: v for k, v in live["metadata"]["labels"].items() if k != POD_SECURITY}
        weaker = {**live, "metadata": {**live["metadata"], "labels": labels}}
        yield Cut(f"{name(live)} without Pod Security", "admission", affected, (*policies, live), (weaker,))
        for quota in kubectl.items("resourcequotas", namespace=namespace, selector=ours):
            yield Cut(f"{name(quota)} deleted", "admission", affected, (*policies, quota))
    noticed = {CERTIFICATES: Kind.ANOTHERS_IDENTITY, CERTIFICATE_REQUESTS: Kind.REQUEST_BY_HAND}
    for family, kind in noticed.items():
        for live in policies:
            if live["metadata"]["name"] == admission_policy(family):
                yield Cut(f"{name(live)} deleted", "admission", _asked(kind), (live,))


def _asked(kind: Kind) -> Affected:
    return lambda probe: probe.kind == kind


def _at_namespace(namespace: str) -> Affected:
    def affected(probe: Probe) -> bool:
        return probe.target == Party("namespace", namespace)

    return affected
