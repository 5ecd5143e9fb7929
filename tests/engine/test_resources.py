"""What Pulumi gets is what render gives: nothing lost, nothing added, nothing changed on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pulumi
import pytest
from pulumi.runtime import Mocks
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs

from garrison import App, IntentError, deploy, render
from garrison import defaults as d
from garrison.cluster import Cluster, Store
from garrison.deployment.admission import Admission
from garrison.deployment.emit import UNAWAITED
from garrison.deployment.vault import StoreConnection, StoreError, checking
from garrison.derive.secrets import store_objects
from garrison.derive.users import users_objects
from garrison.manifest import Manifest, identity
from garrison_policies.places import whole
from unit.estates import IMAGES, any_app, shop_app
from unit.served import served_app

STORE = StoreConnection(namespace="openbao", audience="openbao", address=None, ca_file=None)


class Recorder(Mocks):
    """Remembers every registration, in order."""

    def __init__(self) -> None:
        self.seen: list[MockResourceArgs] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        self.seen.append(args)
        return args.name, args.inputs

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"nothing is looked up: {args.token}")


def run(program: Callable[[], object], recorder: Recorder | None = None) -> Recorder:
    recorder = recorder or Recorder()
    pulumi.runtime.set_mocks(recorder, preview=False)
    pulumi.runtime.test(program)()  # type: ignore[no-untyped-call]
    return recorder


def _with_a_loop() -> None:
    """Pulumi asks for the thread's loop, which a test before this one has taken away with `asyncio.run`."""
    try:
        asyncio.get_event_loop_policy().get_event_loop()
    except RuntimeError:
        asyncio.set_event_loop(asyncio.new_event_loop())


def kubernetes(recorder: Recorder) -> list[Manifest]:
    """Every object but for the note that no Service is waited for, which is Pulumi's."""
    return [_plain(args.inputs) for args in recorder.seen if args.typ.startswith("kubernetes:")]


def _plain(item: Manifest) -> Manifest:
    if UNAWAITED not in item.get("metadata", {}).get("annotations", {}):
        return item
    notes = {key: text for key, text in item["metadata"]["annotations"].items() if key != UNAWAITED}
    rest = {key: value for key, value in item["metadata"].items() if key != "annotations"}
    return {**item, "metadata": {**rest, **({"annotations": notes} if notes else {})}}


def test_no_service_is_waited_for_so_that_none_keeps_pulumi_from_the_pods_behind_it() -> None:
    recorder = run(lambda: deploy(shop_app(), guard="elsewhere", store=STORE))
    services = [args.inputs for args in recorder.seen if args.typ == "kubernetes:core/v1:Service"]
    assert services
    assert {item["metadata"]["annotations"][UNAWAITED] for item in services} == {"true"}


def test_every_manifest_arrives_unchanged() -> None:
    recorder = run(lambda: deploy(shop_app(), guard="elsewhere", store=STORE))
    wanted = render(shop_app().graph())
    got = kubernetes(recorder)
    assert sorted(got, key=identity) == sorted(wanted, key=identity), "each once, and nothing beside them"


def test_names_and_types_are_those_people_know() -> None:
    recorder = run(lambda: deploy(shop_app(), guard="elsewhere", store=STORE))
    registered = {(args.typ, args.name) for args in recorder.seen}
    assert ("kubernetes:networking.k8s.io/v1:NetworkPolicy", "shop/orders") in registered
    assert ("kubernetes:core/v1:Namespace", "shop") in registered
    assert ("garrison:index:Estate", "estate") in registered


def test_the_store_gets_what_is_derived() -> None:
    recorder = run(lambda: deploy(shop_app(), guard="elsewhere", store=STORE))
    names = {args.name for args in recorder.seen}
    assert {wanted.path for wanted in store_objects(shop_app().graph())} <= names


def test_a_job_comes_when_whoever_it_calls_is_there() -> None:
    recorder = run(
        lambda: deploy(any_app(), guard="elsewhere", cluster=Cluster(api_server=("172.18.0.2/32",)), store=STORE)
    )
    kinds = [args.typ.rpartition(":")[2] for args in recorder.seen]
    first = min(kinds.index(kind) for kind in ("Job", "CronJob"))
    assert max(place for place, kind in enumerate(kinds) if kind in ("Deployment", "StatefulSet")) < first


