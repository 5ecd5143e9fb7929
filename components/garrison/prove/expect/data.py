"""What is expected at the secret store and at the databases."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace

from garrison import defaults as d
from garrison.cluster import Store
from garrison.derive.secrets import PLATFORM, lease_role, needs_store
from garrison.model.graph import Graph, Operation, Use
from garrison.prove.model import Attempt, Connect, Kind, Layer, Lease, LogIn, Party, Phase, Probe, Request, StoreRequest
from garrison.words import Ref

STORE = Party("store", d.STORE_NAMESPACE, "openbao")
OWN_TOKEN = "auth/token/lookup-self"  # noqa: S105  a path, not a token
NOBODYS = "garrison-probe"
HEALTH = Operation("GET", "/v1/sys/health")


def at_store(graph: Graph, source: Party, there: Store) -> Iterator[Probe]:
    """A service reads its own paths and nothing else; whoever needs no secret does not reach the store at all.

    From outside the estate nobody is kept from a store of somebody else's: that is its administrator's affair.
    """
    if source.role == "free" and not there.platform:
        return
    if source.role != "service" or not needs_store(graph, source.ref):
        yield _store(source, there, Kind.STORE_PORT, Connect(), "network")
        return
    own = there.of(source.ref)
    for path in own_paths(graph, source.ref, there) or (OWN_TOKEN,):
        yield _store(source, there, Kind.OWN_PATH, _read(own, path, there), None, path)
    for path in (*foreign_paths(graph, source.ref, there), *strangers_paths(there)):
        yield _store(source, there, Kind.UNDECLARED_PATH, _read(own, path, there), "store", path)
    yield from _foreign_logins(graph, source, there, "closed")
    wrong = StoreRequest(own, OWN_TOKEN, audience="garrison-probe")
    yield _store(source, there, Kind.WRONG_AUDIENCE, wrong, "store", "login")
    yield _store(source, there, Kind.PLAINTEXT, Request(HEALTH, tls=False), "identity", str(HEALTH))
    if there.platform:  # which TLS another store speaks is its administrator's word
        yield _store(source, there, Kind.OLD_TLS, Request(HEALTH, tls12=True), "identity", str(HEALTH))


def store_alone(graph: Graph, source: Party, there: Store) -> Iterator[Probe]:
    """With the way to the store opened, a service account without a role of its own still gets nothing."""
    if source.role == "service" and not needs_store(graph, source.ref):
        yield from _foreign_logins(graph, source, there, "network open")


def is_near(there: Store) -> bool:
    """Whether opening the network opens the way to it: what is opened are private addresses, and never the internet."""
    near = [ipaddress.ip_network(cidr) for cidr in d.API_SERVER_RANGES]
    far = [ipaddress.ip_network(cidr) for cidr in there.ranges]
    return all(any(one.version == wide.version and one.subnet_of(wide) for wide in near) for one in far)  # type: ignore[arg-type]


def at_database(graph: Graph, source: Party, database: Ref, there: Store) -> Iterator[Probe]:
    """A user of the database enters with a good lease over TLS 1.3 only; nobody else gets as far as a log-in."""
    target = Party("database", database.namespace, database.name)
    uses = [use for use in graph.uses_by.get(source.ref, ()) if use.database == database]
    if source.role != "service" or not uses:
        yield Probe(source, target, d.DATABASE_PORT, Kind.DATABASE_PORT, Connect(), frozenset({"network"}))
        return
    for use in uses:
        yield from _leases(source, target, use)
    yield from _wrong_log_ins(source, target, there, "closed")


def database_alone(graph: Graph, source: Party, database: Ref, there: Store) -> Iterator[Probe]:
    """With the way to the database opened, it still lets nobody in who has no lease."""
    if not any(use.database == database for use in graph.uses_by.get(source.ref, ())):
        target = Party("database", database.namespace, database.name)
        yield from _wrong_log_ins(source, target, there, "network open")


def own_paths(graph: Graph, ref: Ref, there: Store = PLATFORM) -> tuple[str, ...]:
    return tuple(there.secret(read.path) for read in graph.reads_by.get(ref, ()))


def foreign_paths(graph: Graph, ref: Ref, there: Store = PLATFORM) -> tuple[str, ...]:
    """What others may read and this service may not."""
    reads = {there.secret(read.path) for read in graph.reads}
    leases = {there.lease(lease_role(use, there)) for use in graph.uses}
    mine = {there.lease(lease_role(use, there)) for use in graph.uses_by.get(ref, ())}
    return tuple(sorted((reads - set(own_paths(graph, ref, there))) | (leases - mine)))


def strangers_paths(there: Store) -> tuple[str, ...]:
    """What nobody declared: of this cluster, and in a store that has others' things, too, beside all that is its."""
    outside = replace(there, prefix="").secret(NOBODYS)
    return tuple(dict.fromkeys((there.secret(NOBODYS), outside)))


def _foreign_logins(graph: Graph, source: Party, there: Store, phase: Phase) -> Iterator[Probe]:
    for service in graph.workloads:
        if service.ref != source.ref and needs_store(graph, service.ref):
            role = there.of(service.ref)
            path = next(iter(own_paths(graph, service.ref, there)), OWN_TOKEN)
            attempt = _read(role, path, there)
            yield _store(source, there, Kind.ANOTHERS_PATH, attempt, "store", f"{path} as {role}", phase)


def _read(role: str, path: str, there: Store) -> StoreRequest:
    return StoreRequest(role, path, audience=there.audience)


def _store(
    source: Party,
    there: Store,
    kind: Kind,
    attempt: Attempt,
    layer: Layer | None,
    operation: str = "",
    phase: Phase = "closed",
) -> Probe:
    layers: frozenset[Layer] = frozenset({layer} if layer else ())
    return Probe(source, STORE, there.port, kind, attempt, layers, phase, operation)


def _leases(source: Party, target: Party, use: Use) -> Iterator[Probe]:
    operation = f"log in as {use.role}"
    yield Probe(source, target, d.DATABASE_PORT, Kind.LEASED, Lease(use), operation=operation)
    refused: frozenset[Layer] = frozenset({"database"})
    again, on = Lease(use, "log in again"), Lease(use, "go on")
    for kind, attempt in ((Kind.EXPIRED, again), (Kind.OPEN_SESSION, on)):
        yield Probe(source, target, d.DATABASE_PORT, kind, attempt, refused, operation=operation)


def _wrong_log_ins(source: Party, target: Party, there: Store, phase: Phase) -> Iterator[Probe]:
    # a workload's certificate is not the store's; where that has an authority of its own, the handshake says so already
    another: Layer = "identity" if there.database_ca else "database"
    ways: list[tuple[Kind, LogIn, Layer]] = [
        (Kind.PLAINTEXT, LogIn("postgres", tls=False), "database"),
        (Kind.NO_CREDENTIALS, LogIn("garrison-probe"), "database"),
        (Kind.NO_CERTIFICATE, LogIn("openbao"), "database"),
        (Kind.WRONG_AUTHORITY, LogIn("openbao", credential="foreign authority"), "identity"),
        (Kind.OLD_TLS, LogIn("garrison-probe", tls12=True), "identity"),
    ]
    if source.role == "service":
        ways.append((Kind.WRONG_CERTIFICATE, LogIn("openbao", credential="own"), another))
    for kind, attempt, layer in ways:
        operation = f"log in as {attempt.user}"
        yield Probe(source, target, d.DATABASE_PORT, kind, attempt, frozenset({layer}), phase, operation)
