"""Rights in the Kubernetes API: exactly what is declared, nothing that leads to more, and nothing for anybody else."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from garrison import App, Graph, IntentError, render
from garrison.cluster import Cluster
from garrison.declare.permissions import MayStatement
from garrison.derive import rbac
from garrison.explain import diagram
from garrison.manifest import identity
from garrison.model.names import CLUSTER_CA, derived_config_maps
from garrison.model.permissions import VERBS, objections
from garrison.words import Ref
from unit.estates import apps, shop_app
from unit.rbacmodel import Asked, allowed

API = "coordination.k8s.io"
ORDERS = Ref("shop", "orders")


def permitted(*words: str, group: str = "") -> App:
    """The shop, whose orders may do that; `words` are what is given to `may`."""
    app = shop_app()
    verbs, resource, *names = words
    app.add(MayStatement("here:1", ORDERS, verbs, resource, tuple(names), group))
    return app


def by_identity(app: App) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    return {identity(m): m for m in render(app.graph())}


# --- what is derived -------------------------------------------------------------------------------------------------


@settings(max_examples=15)  # a random estate has thousands of questions
@given(apps())
def test_the_roles_grant_exactly_what_is_declared(app: App) -> None:
    graph = app.graph()
    manifests = render(graph)
    names = ("", "flags", "limits", "leader", "other")
    what = [(p.resource, p.group) for p in graph.permissions] + [("secrets", ""), ("pods", ""), ("leases", "")]
    places = [*graph.namespaces, "kube-system"]
    for service, namespace, (resource, group), verb, name in itertools.product(
        graph.services, places, dict.fromkeys(what), (*VERBS, "*"), names
    ):
        asked = Asked((service.namespace, service.name), namespace, verb, resource, group, name)
        declared = any(
            (p.service, p.resource, p.group) == (service.ref, resource, group)
            and verb in p.verbs
            and (not p.names or name in p.names)
            for p in graph.permissions
        )
        assert allowed(manifests, asked) == (declared and namespace == service.namespace), asked


def test_the_model_can_say_yes() -> None:
    """The control of this file's own tool."""
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    subject = {"kind": "ServiceAccount", "namespace": "a", "name": "b"}
    role = {"kind": "Role", "metadata": {"namespace": "a", "name": "r"}, "rules": [everything]}
    binding = {"kind": "RoleBinding", "metadata": {"namespace": "a"}, "subjects": [subject], "roleRef": {"name": "r"}}
    assert allowed([role, binding], Asked(("a", "b"), "a", "get", "secrets"))
    assert not allowed([role, binding], Asked(("a", "c"), "a", "get", "secrets"))


def test_one_permission_adds_a_role_and_a_binding_and_changes_two_objects() -> None:
    before, after = by_identity(shop_app()), by_identity(permitted("get", "configmaps"))
    here = ("shop", "orders")
    assert set(after) - set(before) == {(f"{rbac.GROUP}/v1", kind, *here) for kind in ("Role", "RoleBinding")}
    assert set(before) <= set(after)
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {("apps/v1", "Deployment", *here), ("networking.k8s.io/v1", "NetworkPolicy", *here)}


def test_the_token_is_for_the_application_only_short_lived_and_where_clients_look() -> None:
    pod = by_identity(permitted("get", "configmaps"))["apps/v1", "Deployment", "shop", "orders"]["spec"]["template"]
    volume = next(v for v in pod["spec"]["volumes"] if v["name"] == rbac.VOLUME)
    token, authority, namespace = volume["projected"]["sources"]
    assert token["serviceAccountToken"] == {"path": "token", "expirationSeconds": 600}
    assert authority["configMap"]["name"] == CLUSTER_CA
    assert namespace["downwardAPI"]["items"][0]["path"] == "namespace"
    mounts = {
        c["name"]: [m["mountPath"] for m in c["volumeMounts"] if m["name"] == rbac.VOLUME]
        for c in pod["spec"]["initContainers"] + pod["spec"]["containers"]
    }
    assert mounts == {"proxy": [], "app": ["/var/run/secrets/kubernetes.io/serviceaccount"]}
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_beside_secrets_the_token_finds_its_folder_made() -> None:
    """Where /var/run leads to /run, the folder is in the secrets' mount, which is read-only to the application."""
    app = shop_app()
    app.add(MayStatement("here:1", Ref("bank", "payments"), "get", "configmaps", (), ""))
    pod = by_identity(app)["apps/v1", "Deployment", "bank", "payments"]["spec"]["template"]["spec"]
    mounts = [m for m in pod["containers"][0]["volumeMounts"] if m["mountPath"].endswith("serviceaccount")]
    assert [(m["name"], m["mountPath"], m.get("subPath")) for m in mounts] == [
        ("secrets", "/run/secrets/kubernetes.io/serviceaccount", "kubernetes.io/serviceaccount"),
        (rbac.VOLUME, "/var/run/secrets/kubernetes.io/serviceaccount", None),
    ]
    assert all(m["readOnly"] for m in mounts)


