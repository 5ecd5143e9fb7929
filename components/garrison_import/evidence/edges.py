"""The edges of an application: whom an address means, and which addresses are no evidence."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from garrison.words import Ref
from garrison_import.evidence import policies
from garrison_import.evidence.sightings import Sighting, sightings
from garrison_import.read.parts import Container, Service, ServicePort, Variable, Workload
from garrison_import.read.shapes import mapping, within, word
from garrison_import.read.world import World

SCHEME_PORTS = {
    **dict.fromkeys(("http", "ws"), 80),
    **dict.fromkeys(("https", "wss"), 443),
    **dict.fromkeys(("postgres", "postgresql", "jdbc:postgresql"), 5432),
    **dict.fromkeys(("mysql", "mariadb", "jdbc:mysql", "jdbc:mariadb"), 3306),
    **dict.fromkeys(("redis", "rediss"), 6379),
    "jdbc:sqlserver": 1433,
    "mongodb": 27017,
    "amqp": 5672,
    "nats": 4222,
    "kafka": 9092,
}
_STORES = (
    "postgres postgresql mysql mariadb sqlserver mssql oracle mongodb mongodb+srv redis rediss amqp amqps kafka nats"
)
STORES = frozenset(_STORES.split())
_ADDRESS = re.compile(r"[0-9.]+")
_HERE = ("localhost", "localhost.localdomain", "host.docker.internal")


@dataclass(frozen=True)
class Found:
    """One place that shows an edge, with the name the callee has there."""

    where: str
    name: str
    """`host:port`, as the caller's image knows it."""
    sighting: Sighting | None = None
    """None for what a network policy says."""


@dataclass
class Edge:
    """`caller` calls `callee` at `port`, a number of the callee's pod."""

    caller: Workload
    callee: Workload
    service: Service
    port: int
    found: list[Found] = field(default_factory=list)
    sure_of_port: bool = False
    """Whether something says the port; else it is the first of the Service's."""
    absent: bool = False
    """Whether the callee is in no document: the address says its name, its port and what is spoken."""

    @property
    def schemes(self) -> list[str]:
        return [one.sighting.address.scheme for one in self.found if one.sighting and one.sighting.address.scheme]


@dataclass(frozen=True)
class Undecided:
    """What looks like an edge and may be none: it is not taken, and said."""

    caller: Workload
    name: str
    where: str
    why: str
    remedy: str
    callee: Ref | None = None
    sighting: Sighting | None = None


@dataclass
class Evidence:
    """What the manifests show. `told` are contradictions: where, what, what to do."""

    edges: list[Edge] = field(default_factory=list)
    undecided: list[Undecided] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)
    own: list[tuple[Workload, Sighting]] = field(default_factory=list)
    """Addresses of the workload itself."""
    lacking: list[tuple[Workload, Sighting]] = field(default_factory=list)
    """Addresses of the cluster that are no Service of the documents."""


@dataclass(frozen=True)
class _Meant:
    sighting: Sighting
    service: Service
    callee: Workload
    port: ServicePort | None
    sure: bool


def evidence(world: World) -> Evidence:
    """Every edge that the documents show, once for each pair and port, in the order of the documents."""
    result = Evidence()
    edges: dict[tuple[Ref, Ref, int], Edge] = {}
    names = Names(world)
    meant = {work.ref: list(_meant(work, world, names, result)) for work in world.workloads}
    wide = _wide(world, meant)
    for work in world.workloads:
        for one in meant[work.ref]:
            _take(work, one, wide, edges, result)
    for caller, callee, service, port, where in policies.pairs(world, result.told):
        edge = _edge(edges, caller, callee, service, port.target if port else 0)
        edge.sure_of_port |= port is not None
        edge.found.append(Found(where, f"{service.ref.name}:{port.number if port else service.ports[0].number}"))
    result.edges = list(edges.values())
    _join_unsure(result)
    return result


def _take(
    work: Workload,
    one: _Meant,
    wide: dict[tuple[Ref, str], str],
    edges: dict[tuple[Ref, Ref, int], Edge],
    result: Evidence,
) -> None:
    seen = one.sighting
    if one.callee is work:
        result.own.append((work, seen))
        return
    name = f"{seen.address.host}:{seen.address.port or (one.port.number if one.port else 0)}"
    why = remedy = ""
    if not seen.called:
        why = "what it stands under says where calls come from or go back to, not that it is called"
        remedy = "say the call yourself if it is one"
    elif (work.ref, seen.whole) in wide:
        why, remedy = wide[work.ref, seen.whole], "say which of them it calls"
    if why:
        result.undecided.append(Undecided(work, name, seen.where, why, remedy, one.callee.ref, seen))
        return
    edge = _edge(edges, work, one.callee, one.service, one.port.target if one.port else 0)
    edge.absent = one.callee.kind == "absent"
    edge.sure_of_port |= one.sure
    edge.found.append(Found(seen.where, name, seen))


def _edge(
    edges: dict[tuple[Ref, Ref, int], Edge], caller: Workload, callee: Workload, service: Service, port: int
) -> Edge:
    return edges.setdefault((caller.ref, callee.ref, port), Edge(caller, callee, service, port))


