"""What hosts, issuers and routes have to keep among each other, and with the services behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from garrison import defaults as d
from garrison.errors import did_you_mean
from garrison.manifest import compact
from garrison.model.breach import Breach, Place
from garrison.model.calls import ByPath, Operation
from garrison.model.hosts import Host
from garrison.model.issuers import Issuer
from garrison.model.parts import Parts
from garrison.model.routes import Route
from garrison.model.schemas import ContractError
from garrison.words import Ref

MOST: Final = 1_000_000  # bytes; the API server takes 1 MiB in all (core/v1, MaxSecretSize)


def laws(parts: Parts) -> Iterator[Breach]:
    yield from _names(parts)
    yield from _ends(parts)
    yield from _overlaps(parts)
    yield from _contracts(parts)
    yield from _tokens(parts)
    yield from _trust(parts)


def _names(parts: Parts) -> Iterator[Breach]:
    """Hosts, and the embedded issuer's own, are one space of names; issuers are another."""
    hosts: dict[str, Place] = {}
    named: dict[str, Place] = {}
    for index, issuer in enumerate(parts.issuers):
        place = "issuers", index
        yield from issuer.breaches(place)
        if named.setdefault(issuer.name, place) != place:
            what = f"issuer '{issuer.name}' was declared before"
            yield Breach(place, what, "give each a name of its own: name=", also=named[issuer.name])
        if issuer.embedded:
            hosts.setdefault(issuer.login, place)
    for index, host in enumerate(parts.hosts):
        place = "hosts", index
        yield from host.breaches(place)
        if hosts.setdefault(host.name, place) != place:
            yield Breach(place, f"host '{host.name}' was declared before", "declare it once", also=hosts[host.name])
        if host.login:
            yield from _login(place, host, parts.issuer_by_name)
    yield from _labels(parts)
    if parts.hosts:
        for index, namespace in enumerate(parts.namespaces):
            if namespace in d.EDGE_NAMESPACES:
                remedy = "choose another name"
                yield Breach(("namespaces", index), f"namespace {namespace!r} belongs to the edge", remedy)


def _labels(parts: Parts) -> Iterator[Breach]:
    """Certificates and files are called after hosts, with dashes for the dots; key sets after issuers, too."""
    labels = {issuer.login.replace(".", "-"): issuer.login for issuer in parts.issuers if issuer.embedded}
    for index, host in enumerate(parts.hosts):
        label = host.name.replace(".", "-")
        other = labels.setdefault(label, host.name)
        if other != host.name:
            what = f"hosts '{host.name}' and '{other}' differ in '.' and '-' only"
            yield Breach(("hosts", index), what, "rename one of them")
        if label in parts.issuer_by_name:
            what = f"host '{host.name}' and issuer '{label}' would be one name for two things"
            yield Breach(("hosts", index), what, "give the issuer another name")


def _login(place: Place, host: Host, known: Mapping[str, Issuer]) -> Iterator[Breach]:
    if host.login not in known:
        remedy = did_you_mean(host.login, known, "declare it: estate.users() or estate.issuer(...)")
        yield Breach(place, f"'{host.name}' logs in with {host.login!r}, which nobody declared", remedy)
    elif known[host.login].opaque:
        what = f"'{host.name}' logs in with '{host.login}', whose tokens are asked about"
        remedy = "declare that issuer once more, under another name= and without introspect="
        yield Breach(place, what, remedy)
    elif not known[host.login].embedded and not known[host.login].client:
        remedy = "give its client=, client_secret=, authorize= and token="
        yield Breach(place, f"'{host.name}' logs in with '{host.login}', which has no client for it", remedy)


def _ends(parts: Parts) -> Iterator[Breach]:
    services = {service.ref for service in parts.services}
    hosts, issuers = {host.name: host for host in parts.hosts}, {issuer.name for issuer in parts.issuers}
    for index, route in enumerate(parts.routes):
        place = "routes", index
        yield from route.breaches(place)
        if route.service not in services:
            names = {str(ref) for ref in services}
            remedy = did_you_mean(str(route.service), names, "declare it")
            yield Breach(place, f"'{route.operation}' is served by '{route.service}', which nobody declared", remedy)
        if route.host not in hosts:
            remedy = did_you_mean(route.host, hosts, "declare it: estate.host(...)")
            yield Breach(place, f"'{route.operation}' is served at {route.host!r}, which nobody declared", remedy)
        elif hosts[route.host].login and route.operation.path in (d.LOGIN_CALLBACK, d.LOGOUT):
            what = f"'{route.operation}' of '{route.service}' is where sessions at '{route.host}' begin or end"
            yield Breach(place, what, "serve it at another path, or at a host without login")
        elif route.issuer and hosts[route.host].login not in ("", route.issuer):
            what = f"'{route.operation}' is for users of '{route.issuer}' at '{route.host}'"
            remedy = f"use users of '{hosts[route.host].login}', with which browsers log in there, or another host"
            yield Breach(place, what, remedy)
        if route.issuer and route.issuer not in issuers:
            remedy = did_you_mean(route.issuer, issuers, "declare it: estate.users() or estate.issuer(...)")
            yield Breach(place, f"'{route.operation}' is for users of {route.issuer!r}, which nobody declared", remedy)


