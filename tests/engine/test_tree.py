"""The tree of an estate under the real engine: a branch for each service, and the flat layout of before goes over."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from garrison import App
from garrison.cluster import Cluster
from garrison.deployment import derived
from garrison.deployment.emit import UNAWAITED, Estate
from garrison.deployment.vault import StoreConnection
from garrison.manifest import Manifest
from harness.plugin.testing.stack import Failed, Outcome, Stack
from unit.estates import DIGEST, IMAGES

pytest_plugins = ["harness.plugin.testing.fixtures"]
STORE = StoreConnection()
KNOWN = ("Certificate",)  # kinds that this API server does not know


def app(space: str, *names: str, database: bool = True) -> App:
    made = App("tree", trust_domain="tree.example", images=IMAGES)
    here = made.namespace(space)
    for name in names:
        here.service(name, image="registry.example/x" + DIGEST, port=8080)
    if database:
        here.postgres("ledger")
    return made


def deployed(made: App, *, keep_data: bool = False) -> Callable[[], None]:
    """A program whose objects are done when they are there: nothing here runs a pod."""
    what = derived.of(made.graph(), Cluster())
    items = tuple(_done(item) for item in what.manifests if item["kind"] not in KNOWN)

    def program() -> None:
        Estate(replace(what, manifests=items), store=STORE, keep_data=keep_data)

    return program


def _done(item: Manifest) -> Manifest:
    return {**item, "metadata": {**item["metadata"], "annotations": {UNAWAITED: "true"}}}


@pytest.fixture
def space() -> str:
    return f"tree-{secrets.token_hex(3)}"


@pytest.fixture(autouse=True)
def _no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects of the store stay where they were in the tree, and are none of this."""

    def nothing(self: Estate, *_: Any) -> list[pulumi.Resource]:
        return []

    monkeypatch.setattr(Estate, "_store", nothing)


def flat(self: Estate, _: Manifest) -> pulumi.ResourceOptions:
    """The layout of 0.1.0: every object is the estate's own child."""
    return pulumi.ResourceOptions(parent=self)


def place(urn: str) -> tuple[str, str]:
    """The types from the estate down, in short, and the name."""
    types, name = urn.split("::")[2:]
    return " > ".join(one.rpartition(":")[2] for one in types.split("$")), name


def operations(outcome: Outcome) -> dict[tuple[str, str], str]:
    return {place(urn): operation for urn, operation in outcome.each}


def test_a_stack_of_the_flat_layout_changes_nothing_but_its_tree(
    stack: Stack, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = deployed(app(space, "orders", "catalog"))
    with monkeypatch.context() as before:
        before.setattr(Estate, "_place", flat)
        made = operations(stack.up(run=program))
    assert set(made.values()) == {"create"}
    assert ("Estate > StatefulSet", f"{space}/ledger") in made
    parts = {("Estate > Part", f"{space}/{name}") for name in ("orders", "catalog", "ledger")}
    objects = {identifier for item in stack.state() if (identifier := item.get("id"))}
    for outcome in (stack.preview(run=program), stack.up(run=program)):
        found = operations(outcome)
        assert {what for what, operation in found.items() if operation == "create"} == parts
        assert {operation for what, operation in found.items() if what not in parts} == {"same"}, (
            "nothing is made again"
        )
        assert ("Estate > Part > StatefulSet", f"{space}/ledger") in found
        assert ("Estate > Part > ConfigMap", f"{space}/orders-proxy") in found
        assert ("Estate > Namespace", space) in found
        assert ("Estate > NetworkPolicy", f"{space}/default-deny") in found
    assert {item["id"] for item in stack.state() if "id" in item} == objects
    assert set(operations(stack.preview(run=program)).values()) == {"same"}, "and again there is nothing to do"


def test_without_the_alias_everything_would_be_made_again(
    stack: Stack, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test before this one."""
    program = deployed(app(space, "orders", database=False))
    with monkeypatch.context() as before:
        before.setattr(Estate, "_place", flat)
        stack.up(run=program)
    monkeypatch.setattr(pulumi, "Alias", lambda **_: "urn:pulumi:test::plugin-test::none:none:None::none")
    planned = operations(stack.preview(run=program))
    assert "delete" in planned.values()


def test_the_way_back_to_the_flat_layout_is_its_state(
    stack: Stack, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older version knows no aliases of the newer: what is protected stops it, until it has the state of before."""
    now, before = (deployed(app(space), keep_data=keep) for keep in (True, False))
    with monkeypatch.context() as older:
        older.setattr(Estate, "_place", flat)
        stack.up(run=before)
    kept = stack.exported()
    stack.up(run=now)
    monkeypatch.setattr(Estate, "_place", flat)
    with pytest.raises(Failed, match="protect"):
        stack.preview(run=before)
    stack.imported(kept)
    assert set(operations(stack.preview(run=before)).values()) == {"same"}


def test_what_holds_data_is_not_taken_away_until_it_is_said(stack: Stack, space: str) -> None:
    stack.up(run=deployed(app(space, "orders"), keep_data=True))
    protected = {place(str(item["urn"])) for item in stack.state() if item.get("protect")}
    assert protected == {("Estate > Part > StatefulSet", f"{space}/ledger"), ("Estate > Namespace", space)}
    with pytest.raises(Failed, match="protect"):
        stack.up(run=deployed(app(space, "orders", database=False), keep_data=True))
    kept = {place(str(item["urn"])) for item in stack.state()}
    assert protected <= kept
    without_orders = deployed(app(space), keep_data=True)
    gone = operations(stack.up(run=without_orders))
    assert gone["Estate > Part > Deployment", f"{space}/orders"] == "delete", "the control: what holds none goes"
    with pytest.raises(Failed, match="protect"):
        stack.destroy()
    assert protected <= {place(str(item["urn"])) for item in stack.state()}
    stack.up(run=deployed(app(space), keep_data=False))
    stack.destroy()
    assert stack.state() == []


def test_what_is_deployed_is_said_by_the_component(stack: Stack, space: str) -> None:
    stack.up(run=deployed(app(space, "orders")))
    (estate,) = [item for item in stack.state() if item["type"] == "garrison:index:Estate"]
    said = estate["outputs"]
    assert said["identities"] == {f"{space}/orders": f"spiffe://tree.example/ns/{space}/sa/orders"}
    assert said["addresses"] == {
        f"{space}/orders": f"orders.{space}.svc.cluster.local:8443",
        f"{space}/ledger": f"ledger.{space}.svc.cluster.local:5432",
    }
    assert said["graph"]["name"] == "tree"
