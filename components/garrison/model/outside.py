"""The laws of hosts outside: each is declared once, is nobody's here, is used in one way, and sees no user's token."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from garrison import defaults as d
from garrison.errors import did_you_mean
from garrison.model.breach import Breach, Place
from garrison.model.calls import Call
from garrison.model.externals import is_outside
from garrison.model.parts import Parts
from garrison.words import Ref

METHOD: Final = re.compile(r"/[A-Za-z_]\w*(\.[A-Za-z_]\w*)+/[A-Za-z_]\w*")  # /package.Service/Method


def laws(parts: Parts) -> Iterator[Breach]:
    """Every one that does not hold."""
    yield from _declared(parts)
    yield from _ways(parts)
    if parts.externals:
        for index, name in enumerate(parts.namespaces):
            if name == d.EGRESS.namespace:
                what = f"namespace {name!r} belongs to the egress gateway"
                yield Breach(("namespaces", index), what, "choose another name")


def _declared(parts: Parts) -> Iterator[Breach]:
    first: dict[Ref, Place] = {}
    ours = {host.name: ("hosts", index) for index, host in enumerate(parts.hosts)}
    ours |= {issuer.login: ("issuers", index) for index, issuer in enumerate(parts.issuers) if issuer.embedded}
    for index, external in enumerate(parts.externals):
        place = "externals", index
        yield from external.breaches(place)
        if (before := first.setdefault(external.ref, place)) != place:
            what = f"'{external.authority}' was declared before"
            yield Breach(place, what, "declare it once, and use it as often as you like", also=before)
        if external.host in ours:
            remedy = "call the service that serves there: what is within does not leave and come back"
            yield Breach(place, f"'{external.host}' is a host of this estate", remedy, also=ours[external.host])


def _ways(parts: Parts) -> Iterator[Breach]:
    known = [external.ref for external in parts.externals]
    first: dict[tuple[Ref, Ref], tuple[Call, Place]] = {}
    for index, call in enumerate(parts.calls):
        if not is_outside(call.callee):
            continue
        place, host = ("calls", index), call.callee.name
        if call.callee not in known:
            remedy = did_you_mean(host, [ref.name for ref in known], f"declare it: app.external({host!r})")
            yield Breach(place, f"'{call.caller}' names host {host!r}, which nobody declared", remedy)
        if call.token != "none":  # noqa: S105 a way to call
            what = f"'{call.caller}' would hand users' tokens to {host!r}"
            yield Breach(place, what, "leave token= out; whoever has a user's token is that user here")
        if call.port:
            yield Breach(
                place, f"{host!r} has no port {call.port!r}", "declare it with its port: external(HOST, port=)"
            )
        for operation in (one for one in call.operations if one.method == "POST" and METHOD.fullmatch(one.path)):
            remedy = "say connects(...), which carries it in the application's own TLS; caller and host are checked"
            yield Breach(place, f"'{operation}' at {host!r} is gRPC, and requests leave as HTTP/1.1", remedy)
        before, where = first.setdefault((call.caller, call.callee), (call, place))
        if before.connects != call.connects:
            what = f"'{call.caller}' calls {host!r} and connects to it"
            remedy = "say calls(...), where operations are checked, or connects(...), where nobody sees them"
            yield Breach(place, what, remedy, also=where)