def test_an_adjustment_is_seen_and_nothing_else() -> None:
    def adjust(item: Manifest) -> Manifest:
        if item["kind"] == "Service":
            item["metadata"]["annotations"] = {"team": "shop"}
        return item

    recorder = run(lambda: deploy(shop_app(), guard="elsewhere", store=STORE, adjust=adjust))
    changed = [m for m in kubernetes(recorder) if m not in render(shop_app().graph())]
    assert {m["kind"] for m in changed} == {"Service"}


def test_secrets_without_a_store_are_refused() -> None:
    recorder = Recorder()
    with pytest.raises(IntentError, match=r"needs the secret store .* none is given; give deploy\(store="):
        run(lambda: deploy(shop_app(), guard="elsewhere"), recorder)
    assert recorder.seen == [], "before anything is registered"


def test_everything_that_is_not_given_is_refused_at_once_and_before_anything_is_registered() -> None:
    recorder = Recorder()
    with pytest.raises(IntentError) as error:
        run(lambda: deploy(served_app(foreign=True)), recorder)
    said = str(error.value)
    assert "nobody is given who guards estate at admission; use garrison_stack.run(app), or give guard=" in said
    assert "needs the secret store" in said
    assert "nobody who keeps them is given" in said
    assert recorder.seen == []


def guarded_by(app: App) -> None:
    """Deploys the shop with a guard made for `app`."""
    deploy(shop_app(), guard=Admission(whole.manifests(app.graph(), Cluster())), store=STORE)


def test_a_guard_is_of_the_same_estate() -> None:
    kinds = [args.typ for args in run(lambda: guarded_by(shop_app())).seen]
    assert "garrison:index:Estate" in kinds, "the control"
    other = App("other", trust_domain="other.example", images=IMAGES)
    other.namespace("other").service("x", image=IMAGES["envoy"], port=8080)
    recorder = Recorder()
    with pytest.raises(IntentError, match="the guard that is given does not guard estate; make its policies"):
        run(lambda: guarded_by(other), recorder)
    assert not [args for args in recorder.seen if args.typ.endswith(":Estate")]
    with pytest.raises(IntentError, match="guard='yes' is no Admission"):
        run(lambda: deploy(shop_app(), guard="yes", store=STORE))  # type: ignore[arg-type]


# --- providers of the program's own ----------------------------------------------------------------------------------


def own(way: str) -> pulumi.ResourceOptions:
    """The ways in which a component's children come to a provider."""
    provider = pulumi.ProviderResource("kubernetes", "own", {"kubeconfig": "..."})
    if way == "parent":
        parent = pulumi.ComponentResource("test:index:Parent", "p", None, pulumi.ResourceOptions(providers=[provider]))
        return pulumi.ResourceOptions(parent=parent)
    given: dict[str, Any] = {"provider": provider, "providers": [provider], "map": {"kubernetes": provider}}
    return pulumi.ResourceOptions(**{"providers" if way == "map" else way: given[way]})


WAYS = ("provider", "providers", "map", "parent")


@pytest.mark.parametrize("way", WAYS)
def test_a_provider_is_refused_where_kubectl_would_go_elsewhere(way: str) -> None:
    recorder = Recorder()
    with pytest.raises(
        IntentError, match=r"opts: a Kubernetes provider .* leave the provider out, and point KUBECONFIG"
    ):
        run(lambda: deploy(shop_app(), guard="elsewhere", store=STORE, opts=own(way)), recorder)
    assert not [args for args in recorder.seen if args.typ.endswith(":Estate")]


