"""What each layer derives, read as its reader reads it: the kubelet, Envoy, the secret store, the API server."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given

from garrison import App, Graph, Namespace, Service, derive, render
from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import LAYERS, mesh
from garrison.derive.secrets import store_objects
from garrison.manifest import Manifest, compact, identity
from garrison.words import Ref
from unit.estates import IMAGES, apps, shop_app


def find(graph: Graph, kind: str, name: str) -> dict[str, Any]:
    return next(m for m in render(graph) if m["kind"] == kind and m["metadata"]["name"] == name)


def pod_specs(graph: Graph) -> list[dict[str, Any]]:
    kinds = ("Deployment", "StatefulSet", "Job", "CronJob")
    return [template(m)["spec"] for m in render(graph) if m["kind"] in kinds]


def template(workload: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = workload["spec"].get("jobTemplate", workload)["spec"]["template"]
    return found


@given(apps())
def test_same_graph_same_bytes_and_no_object_twice(app: App) -> None:
    first, second = render(app.graph()), render(app.graph())
    assert compact(first) == compact(second)
    assert len({identity(m) for m in first}) == len(first)


@given(apps())
def test_every_pod_keeps_to_pod_security_restricted(app: App) -> None:
    """Kubernetes' own list: https://kubernetes.io/docs/concepts/security/pod-security-standards/."""
    allowed = {"configMap", "emptyDir", "projected", "secret", "persistentVolumeClaim", "name"}
    for pod in pod_specs(app.graph()):
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert all(set(volume) <= allowed for volume in pod["volumes"])
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            security = container["securityContext"]
            assert security["runAsNonRoot"] is True
            assert security["runAsUser"] > 0
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}
            assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
            assert "@sha256:" in container["image"]


@given(apps())
def test_no_token_reaches_a_pod_but_those_for_the_store_and_for_declared_permissions(app: App) -> None:
    graph = app.graph()
    assert all(pod["automountServiceAccountToken"] is False for pod in pod_specs(graph))
    kinds = [m["kind"] for m in render(graph)]
    assert not {"ClusterRole", "ClusterRoleBinding", "Secret"} & set(kinds)
    assert kinds.count("Role") == kinds.count("RoleBinding") == len({p.service for p in graph.permissions})
    for service in graph.workloads:
        text = compact(find_pod(graph, service.ref))
        needs = service.ref in graph.uses_by or service.ref in graph.reads_by
        may = any(p.service == service.ref for p in graph.permissions)
        assert text.count('"serviceAccountToken"') == needs + may
        assert ('"kube-root-ca.crt"' in text) == may
        assert ('"audience":"openbao"' in text) == needs


def find_pod(graph: Graph, ref: Ref) -> dict[str, Any]:
    return next(
        template(m)
        for m in render(graph)
        if m["kind"] in ("Deployment", "Job", "CronJob")
        and Ref(m["metadata"]["namespace"], m["metadata"]["name"]) == ref
    )


def test_namespaces_enforce_the_strictest_level(graph: Graph) -> None:
    labels = find(graph, "Namespace", "shop")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert find(graph, "ResourceQuota", "quota")["spec"]["hard"]["services.nodeports"] == "0"


@given(apps())
def test_a_callee_admits_exactly_its_callers(app: App) -> None:
    graph = app.graph()
    for service in graph.services:
        rules = mesh.authorisation(graph, Cluster(), service.ref)["typed_config"]["rules"]
        callers = {c.caller for c in graph.calls if c.callee == service.ref and not c.connects}
        assert rules["action"] == "ALLOW"
        routes = {mesh.rule_name(route) for route in graph.routes_of.get(service.ref, ())}
        assert set(rules["policies"]) == {str(ref) for ref in callers} | routes
        for rule, policy in rules["policies"].items():
            (peer,) = re.findall(r'"principal_name":\{"exact":"([^"]*)"', compact(policy["principals"]))
            assert peer == graph.spiffe_id(d.EDGE if rule in routes else Ref.parse(rule))


@pytest.mark.parametrize(
    ("template", "path", "fits"),
    [
        ("/items/{id}", "/items/1", True),
        ("/items/{id}", "/items/", False),
        ("/items/{id}", "/items/1/2", False),
        ("/items/{id}", "/xitems/1", False),
        ("/a.b/{x}/c", "/a.b/1/c", True),
        ("/a.b/{x}/c", "/aXb/1/c", False),
        ("/items/{id}", "/items/a:b@c,d=e+f~(g)", True),
        ("/items/{id}", "/items/a%20b%C3%BC", True),
        *(
            ("/items/{id}", f"/items/a{odd}b", False)
            for odd in (";", "%3b", "%3B", "%2f", "%252f", "%5C", "%00", "%2e")
        ),
        *(
            ("/items/{id}", f"/items/a{odd}b", False)
            for odd in ("%c0%af", "%", "%zz", "#", "\\", " ", "\x7f", "\u00fc")
        ),
        ("/", "/", True),
    ],
)
def test_a_parameter_stands_for_one_segment(template: str, path: str, fits: bool) -> None:
    assert bool(re.fullmatch(mesh.path_pattern(template), path)) is fits


