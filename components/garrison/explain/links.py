"""What a picture of the graph shows: its parts, and what leads from one to another.

A noun is one function here that says what part or links a row of it is, and a place in the tables `NODES` and `LINKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from garrison import defaults as d
from garrison.explain.allowed import API
from garrison.model import conditions
from garrison.model.calls import Operation
from garrison.model.hosts import Host
from garrison.model.issuers import Issuer
from garrison.model.parts import Parts
from garrison.model.routes import Route
from garrison.words import Ref

WEAK: Final = "one layer less: binds every address"
SPEAKS: Final[Mapping[str, tuple[str, ...]]] = {"http": (), "grpc": ("gRPC",), "tcp": ("TCP",)}
CONTROL_PLANE: Final = Ref("control plane", API)  # no service has such a name


class Shape(StrEnum):
    """What a part is, in the words of the legend."""

    HOST = "host for users"
    EDGE = "the edge, the one way in"
    ISSUER = "issuer of users' tokens"
    SERVICE = "service"
    TCP = "service that speaks TCP"
    WORKER = "worker, nobody's callee"
    JOB = "job, nobody's callee"
    DATABASE = "database"
    SECRET = "secret"  # noqa: S105 words, no password
    ELSEWHERE = "workload of another App"
    OUTSIDE = "host outside"
    API = "Kubernetes API"


class Kind(StrEnum):
    """What a link is, in the words of the legend."""

    WAY_IN = "from outside"
    PUBLIC = "for anybody"
    TOKEN = "with a user's token"  # noqa: S105 words, no password
    CALL = "a declared call"
    CONNECTION = "a TCP connection: identity only, operations not checked"
    LEASE = "leased credentials"
    READ = "reads a secret"
    RIGHT = "rights in the Kubernetes API"


@dataclass(frozen=True)
class Node:
    """One part. `under`: what is said below its name. `namespace`: whose frame it stands in, empty for none.

    `weak`: which layer less it has than others of its shape, empty for none.
    """

    key: str
    shape: Shape
    name: str
    under: str
    namespace: str = ""
    weak: str = ""


@dataclass(frozen=True)
class Link:
    """Who (`start`) may do what (`lines`) at whom (`end`); `title`: who it is, where the start's name says too little.

    `fine` is what only a table and a large picture have room for: the condition and the hosts.
    """

    start: str
    end: str
    kind: Kind
    title: str = ""
    lines: tuple[str, ...] = ()
    fine: tuple[str, ...] = ()


def nodes(parts: Parts) -> Iterator[Node]:
    """Hosts first, then the edge and who else knows users, then what is declared, namespace by namespace."""
    for each in NODES:
        yield from each(parts)


def links(parts: Parts) -> Iterator[Link]:
    """Everything that leads from one part to another."""
    for each in LINKS:
        yield from each(parts)


def _doors(parts: Parts) -> Iterator[Node]:
    for host in parts.hosts:
        yield Node(host_key(host.name), Shape.HOST, host.name, _enters(parts, host))
    if not parts.hosts:
        return
    for issuer in parts.issuers:
        if issuer.embedded:
            yield Node(host_key(issuer.login), Shape.HOST, issuer.login, f"where {issuer.name} log in")
    yield Node(str(d.EDGE), Shape.EDGE, "edge", "the one way in; else 404")
    for issuer in parts.issuers:
        what = "embedded issuer" if issuer.embedded else f"issuer, {issuer.url.removeprefix('https://')}"
        yield Node(_issuer(issuer.name), Shape.ISSUER, issuer.name, what)


def _services(parts: Parts) -> Iterator[Node]:
    for service in parts.services:
        shape = Shape.WORKER if not service.port else Shape.TCP if service.protocol == "tcp" else Shape.SERVICE
        ports = [f"port {service.port}"] if service.port else ["no port"]
        ports += [f"{port.name} {port.number}" for port in parts.ports_of.get(service.ref, ())]
        volume = [f"volume {size}" for _, size in service.container.volumes]
        under = ", ".join([*SPEAKS[service.protocol][: bool(service.port)], *ports, *volume])
        weak = WEAK if service.bind == "all" else ""
        yield Node(str(service.ref), shape, service.name, under, service.namespace, weak)


def _jobs(parts: Parts) -> Iterator[Node]:
    for job in parts.jobs:
        yield Node(str(job.ref), Shape.JOB, job.name, job.schedule or "once", job.namespace)


def _elsewhere(parts: Parts) -> Iterator[Node]:
    """Those of other Apps that a call begins or ends at."""
    for ref in dict.fromkeys(end for call in parts.calls for end in (call.caller, call.callee)):
        if other := parts.elsewhere_of.get(ref):
            yield Node(str(ref), Shape.ELSEWHERE, ref.name, f"of App {other.name}", ref.namespace)


def _outside(parts: Parts) -> Iterator[Node]:
    """Callees without a namespace are hosts outside."""
    for ref in dict.fromkeys(call.callee for call in parts.calls if not call.callee.namespace):
        yield Node(str(ref), Shape.OUTSIDE, ref.name, "outside the cluster")


def _databases(parts: Parts) -> Iterator[Node]:
    for database in parts.databases:
        yield Node(str(database.ref), Shape.DATABASE, database.ref.name, "PostgreSQL", database.ref.namespace)


def _secrets(parts: Parts) -> Iterator[Node]:
    """Each path once; in the frame of its readers, where they are of one namespace."""
    readers: dict[str, set[str]] = {}
    for read in parts.reads:
        readers.setdefault(read.path, set()).add(read.service.namespace)
    for path, spaces in readers.items():
        yield Node(secret_key(path), Shape.SECRET, path, "secret", next(iter(spaces)) if len(spaces) == 1 else "")


def _api(parts: Parts) -> Iterator[Node]:
    if parts.permissions:
        yield Node(str(CONTROL_PLANE), Shape.API, CONTROL_PLANE.name, CONTROL_PLANE.namespace)


def _entries(parts: Parts) -> Iterator[Link]:
    """From the hosts to the edge, and from there to who knows users."""
    edge = str(d.EDGE)
    for host in parts.hosts:
        yield Link(host_key(host.name), edge, Kind.WAY_IN)
    for issuer in parts.issuers if parts.hosts else ():
        if issuer.embedded:
            yield Link(host_key(issuer.login), edge, Kind.WAY_IN)
            yield Link(edge, _issuer(issuer.name), Kind.PUBLIC, "anybody", ("its login pages",))
        else:
            yield Link(edge, _issuer(issuer.name), Kind.CALL, "edge", (_asked(issuer),))


def _served(parts: Parts) -> Iterator[Link]:
    """One link for each service and audience, with the hosts at which all of its operations are served."""
    short = {host.name: host.name.partition(".")[0] for host in parts.hosts}
    names = short if len(set(short.values())) == len(short) else {name: name for name in short}
    at: dict[Route, list[str]] = {}
    for route in parts.routes:
        key = Route(route.service, route.operation, "", route.issuer, route.group, route.public and "-", route.where)
        at.setdefault(key, []).append(names[route.host])
    together: dict[tuple[Ref, bool, str, str, str], list[str]] = {}
    for route, hosts in at.items():
        where = f"where {conditions.words(route.where)}" if route.where else ""
        who = _audience(route, len(parts.issuers) > 1)
        key_ = (route.service, bool(route.public), who, where, f"at {', '.join(hosts)}")
        together.setdefault(key_, []).append(str(route.operation))
    for (service, public, who, where, hosts_), operations in together.items():
        kind = Kind.PUBLIC if public else Kind.TOKEN
        fine = (where, hosts_) if where else (hosts_,)
        yield Link(str(d.EDGE), str(service), kind, who, tuple(operations), fine)


def _calls(parts: Parts) -> Iterator[Link]:
    for call in parts.calls:
        kind = Kind.CONNECTION if call.connects else Kind.TOKEN if call.forwards else Kind.CALL
        grpc = parts.protocols.get(call.target) == "grpc"
        said = [_method(one) if grpc else str(one) for one in call.operations] or ["connects, operations not checked"]
        port = (f"at its port {call.port}",) if call.port else ()
        yield Link(str(call.caller), str(call.callee), kind, call.caller.name, tuple(said), port)


def _method(operation: Operation) -> str:
    """What a gRPC operation is called by people: `Cart/GetItem`, without its package."""
    return operation.path.rpartition(".")[2].removeprefix("/")


def _uses(parts: Parts) -> Iterator[Link]:
    for use in parts.uses:
        yield Link(str(use.service), str(use.database), Kind.LEASE, use.service.name, (f"as {use.role}",))


def _reads(parts: Parts) -> Iterator[Link]:
    for read in parts.reads:
        held = tuple(f"in the variable {name}" for name, _ in read.valued)  # seen by more than one in a file
        yield Link(str(read.service), secret_key(read.path), Kind.READ, read.service.name, held)


def _rights(parts: Parts) -> Iterator[Link]:
    for ref, permissions in parts.permissions_of.items():
        said = tuple(f"{' '.join(p.verbs)} {p}" for p in permissions)
        yield Link(str(ref), str(CONTROL_PLANE), Kind.RIGHT, ref.name, said)


NODES: tuple[Callable[[Parts], Iterable[Node]], ...] = (
    *(_doors, _services, _jobs, _databases, _secrets, _elsewhere, _outside, _api),
)
LINKS: tuple[Callable[[Parts], Iterable[Link]], ...] = (_entries, _served, _calls, _uses, _reads, _rights)


def _audience(route: Route, several: bool) -> str:
    """For whom, with the issuer where there is more than one."""
    if route.public:
        return "anybody"
    who = f"group {route.group}" if route.group else "any user"
    return f"{who} of {route.issuer}" if several else who


def _enters(parts: Parts, host: Host) -> str:
    if host.login:
        return f"browsers, {host.login} log in"
    issuers = sorted({route.issuer for route in parts.routes if route.host == host.name and route.issuer})
    return f"tokens of {', '.join(issuers)}" if issuers else "for anybody"


def _asked(issuer: Issuer) -> str:
    return "about each opaque token" if issuer.introspect else "its keys"


def host_key(name: str) -> str:
    """The key of a host: in capitals, so the key of nothing that is declared otherwise."""
    return f"Host {name}"


def secret_key(path: str) -> str:
    """The key of a path in the secret store."""
    return f"Secret {path}"


def _issuer(name: str) -> str:
    return f"Issuer {name}"