def _join_unsure(result: Evidence) -> None:
    """What names no port is the edge of that pair that is known from elsewhere, where there is one alone."""
    for edge in [one for one in result.edges if not one.sure_of_port]:
        known = [
            one
            for one in result.edges
            if one.sure_of_port and one.caller is edge.caller and one.callee is edge.callee and one is not edge
        ]
        if len(known) == 1:
            known[0].found += edge.found
            result.edges.remove(edge)


class Names:
    """What a name means to a pod of a namespace."""

    def __init__(self, world: World) -> None:
        self._services = {service.ref: service for service in world.services}
        self._spaces = {service.ref.namespace for service in world.services}

    def ref(self, host: str, namespace: str) -> Ref | None:
        """What a host name means there, whether there is such a Service or not; None for a host outside."""
        labels = host.removesuffix(".").split(".")
        if "svc" in labels[1:]:
            return Ref(labels[1], labels[0]) if labels[2:3] == ["svc"] else None
        return Ref(namespace, host) if len(labels) == 1 else None

    def service(self, host: str, namespace: str) -> Service | None:
        """The Service a host name means there; a pod of a StatefulSet is of its headless Service."""
        labels = host.removesuffix(".").split(".")
        if "svc" in labels[1:]:
            labels = labels[: labels.index("svc", 1)]
            if len(labels) < 2:
                return None
            *rest, name, space = labels
        elif len(labels) >= 2 and labels[-1] in self._spaces and Ref(labels[-1], labels[-2]) in self._services:
            *rest, name, space = labels
        else:
            *rest, name = labels
            space = namespace
        service = self._services.get(Ref(space, name))
        if service is None or not rest:
            return service
        pods = [work for work in service.workloads if re.fullmatch(re.escape(work.ref.name) + r"-[0-9]{1,4}", rest[-1])]
        return service if service.headless and len(rest) == 1 and pods else None


def _meant(work: Workload, world: World, names: Names, result: Evidence) -> Iterator[_Meant]:
    """The addresses of a workload that are a Service's; what does not fit is told."""
    everything = list(sightings(work, world))
    for seen in everything:
        host, port = seen.address.host, seen.address.port
        service = names.service(host, work.ref.namespace)
        if service is None:
            _unknown(work, seen, result)
            if (absent := _absent(work, seen, names, world)) is not None:
                yield absent
            continue
        chosen, sure = _port(work, seen, service)
        if chosen is None and port:
            if seen.form == "variable" or seen.address.form == "url":
                ports = ", ".join(str(one.number) for one in service.ports) or "none"
                result.told.append(
                    (
                        f"{work.object} {seen.where}",
                        f"names {host}:{port}, and the Service {service.ref.name} has the ports {ports}",
                        "correct the port on one side; the edge is not taken",
                    )
                )
            continue
        if chosen is not None and not chosen.target:
            continue  # told with the Service
        callee = _callee(work, service, seen, result)
        if callee is not None:
            yield _Meant(seen, service, callee, chosen, sure)


def _absent(work: Workload, seen: Sighting, names: Names, world: World) -> _Meant | None:
    """The address of a database or broker in a variable is a callee, even where its manifests are not here.

    A bare `host:port` may be a setting for something that is not deployed; nobody connects to nothing by its URL.
    """
    address = seen.address
    stores = address.scheme.startswith(("jdbc:", "r2dbc:")) or address.scheme in STORES
    ref = names.ref(address.host, work.ref.namespace)
    number = address.port or SCHEME_PORTS.get(address.scheme, 0)
    if seen.form != "variable" or not stores or ref is None or not number or address.host in _HERE:
        return None
    if any(one.ref == ref for one in world.workloads):
        return None  # it is here, and no Service leads to it: that is told
    nothing = Container("", "", (), (), (), (), (), (), None, {})
    callee = Workload(ref, "absent", {}, nothing, (), (), None, "", "", work.object)
    port = ServicePort("", number, number, "")
    return _Meant(seen, Service(ref, (port,), (), False, "", work.object), callee, port, sure=True)


def _callee(work: Workload, service: Service, seen: Sighting, result: Evidence) -> Workload | None:
    """Who answers for a Service: the one workload that it selects, or the one of its name among several."""
    if len(service.workloads) == 1:
        return service.workloads[0]
    for one in service.workloads:
        if one.ref.name == service.ref.name:
            return one
    if service.workloads:
        several = ", ".join(one.ref.name for one in service.workloads)
        result.undecided.append(
            Undecided(
                work,
                seen.address.host,
                seen.where,
                f"the Service {service.ref.name} leads to several workloads: {several}",
                "say which of them it calls; each has an identity of its own",
                sighting=seen,
            )
        )
    elif not mapping(within(service.object.body, "spec", "selector")):
        outside = word(within(service.object.body, "spec", "externalName")) or "endpoints that somebody else writes"
        result.undecided.append(
            Undecided(
                work,
                seen.address.host,
                seen.where,
                f"the Service {service.ref.name} leads to {outside}, and to no workload of these documents",
                "declare it with app.external() if it is outside of the cluster",
                sighting=seen,
            )
        )
    return None