def test_the_application_listens_on_loopback_and_finds_its_callees(graph: Graph) -> None:
    pod = find(graph, "Deployment", "orders")["spec"]["template"]["spec"]
    env = {e["name"]: e["value"] for e in pod["containers"][0]["env"]}
    assert env == {
        "HOST": "127.0.0.1",
        "PORT": "8080",
        "PAYMENTS_URL": "http://127.0.0.1:15101",
        "CATALOG_URL": "http://127.0.0.1:15102",
    }
    listeners = json.loads(find(graph, "ConfigMap", "orders-proxy")["data"]["envoy.json"])["static_resources"][
        "listeners"
    ]
    places = {
        li["address"]["socket_address"]["port_value"]: li["address"]["socket_address"]["address"] for li in listeners
    }
    assert places == {8443: "0.0.0.0", 15021: "0.0.0.0", 15101: "127.0.0.1", 15102: "127.0.0.1"}


def test_secrets_come_as_files_and_only_their_paths_are_said(graph: Graph) -> None:
    pod = find(graph, "Deployment", "payments")["spec"]["template"]["spec"]
    app = pod["containers"][0]
    env = {e["name"]: e["value"] for e in app["env"]}
    assert env["PSP_API_KEY_FILE"] == "/run/secrets/psp/api-key"
    assert env["LEDGER_FILE"] == "/run/secrets/ledger.json"
    memory = next(v for v in pod["volumes"] if v["name"] == "secrets")
    assert memory["emptyDir"]["medium"] == "Memory"
    assert not [m for m in app["volumeMounts"] if m["name"] in ("token", "identity")]


def test_the_store_holds_one_policy_and_role_per_service_that_needs_it(graph: Graph) -> None:
    objects = {o.path: o.body for o in store_objects(graph)}
    assert list(objects) == [
        "database/config/bank.ledger",
        "database/roles/bank.ledger.writer",
        "sys/policies/acl/bank.payments",
        "auth/kubernetes/role/bank.payments",
    ]
    assert objects["sys/policies/acl/bank.payments"]["policy"].splitlines()[:2] == [
        'path "secret/data/psp/api-key" { capabilities = ["read"] }',
        'path "database/creds/bank.ledger.writer" { capabilities = ["read"] }',
    ]
    role = objects["auth/kubernetes/role/bank.payments"]
    assert (role["bound_service_account_namespaces"], role["bound_service_account_names"]) == (["bank"], ["payments"])
    assert role["audience"] == "openbao"
    lease = objects["database/roles/bank.ledger.writer"]
    assert (lease["default_ttl"], lease["max_ttl"]) == ("3600s", "3600s")


def test_an_identity_is_one_spiffe_id_for_a_day_at_most(graph: Graph) -> None:
    spec = find(graph, "Certificate", "orders")["spec"]
    assert spec["uris"] == ["spiffe://estate.example/ns/shop/sa/orders"]
    assert "dnsNames" not in spec
    assert (spec["duration"], spec["privateKey"]["algorithm"], spec["privateKey"]["size"]) == ("24h", "ECDSA", 256)


def test_the_composition_cannot_lose_a_layer_unseen() -> None:
    """What every module of `derive` makes is in what `render` gives, and nothing else is."""
    app = shop_app()
    orders = Service(Ref("shop", "orders"), app)
    orders.serves("GET /orders", at=app.host("www.estate.example", login=app.users()), public="a test")
    Namespace("shop", app).job("nightly", image=IMAGES["prober"])
    orders.calls(app.external("api.psp.example"), "POST /charges")
    graph, cluster = app.graph(), Cluster()
    names = [module.name for module in pkgutil.iter_modules(derive.__path__)]
    modules = [importlib.import_module(f"garrison.derive.{name}") for name in names]
    layers = [module.manifests for module in modules if hasattr(module, "manifests")]
    assert len(layers) == len(LAYERS) >= 8
    made = [item for layer in layers for item in _called(layer, graph, cluster)]
    assert {identity(item) for item in made} == {identity(item) for item in render(graph)}


def _called(layer: Callable[..., Iterator[Manifest]], graph: Graph, cluster: Cluster) -> list[Manifest]:
    made = list(layer(graph, cluster) if len(inspect.signature(layer).parameters) > 1 else layer(graph))
    assert made, f"{layer.__module__} makes nothing of the shop"
    return made


@given(apps())
def test_nothing_is_shared_between_objects_or_renders(app: App) -> None:
    """Whoever edits one place of one object edits that place alone, in this render and in every other."""
    graph = app.graph()
    first = render(graph)
    before = compact(first)
    places = [id(value) for item in [*first, *(o.body for o in store_objects(graph))] for value in _containers(item)]
    assert len(places) == len(set(places)), "an object within another is reached by two ways"
    for item in first:
        _spoil(item)
    assert compact(render(graph)) == before
    assert compact(render(app.graph())) == before


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from _containers(part)


def _spoil(value: Any) -> None:
    for part in list(_containers(value)):
        part.clear()
