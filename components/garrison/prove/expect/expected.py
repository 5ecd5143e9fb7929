"""What the live probes must find, computed from the graph alone."""

from __future__ import annotations

from collections.abc import Iterator

from garrison import defaults as d
from garrison.cluster import Store
from garrison.derive.secrets import PLATFORM
from garrison.model.graph import Graph
from garrison.prove.expect import calls, data, elsewhere, outside, rights
from garrison.prove.model import (
    API,
    DEPLOYER,
    EDITOR,
    FREE,
    FREE_PORT,
    GATEWAY,
    NETWORK,
    Admit,
    Certify,
    Connect,
    Kind,
    Layer,
    Name,
    Party,
    Probe,
)

API_PORT = 443
RBAC: frozenset[Layer] = frozenset({"rbac"})
REFUSED: frozenset[Layer] = frozenset({"admission"})
NOT_REFUSED: frozenset[Layer] = frozenset()
ADMISSION = (
    (Admit(Kind.PLAIN_POD), NOT_REFUSED),
    (Admit(Kind.PRIVILEGED_POD), REFUSED),
    (Admit(Kind.NODE_PORT), REFUSED),
)


def expected(graph: Graph, *, layers: bool = True, store: Store = PLATFORM) -> tuple[Probe, ...]:
    """Every probe in a stable order; with `layers` also those in which one layer stands alone."""
    found = [*_closed(graph, store)]
    if layers:
        found += [*_network_alone(graph, store), *_identity_alone(graph, store)]
    return tuple(found)


def services(graph: Graph) -> list[Party]:
    return [Party("service", s.namespace, s.name) for s in graph.services]


def workloads(graph: Graph) -> list[Party]:
    """Whatever has an identity of its own: services, and jobs, which start probes and are the target of none."""
    return [Party("service", one.namespace, one.name) for one in graph.workloads]


def namespaces(graph: Graph, store: Store) -> list[str]:
    """Those of the graph, and its way out's and the platform's secret store's where there are any: all are closed by
    default. A store of somebody else's is in a namespace, if any, that is theirs.
    """
    egress = [d.EGRESS.namespace] if graph.leaves else []
    kept = [store.namespace] if store.platform and (graph.uses or graph.reads) else []
    return [*graph.namespaces, *egress, *kept]


def databases(graph: Graph) -> list[Party]:
    return [Party("database", database.ref.namespace, database.ref.name) for database in graph.databases]


def sources(graph: Graph, store: Store) -> list[Party]:
    """Every place inside the cluster that probes start from."""
    strays = [Party("stray", namespace) for namespace in namespaces(graph, store)]
    return [*workloads(graph), *databases(graph), *([GATEWAY] if graph.leaves else []), *strays, FREE]


def _closed(graph: Graph, store: Store) -> Iterator[Probe]:
    for source in sources(graph, store):
        for target in services(graph):
            if source != target:
                yield from calls.between(graph, source, target)
        for database in graph.databases:
            if source.ref != database.ref:
                yield from data.at_database(graph, source, database.ref, store)
        if graph.uses or graph.reads:
            yield from data.at_store(graph, source, store)
        yield from elsewhere.closed(graph, source)
        yield from outside.closed(graph, source)
        yield from _surroundings(graph, source, store)
    yield from _outside(graph, store)
    yield from _api_server(graph)


def _surroundings(graph: Graph, source: Party, store: Store) -> Iterator[Probe]:
    """Places nobody declared. The undeclared namespace has no policy, so what stops a probe is at the other end."""
    if source == FREE:
        for namespace in namespaces(graph, store):
            stray = Party("stray", namespace)
            yield Probe(FREE, stray, FREE_PORT, Kind.UNDECLARED_DESTINATION, Connect(), NETWORK)
        yield Probe(FREE, API, API_PORT, Kind.CONTROL, Connect())
        return
    yield Probe(source, FREE, FREE_PORT, Kind.UNDECLARED_DESTINATION, Connect(), NETWORK)
    layers = frozenset() if source.role == "service" and source.ref in graph.permissions_of else NETWORK
    yield Probe(source, API, API_PORT, Kind.KUBERNETES_API, Connect(), layers)


