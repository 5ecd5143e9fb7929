"""The laws of ports and protocols: what is spoken with whom, under which names, and that nothing listens twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from garrison.errors import did_you_mean
from garrison.model.breach import Breach, Place
from garrison.model.calls import GRPC, Call, Target
from garrison.model.parts import Parts
from garrison.words import Ref

MAX_ALIASES = 250  # of one service; each has an address of its own on its loopback
# A name where an address has one: before a port, behind `//` or `@`, or alone.
ADDRESS = re.compile(r"(?:^|//|[@=,;\s])([a-z][-a-z0-9]*(?:\.[-a-z0-9]+)*)(?=[:/,;\s]|$)")


# Variables that name something of their own, and those that speak of an address all the same.
WORD = re.compile(r"[-a-z0-9]+")
ELSE = re.compile(r"(?i)(^|[_.-])(db|database|name|user|username|schema|topic|queue|exchange|vhost|bucket|realm)$")
ADDRESSED = re.compile(r"(?i)host|server|addr|url|uri|endpoint")


def laws(parts: Parts) -> Iterator[Breach]:
    """Every one that does not hold."""
    yield from _protocols(parts)
    yield from _ports(parts)
    yield from _one_way(parts)
    yield from _aliases(parts)
    yield from _settings(parts)


def _protocols(parts: Parts) -> Iterator[Breach]:
    for index, call in enumerate(parts.calls):
        place = "calls", index
        if call.callee not in parts.by_ref and call.callee not in parts.foreign:
            continue
        spoken = parts.protocols.get(call.target)
        if spoken is None:
            yield from _nowhere(parts, place, call)
        elif call.connects and spoken != "tcp":
            what = f"'{call.caller}' connects to '{call.target}', which speaks {spoken}"
            yield Breach(place, what, 'say calls(...) with its operations, or give the port protocol="tcp"')
        elif call.operations and spoken == "tcp":
            what = f"'{call.caller}' calls '{call.target}', which speaks tcp: nobody could check an operation"
            yield Breach(place, what, "say connects(...), or give the port its protocol")
        elif spoken == "grpc":
            for operation in call.operations:
                if operation.method != "POST" or not GRPC.fullmatch(operation.path[1:]):
                    what = f"'{operation}' is no operation of gRPC"
                    yield Breach(place, what, "write 'package.Service/Method'")


def _nowhere(parts: Parts, place: Place, call: Call) -> Iterator[Breach]:
    names = [port.name for port in parts.ports_of.get(call.callee, ())]
    if foreign := parts.foreign.get(call.callee):
        names = [name for name, _ in foreign.ports if name]
        remedy = did_you_mean(call.port, names, "name one that its App gives it" if foreign.ports else "it calls only")
        yield Breach(place, f"'{call.callee}' has no port {call.port!r}, and is elsewhere", remedy)
    elif call.port:
        remedy = did_you_mean(call.port, names, "declare it with port(NAME, NUMBER)")
        yield Breach(place, f"'{call.callee}' has no port {call.port!r}", remedy)
    else:
        remedy = "give it a port" + (f", or name one of {', '.join(names)}" if names else "")
        yield Breach(place, f"'{call.callee}' has no port and cannot be called", remedy)


def _ports(parts: Parts) -> Iterator[Breach]:
    """Each name and each number once, and nothing from outside where nobody speaks HTTP."""
    names: dict[tuple[Ref, str], Place] = {}
    numbers: dict[tuple[Ref, int], Place] = {}
    for index, service in enumerate(parts.services):
        if service.port:
            numbers[service.ref, service.port] = ("services", index)
    for index, port in enumerate(parts.ports):
        place = "ports", index
        if (before := names.setdefault((port.service, port.name), place)) != place:
            yield Breach(place, f"'{port.service}' has a port {port.name!r} already", "name each once", also=before)
        if (before := numbers.setdefault((port.service, port.number), place)) != place:
            what = f"'{port.service}' listens on {port.number} already"
            yield Breach(place, what, "give each port a number of its own", also=before)
    for index, route in enumerate(parts.routes):
        served = parts.by_ref.get(route.service)
        if served and (served.protocol != "http" or not served.port):
            what = f"'{route.service}' speaks {served.protocol if served.port else 'to nobody'}, and is served"
            yield Breach(("routes", index), what, 'only protocol="http" is reached from outside')


def _one_way(parts: Parts) -> Iterator[Breach]:
    """One pair of caller and callee has one time for answers and one alias."""
    first: dict[tuple[Ref, Target], tuple[Call, Place]] = {}
    for index, call in enumerate(parts.calls):
        before, where = first.setdefault((call.caller, call.target), (call, ("calls", index)))
        for word in ("timeout", "alias"):
            mine, theirs = getattr(call, word), getattr(before, word)
            if mine != theirs and (word != "alias" or (mine and theirs)):
                what = f"'{call.caller}' calls '{call.target}' with two values of {word}"
                yield Breach(("calls", index), what, "say the same of each operation", also=where)


def _aliases(parts: Parts) -> Iterator[Breach]:
    first: dict[tuple[Ref, str], tuple[Target, Place]] = {}
    for index, call in enumerate(parts.calls):
        if not call.alias:
            continue
        place = "calls", index
        target, where = first.setdefault((call.caller, call.alias), (call.target, place))
        if target != call.target:
            what = f"'{call.caller}' would find two callees at {call.alias}"
            yield Breach(place, what, "give one of them another alias", also=where)
        caller = parts.by_ref.get(call.caller)
        if caller and caller.bind == "all" and call.alias_port in parts.numbers_of(call.caller).values():
            what = (
                f"'{call.caller}' binds every address of port {call.alias_port}, so {call.alias} could not be there too"
            )
            yield Breach(place, what, "give the address by env=, or let the application listen elsewhere")
    many: dict[Ref, set[str]] = {}
    for caller_ref, alias in first:
        many.setdefault(caller_ref, set()).add(alias.rpartition(":")[0])
    for place, service in parts.placed:
        if len(many.get(service.ref, ())) > MAX_ALIASES:
            what = f"'{service.ref}' has more than {MAX_ALIASES} aliases"
            yield Breach(place, what, "give addresses by env=")


def _settings(parts: Parts) -> Iterator[Breach]:
    """An address is never a setting: it would stay when the call is gone."""
    names = _names(parts)
    for place, service in parts.placed:
        said = [(f"{name}={value!r}", value) for name, value in service.container.env if not _named_else(name, value)]
        said += [(repr(one), one) for one in (*service.container.command, *service.container.args)]
        for what, value in said:
            for host in ADDRESS.findall(value):
                if named := _meant(names, service.ref, host):
                    remedy = f"say it with the call: calls({named.name!r}, ..., env=...), or connects(...)"
                    yield Breach(place, f"{what} of '{service.ref}' names '{named}'", remedy)


def _named_else(variable: str, value: str) -> bool:
    """Whether a word that is also a service's name stands for something else: `POSTGRES_DB=accounts`."""
    return bool(WORD.fullmatch(value) and ELSE.search(variable)) and not ADDRESSED.search(variable)


def _names(parts: Parts) -> Mapping[str, Ref]:
    """Every way to write a service with its namespace, and the hosts outside."""
    ends = ("", ".svc", ".svc.cluster.local")
    known = [*(service.ref for service in parts.services), *parts.foreign]
    within = {f"{ref.name}.{ref.namespace}{end}": ref for ref in known for end in ends}
    return within | {external.host: external.ref for external in parts.externals}


def _meant(names: Mapping[str, Ref], home: Ref, host: str) -> Ref | None:
    """Whom a host is, unless it is the service itself: what it is called, or calls itself, is no call."""
    found = names.get(host) or names.get(f"{host}.{home.namespace}")
    return None if found == home else found
