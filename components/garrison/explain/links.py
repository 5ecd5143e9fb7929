"""What a picture of the graph shows: its parts, and what leads from one to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from garrison import defaults as d
from garrison.explain.allowed import API
from garrison.model import conditions
from garrison.model.graph import Graph, Host, Issuer, Read, Route
from garrison.words import Ref

CONTROL_PLANE: Final = Ref("control plane", API)  # no service has such a name


class Kind(StrEnum):
    """What a link is, in the words of the legend."""

    WAY_IN = "from outside"
    PUBLIC = "for anybody"
    TOKEN = "with a user's token"  # noqa: S105 words, no password
    CALL = "a declared call"
    LEASE = "leased credentials"
    RIGHT = "rights in the Kubernetes API"


@dataclass(frozen=True)
class Node:
    """One part. `under`: what is said below its name; `notes`: what it has or does besides."""

    key: str
    shape: Literal["service", "database", "edge", "host", "issuer", "api"]
    name: str
    under: str
    namespace: str = ""
    notes: tuple[str, ...] = ()


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


def nodes(graph: Graph) -> Iterator[Node]:
    """Hosts first, then the edge and who else knows users, then what is declared, namespace by namespace."""
    for host in graph.hosts:
        yield Node(_host(host.name), "host", host.name, _enters(graph, host))
    if graph.hosts:
        for issuer in graph.issuers:
            if issuer.embedded:
                yield Node(_host(issuer.login), "host", issuer.login, f"where {issuer.name} log in")
        yield Node(str(d.EDGE), "edge", "edge", "the one way in", notes=("anything else: 404",))
        for issuer in graph.issuers:
            what = "embedded issuer" if issuer.embedded else f"issuer, {issuer.url.removeprefix('https://')}"
            yield Node(_issuer(issuer.name), "issuer", issuer.name, what)
    for service in graph.services:
        secrets = tuple(map(_held, graph.reads_by.get(service.ref, ())))
        yield Node(str(service.ref), "service", service.name, service.namespace, service.namespace, secrets)
    for job in graph.jobs:
        secrets = tuple(map(_held, graph.reads_by.get(job.ref, ())))
        yield Node(str(job.ref), "service", job.name, f"job, {job.schedule or 'once'}", job.namespace, secrets)
    for database in graph.databases:
        place = database.ref.namespace
        yield Node(str(database.ref), "database", database.ref.name, place, place)
    if graph.permissions:
        yield Node(str(CONTROL_PLANE), "api", CONTROL_PLANE.name, CONTROL_PLANE.namespace)


def _held(read: Read) -> str:
    """A secret in a variable is seen by more than one in a file."""
    names = ", ".join(name for name, _ in read.valued)
    return f"secret {read.path}" + (f" in {names}" if names else "")


def links(graph: Graph) -> Iterator[Link]:
    """Everything that leads from one part to another."""
    edge = str(d.EDGE)
    for host in graph.hosts:
        yield Link(_host(host.name), edge, Kind.WAY_IN)
    if graph.hosts:
        for issuer in graph.issuers:
            if issuer.embedded:
                yield Link(_host(issuer.login), edge, Kind.WAY_IN)
                yield Link(edge, _issuer(issuer.name), Kind.PUBLIC, "anybody", ("its login pages",))
            else:
                yield Link(edge, _issuer(issuer.name), Kind.CALL, "edge", (_asked(issuer),))
    yield from _served(graph)
    for call in graph.calls:
        kind = Kind.TOKEN if call.forwards else Kind.CALL
        yield Link(str(call.caller), str(call.callee), kind, call.caller.name, tuple(map(str, call.operations)))
    for use in graph.uses:
        yield Link(str(use.service), str(use.database), Kind.LEASE, use.service.name, (use.role,))
    for ref, permissions in graph.permissions_of.items():
        said = tuple(f"{' '.join(p.verbs)} {p}" for p in permissions)
        yield Link(str(ref), str(CONTROL_PLANE), Kind.RIGHT, ref.name, said)


def _served(graph: Graph) -> Iterator[Link]:
    """One link for each service and audience, with the hosts at which all of its operations are served."""
    short = {host.name: host.name.partition(".")[0] for host in graph.hosts}
    names = short if len(set(short.values())) == len(short) else {name: name for name in short}
    at: dict[Route, list[str]] = {}
    for route in graph.routes:
        key = Route(route.service, route.operation, "", route.issuer, route.group, route.public and "-", route.where)
        at.setdefault(key, []).append(names[route.host])
    together: dict[tuple[Ref, bool, str, str, str], list[str]] = {}
    for route, hosts in at.items():
        where = f"where {conditions.words(route.where)}" if route.where else ""
        who = _audience(route, len(graph.issuers) > 1)
        key_ = (route.service, bool(route.public), who, where, f"at {', '.join(hosts)}")
        together.setdefault(key_, []).append(str(route.operation))
    for (service, public, who, where, hosts_), operations in together.items():
        kind = Kind.PUBLIC if public else Kind.TOKEN
        fine = (where, hosts_) if where else (hosts_,)
        yield Link(str(d.EDGE), str(service), kind, who, tuple(operations), fine)


def _audience(route: Route, several: bool) -> str:
    """For whom, with the issuer where there is more than one."""
    if route.public:
        return "anybody"
    who = f"group {route.group}" if route.group else "any user"
    return f"{who} of {route.issuer}" if several else who


def _enters(graph: Graph, host: Host) -> str:
    if host.login:
        return f"browsers, {host.login} log in"
    issuers = sorted({route.issuer for route in graph.routes if route.host == host.name and route.issuer})
    return f"tokens of {', '.join(issuers)}" if issuers else "for anybody"


def _asked(issuer: Issuer) -> str:
    return "about each opaque token" if issuer.introspect else "its keys"


def _host(name: str) -> str:
    return f"Host {name}"  # in capitals, so the key of nothing that is declared


def _issuer(name: str) -> str:
    return f"Issuer {name}"
