"""The law of two Apps: an estate in one program, and the same in two that say each other's halves, are the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from garrison import App, Graph, render
from garrison.declare.calls import CallStatement
from garrison.declare.elsewhere import ElsewhereStatement, seen
from garrison.declare.jobs import JobStatement
from garrison.declare.namespaces import NamespaceStatement
from garrison.declare.services import PortStatement, ServiceStatement
from garrison.model.externals import is_outside
from garrison.words import Ref
from unit.estates import IMAGES, apps
from unit.mixed import mixed

Said = NamespaceStatement | ServiceStatement | JobStatement | PortStatement | CallStatement


def calling(app: App) -> list[Said]:
    """The workloads of an estate and the calls between them, without users, stores and what is outside."""
    kinds = NamespaceStatement | ServiceStatement | JobStatement | PortStatement | CallStatement
    said = [one for one in app.statements if isinstance(one, kinds)]
    return [one for one in said if not isinstance(one, CallStatement) or _within(one)]


def _within(call: CallStatement) -> bool:
    return call.token == "none" and not is_outside(Ref.near(call.callee, call.caller))


def homes(said: Said) -> set[str]:
    """The namespaces that a statement is about."""
    match said:
        case NamespaceStatement(name=name):
            return {name}
        case PortStatement(service=ref) | ServiceStatement(ref=ref) | JobStatement(ref=ref):
            return {ref.namespace}
        case CallStatement(caller=caller, callee=callee):
            return {caller.namespace, Ref.near(callee, caller).namespace}


def declared(name: str, said: list[Said], other: Graph | None = None, *calls: CallStatement) -> Graph:
    app = App(name, trust_domain="estate.example", images=IMAGES)
    more = [ElsewhereStatement("here:1", seen(other, name))] if other else []
    for one in (*said, *more, *calls):
        app.add(one)
    return app.graph()


def divided(said: list[Said], mine: set[str]) -> tuple[Graph, Graph]:
    """Two Apps, the first with these namespaces; each lets the other's calls in before anybody says its own."""
    across = [one for one in said if isinstance(one, CallStatement) and homes(one) & mine and homes(one) - mine]
    first = [one for one in said if homes(one) <= mine]
    second = [one for one in said if not homes(one) & mine]
    to_first = [one for one in across if Ref.near(one.callee, one.caller).namespace in mine]
    to_second = [one for one in across if one not in to_first]
    bare = declared("second", second)
    admitting = declared("first", first, bare, *_halves(to_first))
    whole = declared("second", second, admitting, *_halves(to_second), *to_first)
    return declared("first", first, whole, *_halves(to_first), *to_second), whole


def _halves(calls: list[CallStatement]) -> Iterator[CallStatement]:
    """What a callee's program says of them: not how the caller finds it."""
    for one in calls:
        said = {
            name: getattr(one, name)
            for name in ("where", "caller", "callee", "operations", "port", "connects", "timeout")
        }
        yield CallStatement(**said)


def protections(graphs: tuple[Graph, ...]) -> dict[tuple[str, str, str], Any]:
    """What lets through and refuses, without the App's name on it."""
    found: dict[tuple[str, str, str], Any] = {}
    for item in (item for graph in graphs for item in render(graph)):
        key = (
            item["kind"],
            item["metadata"]["namespace"] if item["kind"] != "Namespace" else "",
            item["metadata"]["name"],
        )
        assert key not in found, "made by both"
        if item["kind"] == "NetworkPolicy":
            found[key] = _sorted(item["spec"])
        elif item["kind"] == "ConfigMap" and "envoy.json" in item["data"]:
            found[key] = {**json.loads(item["data"]["envoy.json"]), "node": None}
        else:
            found[key] = item.get("spec", {}) if item["kind"] in ("Service", "Certificate", "ResourceQuota") else None
    return found


def _sorted(spec: dict[str, Any]) -> dict[str, Any]:
    return {name: sorted(map(json.dumps, part)) if isinstance(part, list) else part for name, part in spec.items()}


@settings(max_examples=40, deadline=None)
@given(apps(), st.data())
def test_one_program_and_two_make_the_same(app: App, data: st.DataObject) -> None:
    said = calling(app)
    one = declared("one", said)
    spaces = sorted(one.namespaces)
    assume(len(spaces) > 1)
    mine = data.draw(st.sets(st.sampled_from(spaces), min_size=1, max_size=len(spaces) - 1))
    assert protections(divided(said, mine)) == protections((one,))


def test_the_law_is_of_calls_that_go_over() -> None:
    """The control, of a larger estate with jobs and further ports: without the halves the two differ from the one."""
    said = calling(mixed(60))
    across = [one for one in said if isinstance(one, CallStatement) and len(homes(one) & {"n0", "n1"}) == 2]
    assert len(across) > 30
    apart = [one for one in said if one not in across]
    one = protections((declared("one", said),))
    assert protections(divided(said, {"n0"})) == one
    assert protections(divided(apart, {"n0"})) != one