def test_a_stack_narrows_the_way_to_its_own_api_server_and_nothing_else() -> None:
    wide = render(permitted("get", "configmaps").graph())
    narrow = render(permitted("get", "configmaps").graph(), Cluster(api_server=("172.18.0.2/32",)))
    changed = [(a, b) for a, b in zip(wide, narrow, strict=True) if a != b]
    ((before, after),) = changed
    assert after["metadata"]["name"] == "orders"
    assert after["spec"]["egress"][:-1] == before["spec"]["egress"][:-1]
    assert after["spec"]["egress"][-1]["to"] == [{"ipBlock": {"cidr": "172.18.0.2/32"}}]
    untouched = shop_app().graph()
    assert render(untouched) == render(untouched, Cluster(api_server=("172.18.0.2/32",)))


# --- what is said ----------------------------------------------------------------------------------------------------


def test_saying_more_about_the_same_objects_adds_to_it() -> None:
    app = permitted("get", "configmaps", "b", "a")
    app.add(MayStatement("here:2", ORDERS, "watch get", "configmaps", ("a", "b", "a"), ""))
    app.add(MayStatement("here:3", ORDERS, "list", "configmaps", (), ""))
    assert [(p.names, p.verbs) for p in app.graph().permissions] == [((), ("list",)), (("a", "b"), ("get", "watch"))]


def test_the_verb_says_what_it_is_given() -> None:
    app = shop_app()
    service = app.namespace("more").service("more", image="m@sha256:" + "0" * 64, port=8080)
    service.may("get update", "leases", "leader", group=API)
    (found,) = app.graph().permissions
    assert (found.service, found.group, found.resource) == (Ref("more", "more"), API, "leases")
    assert (found.names, found.verbs, str(found)) == (("leader",), ("get", "update"), f"leases.{API} leader")


def test_a_graph_of_before_permissions_is_still_read_and_written(graph: Graph) -> None:
    assert "permissions" not in json.loads(graph.to_json())
    assert Graph.from_json(graph.to_json()).permissions == ()
    assert "permissions" in json.loads(permitted("get", "configmaps").graph().to_json())


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("verbs", ["*"], "also permits what is added later"),
        ("verbs", "get", "is not a list"),
        ("resource", "secrets", "secret store"),
        ("names", ["orders-proxy"], "written by Garrison"),
        ("names", [1], "is not a text"),
        ("extra", 1, "does not fit"),
    ],
)
def test_a_graph_with_more_rights_than_a_program_could_give_is_refused(field: str, value: object, says: str) -> None:
    data = json.loads(permitted("get update", "configmaps", "flags").graph().to_json())
    assert Graph.from_json(json.dumps(data)).permissions, "the control"
    data["permissions"][0][field] = value
    with pytest.raises(ValueError, match=says):
        Graph.from_json(json.dumps(data))


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "group"),
    [
        (("get list watch", "configmaps"), ""),
        (("update patch delete", "configmaps", "flags"), ""),
        (("create", "configmaps"), ""),
        (("create patch", "events"), ""),
        (("get", "pods/log"), ""),
        (("list watch", "endpointslices"), "discovery.k8s.io"),
        (("get", "deployments/status"), "apps"),
        (("create get update", "leases"), API),
        (("get list", "certificates"), "cert-manager.io"),
        (("get", "pods"), "metrics.k8s.io"),
        (("create update deletecollection", "widgets"), "shop.example"),
        (("update", "widgets/status"), "shop.example"),
    ],
)
def test_what_a_service_may_be_permitted(words: tuple[str, ...], group: str) -> None:
    assert permitted(*words, group=group).graph().permissions


CERTIFICATES, RBAC, STORE = "cert-manager.io", "rbac.authorization.k8s.io", "secrets come from the secret store"
GUARD, LATER = "written from the declaration only", "also permits what is added later"