def _outside(graph: Graph, store: Store) -> Iterator[Probe]:
    for service in graph.services:
        ports = (d.MTLS_PORT, *graph.numbers_of(service.ref).values(), d.HEALTH_PORT)
        yield from calls.from_outside(Party("service", service.namespace, service.name), ports)
    for database in databases(graph):
        yield from calls.from_outside(database, (d.DATABASE_PORT,))
    if store.platform and (graph.uses or graph.reads):
        yield from calls.from_outside(data.STORE, (store.port,))
    if graph.leaves:
        yield from calls.from_outside(GATEWAY, (d.MTLS_PORT, d.HEALTH_PORT))


def _api_server(graph: Graph) -> Iterator[Probe]:
    """A workload has the declared rights and no other; no namespace takes what Pod Security or its quota forbids."""
    for account in (*workloads(graph), *databases(graph)):
        for review, permitted in rights.reviews(graph, account.ref).items():
            layers = NOT_REFUSED if permitted else RBAC
            kind = Kind.PERMISSION if permitted else Kind.SERVICE_ACCOUNT
            yield Probe(account, API, API_PORT, kind, review, layers, operation=str(review))
    yield from _identities(graph)
    for name in graph.namespaces:
        target = Party("namespace", name)
        for attempt, layers in ADMISSION:
            yield Probe(DEPLOYER, target, API_PORT, attempt.what, attempt, layers, operation=f"create a {attempt.what}")


def _identities(graph: Graph) -> Iterator[Probe]:
    """Whoever may ask for certificates somewhere gets the names of that namespace, and nobody's of the estate."""
    own, by_hand = Certify(Kind.OWN_IDENTITY), Certify(Kind.REQUEST_BY_HAND)
    yield Probe(EDITOR, API, API_PORT, own.what, own, operation="ask for its own identity")
    found: list[tuple[Name, str]] = [("uris", graph.spiffe_id(one.ref)) for one in graph.workloads]
    found += [("uris", graph.spiffe_id(d.EGRESS))] if graph.leaves else []
    hosts = [database.ref for database in graph.databases]
    if graph.uses or graph.reads:
        hosts.append(data.STORE.ref)
        found.append(("commonName", data.STORE.name))  # by which databases know the store
    found += [("dnsNames", f"{ref.name}.{ref.namespace}.svc") for ref in hosts]
    for field, name in found:
        attempt = Certify(Kind.ANOTHERS_IDENTITY, field, name)
        yield Probe(EDITOR, API, API_PORT, attempt.what, attempt, REFUSED, operation=f"ask for {name}")
    yield Probe(EDITOR, API, API_PORT, by_hand.what, by_hand, REFUSED, operation="ask without a Certificate")


def _network_alone(graph: Graph, store: Store) -> Iterator[Probe]:
    for source in sources(graph, store):
        for target in services(graph):
            if source != target:
                yield from calls.network_alone(graph, source, target)


def _identity_alone(graph: Graph, store: Store) -> Iterator[Probe]:
    """With the network opened for the probes. That a source gets out at all is the control of its refusals before."""
    for source in sources(graph, store):
        if source != FREE:
            yield Probe(source, FREE, FREE_PORT, Kind.CONTROL, Connect(), phase="network open")
        for target in services(graph):
            if source != target:
                yield from calls.identity_alone(graph, source, target)
        for database in graph.databases:
            if source.ref != database.ref:
                yield from data.database_alone(graph, source, database.ref, store)
        if (graph.uses or graph.reads) and data.is_near(store):
            yield from data.store_alone(graph, source, store)
        yield from elsewhere.their_half(graph, source)
        yield from outside.identity_alone(graph, source)
