"""What is expected at the secret store and at the databases."""

from __future__ import annotations

from collections.abc import Iterator

from garrison import defaults as d
from garrison.derive.secrets import lease_role, needs_store, store_name
from garrison.model.graph import Graph, Operation, Use
from garrison.prove.model import Attempt, Connect, Kind, Layer, Lease, LogIn, Party, Phase, Probe, Request, StoreRequest
from garrison.words import Ref

STORE = Party("store", d.STORE_NAMESPACE, "openbao")
OWN_TOKEN = "auth/token/lookup-self"  # noqa: S105  a path, not a token
NOBODYS_PATH = "secret/data/garrison-probe"
HEALTH = Operation("GET", "/v1/sys/health")


def at_store(graph: Graph, source: Party) -> Iterator[Probe]:
    """A service reads its own paths and nothing else; whoever needs no secret does not reach the store at all."""
    if source.role != "service" or not needs_store(graph, source.ref):
        yield _store(source, Kind.STORE_PORT, Connect(), "network")
        return
    own = store_name(source.ref)
    for path in own_paths(graph, source.ref) or (OWN_TOKEN,):
        yield _store(source, Kind.OWN_PATH, _read(own, path), None, path)
    for path in (*foreign_paths(graph, source.ref), NOBODYS_PATH):
        yield _store(source, Kind.UNDECLARED_PATH, _read(own, path), "store", path)
    yield from _foreign_logins(graph, source, "closed")
    wrong = StoreRequest(own, OWN_TOKEN, audience="garrison-probe")
    yield _store(source, Kind.WRONG_AUDIENCE, wrong, "store", "login")
    yield _store(source, Kind.PLAINTEXT, Request(HEALTH, tls=False), "identity", str(HEALTH))
    yield _store(source, Kind.OLD_TLS, Request(HEALTH, tls12=True), "identity", str(HEALTH))


def store_alone(graph: Graph, source: Party) -> Iterator[Probe]:
    """With the way to the store opened, a service account without a role of its own still gets nothing."""
    if source.role == "service" and not needs_store(graph, source.ref):
        yield from _foreign_logins(graph, source, "network open")


def at_database(graph: Graph, source: Party, database: Ref) -> Iterator[Probe]:
    """A user of the database enters with a good lease over TLS 1.3 only; nobody else gets as far as a log-in."""
    target = Party("database", database.namespace, database.name)
    uses = [use for use in graph.uses_by.get(source.ref, ()) if use.database == database]
    if source.role != "service" or not uses:
        yield Probe(source, target, d.DATABASE_PORT, Kind.DATABASE_PORT, Connect(), frozenset({"network"}))
        return
    for use in uses:
        yield from _leases(source, target, use)
    yield from _wrong_log_ins(source, target, "closed")


def database_alone(graph: Graph, source: Party, database: Ref) -> Iterator[Probe]:
    """With the way to the database opened, it still lets nobody in who has no lease."""
    if not any(use.database == database for use in graph.uses_by.get(source.ref, ())):
        target = Party("database", database.namespace, database.name)
        yield from _wrong_log_ins(source, target, "network open")


def own_paths(graph: Graph, ref: Ref) -> tuple[str, ...]:
    return tuple(f"secret/data/{read.path}" for read in graph.reads_by.get(ref, ()))


def foreign_paths(graph: Graph, ref: Ref) -> tuple[str, ...]:
    """What others may read and this service may not."""
    reads = {f"secret/data/{read.path}" for read in graph.reads}
    leases = {f"database/creds/{lease_role(use)}" for use in graph.uses}
    mine = {f"database/creds/{lease_role(use)}" for use in graph.uses_by.get(ref, ())}
    return tuple(sorted((reads - set(own_paths(graph, ref))) | (leases - mine)))


def _foreign_logins(graph: Graph, source: Party, phase: Phase) -> Iterator[Probe]:
    for service in graph.workloads:
        if service.ref != source.ref and needs_store(graph, service.ref):
            role = store_name(service.ref)
            path = next(iter(own_paths(graph, service.ref)), OWN_TOKEN)
            yield _store(source, Kind.ANOTHERS_PATH, _read(role, path), "store", f"{path} as {role}", phase)


def _read(role: str, path: str) -> StoreRequest:
    return StoreRequest(role, path, audience=d.STORE_AUDIENCE)


def _store(
    source: Party, kind: Kind, attempt: Attempt, layer: Layer | None, operation: str = "", phase: Phase = "closed"
) -> Probe:
    layers: frozenset[Layer] = frozenset({layer} if layer else ())
    return Probe(source, STORE, d.STORE_PORT, kind, attempt, layers, phase, operation)


def _leases(source: Party, target: Party, use: Use) -> Iterator[Probe]:
    operation = f"log in as {use.role}"
    yield Probe(source, target, d.DATABASE_PORT, Kind.LEASED, Lease(use), operation=operation)
    refused: frozenset[Layer] = frozenset({"database"})
    again, on = Lease(use, "log in again"), Lease(use, "go on")
    for kind, attempt in ((Kind.EXPIRED, again), (Kind.OPEN_SESSION, on)):
        yield Probe(source, target, d.DATABASE_PORT, kind, attempt, refused, operation=operation)


def _wrong_log_ins(source: Party, target: Party, phase: Phase) -> Iterator[Probe]:
    ways: list[tuple[Kind, LogIn, Layer]] = [
        (Kind.PLAINTEXT, LogIn("postgres", tls=False), "database"),
        (Kind.NO_CREDENTIALS, LogIn("garrison-probe"), "database"),
        (Kind.NO_CERTIFICATE, LogIn("openbao"), "database"),
        (Kind.WRONG_AUTHORITY, LogIn("openbao", credential="foreign authority"), "identity"),
        (Kind.OLD_TLS, LogIn("garrison-probe", tls12=True), "identity"),
    ]
    if source.role == "service":
        ways.append((Kind.WRONG_CERTIFICATE, LogIn("openbao", credential="own"), "database"))
    for kind, attempt, layer in ways:
        operation = f"log in as {attempt.user}"
        yield Probe(source, target, d.DATABASE_PORT, kind, attempt, frozenset({layer}), phase, operation)