@pytest.mark.parametrize(
    ("words", "group", "says"),
    [
        (("*", "configmaps"), "", LATER),
        (("get", "*"), "", LATER),
        (("get", "pods/*"), "", LATER),
        (("get", "widgets"), "*", LATER),
        (("get", "configmaps", "*"), "", "there are no patterns"),
        (("get", "secrets"), "", STORE),
        (("list watch", "secrets", "mine"), "", STORE),
        (("bind", "configmaps"), "", "gives rights that nobody declared"),
        (("escalate", "configmaps"), "", "gives rights that nobody declared"),
        (("impersonate", "serviceaccounts"), "", "gives rights that nobody declared"),
        (("get", "roles"), RBAC, "may take any"),
        (("create", "rolebindings"), RBAC, "may take any"),
        (("get", "clusterroles"), RBAC, "may take any"),
        (("create", "serviceaccounts/token"), "", "a token is an identity"),
        (("create", "podcertificaterequests"), "certificates.k8s.io", "a token is an identity"),
        (("create", "pods/exec"), "", "past their proxies"),
        (("get", "pods/attach"), "", "past their proxies"),
        (("get", "pods/portforward"), "", "past their proxies"),
        (("get", "services/proxy"), "", "past their proxies"),
        (("update", "pods/ephemeralcontainers"), "", "past their proxies"),
        (("create", "pods/eviction"), "", "acts on a workload"),
        (("create", "bindings"), "", "scheduler"),
        (("create", "pods"), "", GUARD),
        (("patch", "pods/status"), "", GUARD),
        (("delete", "pods"), "", GUARD),
        (("update", "deployments"), "apps", GUARD),
        (("patch", "deployments/scale"), "apps", GUARD),
        (("create", "jobs"), "batch", GUARD),
        (("update", "serviceaccounts"), "", GUARD),
        (("update", "services"), "", GUARD),
        (("delete", "networkpolicies"), "networking.k8s.io", GUARD),
        (("delete", "resourcequotas"), "", GUARD),
        (("create", "certificates"), CERTIFICATES, GUARD),
        (("create", "challenges"), f"acme.{CERTIFICATES}", GUARD),
        (("create", "ciliumnetworkpolicies"), "cilium.io", GUARD),
        (("get", "nodes"), "", "belongs to the whole cluster"),
        (("get", "namespaces"), "", "belongs to the whole cluster"),
        (("create", "tokenreviews"), "authentication.k8s.io", "belongs to the whole cluster"),
        (("get", "clusterissuers"), CERTIFICATES, "belongs to the whole cluster"),
        (("update", "configmaps"), "", "every ConfigMap"),
        (("deletecollection", "configmaps"), "", "every ConfigMap"),
        (("patch", "configmaps", "orders-proxy"), "", "is written by Garrison"),
        (("delete", "configmaps", "trust-bundle"), "", "is written by Garrison"),
        (("update", "configmaps", CLUSTER_CA), "", "is written by Garrison"),
        (("create", "configmaps", "flags"), "", "cannot be limited to names"),
        (("", "configmaps"), "", "names no verb"),
        (("fetch", "configmaps"), "", "did you mean 'watch'?"),
        (("get,list", "configmaps"), "", "write spaces between verbs: 'get list'"),
        (("get", "configmap"), "", "did you mean 'configmaps'?"),
        (("get", "ConfigMaps"), "", "plural in lower case"),
        (("get", "deployments"), "", "did you mean group='apps'?"),
        (("get", "pods"), "apps", "leave the group out"),
        (("get", "leases"), f"{API}/v1", f"did you mean '{API}'?"),
        (("get", "pods"), "core", "leave it out for the core group"),
    ],
)
def test_what_leads_to_more_than_is_declared_is_refused(words: tuple[str, ...], group: str, says: str) -> None:
    assert permitted("get", "configmaps").graph(), "the control: the same program with a harmless permission"
    with pytest.raises(IntentError) as caught:
        permitted(*words, group=group).graph()
    assert says in str(caught.value)
    assert "here:1: 'shop/orders' may not be permitted" in str(caught.value)


def test_everything_wrong_with_a_permission_is_said_at_once() -> None:
    found = list(objections("fetch * create", "secrets", ("A", "b"), ""))
    assert [why for why, _ in found] == [
        "'fetch' is not a verb",
        "'*' also permits what is added later",
        "no secret is read from the API server",
        "'A' is not an object's name",
        "create cannot be limited to names",
    ]


@given(apps())
def test_no_config_map_that_garrison_writes_may_be_changed(app: App) -> None:
    graph = app.graph()
    services, databases = [s.ref for s in graph.workloads], [b.ref for b in graph.databases]
    for item in render(graph):
        meta = item["metadata"]
        if item["kind"] == "ConfigMap" and meta["namespace"] in graph.namespaces:  # no service is in the edge's
            assert meta["name"] in derived_config_maps(meta["namespace"], services, databases)


def test_the_table_on_the_page_is_what_its_program_gives() -> None:
    page = (Path(__file__).parents[2] / "docs" / "verbs.md").read_text()
    shown = re.findall(r"^```(python|text)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    said: dict[str, Any] = {}
    exec(next(text for kind, text in shown if kind == "python" and "orders-leader" in text), said)
    assert diagram.table(said["app"].graph()) == next(text for kind, text in shown if kind == "text")