def _port(work: Workload, seen: Sighting, service: Service) -> tuple[ServicePort | None, bool]:
    """The port of the Service that is meant, and whether that is sure; None where it has no such port."""
    wanted = seen.address.port or _companion(work, seen, service)
    if not wanted and seen.address.form == "url":
        usual = SCHEME_PORTS.get(seen.address.scheme, 0)
        if any(one.number == usual for one in service.ports):
            wanted = usual
        elif seen.address.scheme in ("http", "https", "ws", "wss") and len(service.ports) != 1:
            return None, False
    for one in service.ports:
        if wanted == one.number or (service.headless and wanted and wanted == one.target):
            return one, True
    if wanted:
        return None, False
    if not service.ports:
        return None, False
    return service.ports[0], len(service.ports) == 1


def _companion(work: Workload, seen: Sighting, service: Service) -> int:
    """The port that stands in a variable beside the one of the host: DB_HOST and DB_PORT."""
    if not seen.variable or seen.address.form not in ("name", "cluster"):
        return 0
    box = next(one for one in work.containers if one.name == seen.container)
    beside = port_beside(box, seen.variable, {port.number for port in service.ports})
    return int(beside.value or 0) if beside else 0


def port_beside(box: Container, variable: str, ports: Collection[int]) -> Variable | None:
    """The variable that has the port of a host's variable: beside ORDER_QUEUE_HOSTNAME that is ORDER_QUEUE_PORT.

    Any number under its very name counts, which may be a contradiction. Under a longer one, as FLAGD_OFREP_PORT beside
    FLAGD_HOST, one of the Service's ports does, where there is one such variable alone.
    """
    match = re.search(r"(?i)(host ?name|host|address|addr|server|endpoint|fqdn)$", variable)
    if not match:
        return None
    stem, last = variable[: match.start()], match[0]
    port = "PORT" if last.isupper() else "Port" if last[:1].isupper() else "port"
    exact = {stem + port, variable + ("_PORT" if last.isupper() else "Port"), variable + port}
    numbers = [one for one in box.variables if one.value and one.value.isascii() and one.value.isdigit()]
    for one in numbers:
        if one.name in exact and len(one.value or "") < 6:
            return one
    near = [
        one
        for one in numbers
        if stem and one.name.startswith(stem) and one.name.endswith(port) and one.value in {str(port) for port in ports}
    ]
    return near[0] if len(near) == 1 else None


def _unknown(work: Workload, seen: Sighting, result: Evidence) -> None:
    """An address that is no Service's: of this cluster, then it is lacking here; or of a host outside."""
    address = seen.address
    host = address.host
    if seen.form == "file" and address.form != "cluster" and ".svc" not in host:
        return
    if host in _HERE or _ADDRESS.fullmatch(host) or not seen.called or address.form == "name":
        return
    if "." in host and ".svc" not in f"{host}." and not host.endswith((".local", ".internal")):
        if seen.form != "file" and address.form in ("url", "pair"):
            result.undecided.append(
                Undecided(
                    work,
                    f"{host}:{address.port or SCHEME_PORTS.get(address.scheme, 443)}",
                    seen.where,
                    "is outside of the cluster, and may be a mere link",
                    "declare it with app.external() if the workload calls it",
                    sighting=seen,
                )
            )
    elif seen.form == "variable" or ".svc" in host:
        result.lacking.append((work, seen))
        result.told.append(
            (
                f"{work.object} {seen.where}",
                f"names {host}{f':{address.port}' if address.port else ''}, which is no Service of these documents",
                "give the manifests it is in as well, or leave the setting out",
            )
        )


def _wide(world: World, meant: dict[Ref, list[_Meant]]) -> dict[tuple[Ref, str], str]:
    """Workload and ConfigMap, imported or mounted whole, where that it is there does not mean that all of it is used.

    A list of addresses that has the workload's own was not made for it. One of several addresses that several
    workloads import was made for all of them together. One that names a single callee is taken at its word.
    """
    importers: dict[Ref, dict[Ref, set[Ref]]] = defaultdict(dict)
    for work in world.workloads:
        for one in meant[work.ref]:
            if one.sighting.whole:
                config = Ref(work.ref.namespace, one.sighting.whole)
                importers[config].setdefault(work.ref, set()).add(one.callee.ref)
    found = {}
    for config, named_by in importers.items():
        callees = set().union(*named_by.values())
        strangers = [ref for ref in named_by if ref not in callees]
        for ref in named_by:
            if len(callees) < 2:
                continue
            if ref in callees:
                found[ref, config.name] = (
                    f"ConfigMap {config.name} has the address of {ref.name} itself, so it was not made for it"
                )
            elif len(strangers) > 1:
                found[ref, config.name] = f"ConfigMap {config.name} has several addresses and serves several workloads"
    return found


def told_once(told: Iterable[tuple[str, str, str]]) -> Sequence[tuple[str, str, str]]:
    """Each once, in order."""
    return tuple(dict.fromkeys(told))