@pytest.mark.parametrize("way", WAYS)
def test_a_provider_is_followed_where_nothing_goes_through_kubectl(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAO_TOKEN", "only-for-this-test")
    there = StoreConnection(address="https://store.example:8200", ca_file="/ca.pem")
    recorder = run(lambda: deploy(shop_app(), guard="elsewhere", store=there, opts=own(way)))
    objects = [args for args in recorder.seen if args.typ.startswith("kubernetes:")]
    assert objects
    assert all("::own::" in str(args.provider) for args in objects)
    none = pulumi.ResourceOptions(providers=[])
    assert run(lambda: deploy(shop_app(), guard="elsewhere", store=STORE, opts=none)).seen


OWN = Store(address="https://localhost:1", ranges=("10.1.2.3/32",), prefix="prod", database_client="/x")


def test_a_store_that_is_laid_out_otherwise_than_the_clusters_is_refused() -> None:
    """Pods would look for their secrets where nobody has put them."""
    recorder = Recorder()
    with pytest.raises(IntentError, match="deploy: the store that is given is laid out otherwise than that of the clu"):
        run(lambda: deploy(shop_app(), guard="elsewhere", store=STORE, cluster=Cluster(store=OWN)), recorder)
    assert recorder.seen == []


def test_a_store_of_ones_own_is_asked_before_anything_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setenv("BAO_TOKEN", "only-for-this-test")
    program = partial(deploy, shop_app(), guard="elsewhere", store=StoreConnection.at(OWN), cluster=Cluster(store=OWN))
    with pytest.raises(StoreError, match=r"^secret store https://localhost:1: "):
        run(lambda: program(), recorder)
    assert recorder.seen == []
    monkeypatch.setattr(checking, "lacks", lambda *_, **__: ())
    monkeypatch.setattr(checking, "patiently", lambda where, act, patience: act(None))
    run(lambda: program(), recorder)
    names = {args.name for args in recorder.seen if args.typ.endswith(":StoreObject")}
    assert "sys/policies/acl/prod.bank.payments" in names, "the control"


@pytest.mark.parametrize(("guards", "same"), [(True, True), (False, False), (True, False)])
def test_a_guard_is_on_the_cluster_of_its_estate(guards: bool, same: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAO_TOKEN", "only-for-this-test")
    there = StoreConnection(address="https://store.example:8200", ca_file="/ca.pem")

    def program() -> None:
        mine = own("provider")
        guard = Admission(whole.manifests(shop_app().graph(), Cluster()), opts=mine if guards else None)
        deploy(shop_app(), guard=guard, store=there, opts=mine if same or not guards else None)

    if same:
        assert run(program).seen, "the control"
        return
    with pytest.raises(IntentError, match="opts: the guard has another Kubernetes provider than the estate; give both"):
        run(program)


def test_what_adjust_weakens_is_refused_before_anything_is_registered() -> None:
    def adjust(item: Manifest) -> Manifest:
        if item["kind"] == "NetworkPolicy":
            item["spec"]["ingress"] = [{}]
        return item

    recorder = Recorder()
    with pytest.raises(IntentError, match="spec.ingress; leave it as it was derived"):
        run(lambda: deploy(shop_app(), guard="elsewhere", store=STORE, adjust=adjust), recorder)
    assert recorder.seen == []


# --- users -----------------------------------------------------------------------------------------------------------

USERS = StoreConnection.to(d.USERS)


def test_the_embedded_issuer_gets_what_is_derived_before_the_edge_starts() -> None:
    recorder = run(lambda: deploy(served_app(), guard="elsewhere", store=STORE, users=USERS))
    objects = {
        args.name: args.inputs for args in recorder.seen if args.typ.endswith((":StoreObject", ":GeneratedSecret"))
    }
    derived = [item.path for item in users_objects(served_app().graph(), Cluster())]
    cookies = ["users/secret/login/desk.estate.example", "users/secret/login/www.estate.example"]
    assert sorted(objects) == sorted([*(f"users/{path}" for path in derived), *cookies])
    assert {item["connection"]["service"] for item in objects.values()} == {"users"}


def test_no_secret_of_a_login_passes_the_engine() -> None:
    recorder = run(lambda: deploy(served_app(), guard="elsewhere", store=STORE, users=USERS))
    for args in recorder.seen:
        assert "client_secret" not in str({k: v for k, v in args.inputs.items() if k in ("body", "path")}), args.name
        assert args.typ != "kubernetes:core/v1:Secret"


def test_logins_with_another_issuer_are_kept_in_the_secret_store() -> None:
    recorder = run(lambda: deploy(served_app(foreign=True), guard="elsewhere", store=STORE, users=USERS))
    names = {args.name for args in recorder.seen}
    assert {"sys/policies/acl/edge.edge", "users/sys/policies/acl/edge.edge"} <= names
    assert {"secret/login/www.estate.example", "users/secret/login/desk.estate.example"} <= names


def test_users_whom_nobody_keeps_are_refused() -> None:
    with pytest.raises(IntentError, match="users of its own, and nobody who keeps them is given"):
        run(lambda: deploy(served_app(), guard="elsewhere", store=STORE))
