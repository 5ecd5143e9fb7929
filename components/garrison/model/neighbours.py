"""The laws of Apps beside each other: one trust domain, no namespace twice, and of each call the half that is ours."""

from __future__ import annotations

from collections.abc import Iterator

from garrison.model.breach import Breach, Place
from garrison.model.calls import Call
from garrison.model.elsewhere import Elsewhere
from garrison.model.externals import is_outside
from garrison.model.parts import Parts


def laws(parts: Parts) -> Iterator[Breach]:
    """Every one that does not hold."""
    taken: dict[str, str] = dict.fromkeys(parts.spaces, parts.name)
    names = {parts.name}
    for index, other in enumerate(parts.elsewhere):
        place: Place = ("elsewhere", index)
        yield from other.breaches(place)
        if other.name in names:
            what = f"App '{other.name}' is there already"
            yield Breach(place, what, "give each App on a cluster a name of its own, and read each graph once")
        names.add(other.name)
        if other.trust_domain != parts.trust_domain:
            what = f"App '{other.name}' is of trust domain {other.trust_domain!r}, this one of {parts.trust_domain!r}"
            remedy = "give both the same on one cluster; what is in another is reached by its host: app.external(...)"
            yield Breach(place, what, remedy)
        for space in other.namespaces:
            if (owner := taken.setdefault(space, other.name)) != other.name:
                what = f"namespace {space!r} is both of App '{owner}' and of App '{other.name}'"
                yield Breach(place, what, _remedy(space))
    for index, call in enumerate(parts.calls):
        yield from _halves(parts, ("calls", index), call)


def _remedy(space: str) -> str:
    gateways = {"edge": "hosts", "users": "users", "egress": "hosts outside"}
    if space in gateways:
        only = f"only one of two Apps on a cluster can have {gateways[space]}"
        return f"{only}: let a service of it stand between them and the other App"
    return "rename it in one of the two: whoever deploys last would take it over"


def _halves(parts: Parts, place: Place, call: Call) -> Iterator[Breach]:
    caller, callee = parts.foreign.get(call.caller), parts.foreign.get(call.callee)
    if caller is None and callee is None:
        return
    if call.forwards:
        what = f"'{call.caller}' would forward users' tokens to '{call.callee}', whose App has other issuers"
        yield Breach(place, what, "leave token= out, and send what the callee needs to know of the user")
    if caller and callee:
        what = f"'{call.caller}' and '{call.callee}' are both elsewhere"
        yield Breach(place, what, "let the program of one of them say it")
    elif caller:
        yield from _of_the_callers(place, call)
    elif not (other := parts.elsewhere_of[call.callee]).lets_in(call):
        yield from _not_admitted(place, call, other)


def _of_the_callers(place: Place, call: Call) -> Iterator[Breach]:
    if is_outside(call.callee):
        what = f"'{call.caller}' is elsewhere, and would leave by the egress gateway of this App"
        yield Breach(place, what, f"let a service of this App call {call.callee.name!r}, and let it call that")
    if call.env or call.alias:
        what = f"how '{call.caller}' finds '{call.callee}' is for its own program to say"
        yield Breach(place, what, "leave env= and alias= out")


def _not_admitted(place: Place, call: Call, other: Elsewhere) -> Iterator[Breach]:
    """The callee says yes first; a caller that began could only be refused."""
    missing = [
        one for one in call.operations if not other.lets_in(Call(call.caller, call.callee, (one,), port=call.port))
    ]
    what = ", ".join(map(str, missing)) or "a connection"
    said = f"connects({call.callee.name})" if call.connects else f"calls({call.callee.name}, ...)"
    remedy = f"let its program say it first: elsewhere(...).service('{call.caller}').{said}; then read its graph again"
    yield Breach(place, f"App '{other.name}' does not let '{call.caller}' do this at '{call.target}': {what}", remedy)