def _overlaps(parts: Parts) -> Iterator[Breach]:
    """At one host a request has one route: no variable of one stands where another has a word of its own."""
    said: dict[tuple[str, Operation], list[tuple[Route, Place]]] = {}
    known: dict[tuple[str, str], ByPath] = {}
    for index, route in enumerate(parts.routes):
        place: Place = "routes", index
        before = known.setdefault((route.host, route.operation.method), ByPath())
        for operation in before.meeting(route.operation):
            for earlier, where in said[route.host, operation]:
                if route != earlier:
                    what = f"'{route.operation}' and '{operation}' are one request at '{route.host}'"
                    yield Breach(place, what, "serve one of them at another path or host", also=where)
        if (route.host, route.operation) not in said:
            before.add(route.operation)
        said.setdefault((route.host, route.operation), []).append((route, place))


def _contracts(parts: Parts) -> Iterator[Breach]:
    """What a service serves is in its OpenAPI document, where it has one."""
    sizes: dict[tuple[Ref, Operation], int] = {}
    contracts = {service.ref: service.contract for service in parts.services if service.openapi}
    for index, route in enumerate(parts.routes):
        contract = contracts.get(route.service)
        if contract is None or contract.problem:
            continue
        if contract.entry(route.operation.method, route.operation.path) is None:
            known = [" ".join(operation) for operation in contract.operations]
            remedy = did_you_mean(str(route.operation), known, "add it to the document, or do not serve it")
            what = f"'{route.operation}' is not in the OpenAPI document of '{route.service}'"
            yield Breach(("routes", index), what, remedy)
            continue
        try:
            request = contract.request(route.operation.method, route.operation.path)
            sizes[route.service, route.operation] = len(compact(request))
        except ContractError as error:
            what = f"'{route.operation}' of '{route.service}' cannot be held to its OpenAPI document: {error}"
            yield Breach(("routes", index), what, "change the document, or serve the operation without one")
    if (size := sum(sizes.values())) > MOST:
        what = f"the contracts of all routes have {size:,} bytes, more than the {MOST:,} of one ConfigMap"
        yield Breach(("routes", 0), what, "serve fewer operations, or give smaller schemas")


def _tokens(parts: Parts) -> Iterator[Breach]:
    """Who forwards a token has one: some route, or some caller that forwards its own, brings it."""
    forwarding = [(index, call) for index, call in enumerate(parts.calls) if call.forwards]
    with_token = parts.forwarded(route.service for route in parts.routes if route.issuer)
    for index, call in forwarding:
        if call.caller not in with_token:
            what = f"'{call.caller}' would forward a token to '{call.callee}', and is served to no user"
            yield Breach(("calls", index), what, 'serve it to users, or leave token="forward" out')
    opaque = {route.service: route for route in parts.routes if _opaque(parts, route)}
    for index, call in forwarding:
        if route := opaque.get(call.caller):
            what = f"'{call.caller}' would forward tokens of '{route.issuer}', which only the edge can ask about"
            remedy = f"leave token=\"forward\" out, or serve '{route.operation}' from another service"
            yield Breach(("calls", index), what, remedy)


def _opaque(parts: Parts, route: Route) -> bool:
    known = parts.issuer_by_name.get(route.issuer)
    return known is not None and known.opaque


def _trust(parts: Parts) -> Iterator[Breach]:
    """One place has one certificate, so one who vouches for it."""
    known: dict[str, tuple[Issuer, Place]] = {}
    for index, issuer in enumerate(parts.issuers):
        for authority in sorted(issuer.authorities):
            other, also = known.setdefault(authority, (issuer, ("issuers", index)))
            if other.ca != issuer.ca:
                what = f"issuers '{issuer.name}' and '{other.name}' have another ca= for one place, {authority}"
                yield Breach(("issuers", index), what, "give both the same", also=also)
