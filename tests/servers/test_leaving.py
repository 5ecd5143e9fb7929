"""An object on its way out, on a real API server: it may lose its finalizers, and change in no other way.

The walk around admission: make a good object with a finalizer, delete it, and make it a bad one while it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from garrison_policies.places import admission
from garrison_policies.rules import RULES
from harness.plugin.errors import ApiError
from harness.plugin.testing.apiserver import ControlPlane
from servers import certmanager
from servers.enforcing import in_force
from servers.hardened import CONTAINER

pytest_plugins = ["harness.plugin.testing.fixtures"]
Json = dict[str, Any]
SPACE = "leaving"
HELD = "garrison.dev/held"
RBAC = "rbac.authorization.k8s.io/v1"
NETWORK = "networking.k8s.io/v1"


def named(api: str, kind: str, **body: Any) -> Json:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "leaves", "namespace": SPACE}} | body


def edit(path: str, value: Any) -> Json:
    return {"op": "add", "path": path, "value": value}


BOUNDED = CONTAINER | {"resources": {key: {"cpu": "10m", "memory": "16Mi"} for key in ("requests", "limits")}}
POD = {"automountServiceAccountToken": False, "serviceAccountName": "app", "containers": [BOUNDED]}
TEMPLATE = {"metadata": {"labels": {"app": "leaves"}}, "spec": POD}
BACKEND = {"service": {"name": "app", "port": {"number": 80}}}
TLS = [{"hosts": ["a.example"], "secretName": "a"}]
WAY = {"host": "a.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND}]}}
CERTIFICATES = "cert-manager.io/v1"
SIGNED = {"secretName": "s", "duration": "24h", "issuerRef": {"kind": "ClusterIssuer", "name": "garrison"}}
EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}

# What each family guards: a good object, how it turns bad, and the rule that says so.
ATTACKS: dict[str, tuple[Json, Json, str]] = {
    "workloads": (
        named("apps/v1", "Deployment", spec={"selector": {"matchLabels": {"app": "leaves"}}, "template": TEMPLATE}),
        edit("/spec/template/spec/hostNetwork", True),
        "host-namespaces",
    ),
    "roles": (named(RBAC, "Role", rules=[]), edit("/rules", [EVERYTHING]), "role-wildcard"),
    "bindings": (
        named(RBAC, "RoleBinding", roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}),
        edit("/subjects", [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated"}]),
        "everybody-binding",
    ),
    "namespaces": (
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "leaves", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        },
        {"op": "remove", "path": "/metadata/labels/pod-security.kubernetes.io~1enforce"},
        "namespace-pod-security",
    ),
    "configuration": (
        named("v1", "ConfigMap", data={"allow-snippet-annotations": "false"}),
        edit("/data/allow-snippet-annotations", "true"),
        "nginx-snippet",
    ),
    "services": (
        named("v1", "Service", spec={"selector": {"app": "a"}, "ports": [{"port": 80}]}),
        edit("/spec/type", "NodePort"),
        "node-port-service",
    ),
    "network-policies": (
        named(NETWORK, "NetworkPolicy", spec={"podSelector": {}, "policyTypes": ["Ingress"]}),
        edit("/spec/ingress", [{}]),
        "network-policy-open-ingress",
    ),
    "ingresses": (
        named(NETWORK, "Ingress", spec={"tls": TLS, "rules": [WAY]}),
        {"op": "remove", "path": "/spec/tls"},
        "ingress-tls",
    ),
    "certificates": (
        named(CERTIFICATES, "Certificate", spec=SIGNED | {"uris": [f"spiffe://estate.example/ns/{SPACE}/sa/leaves"]}),
        edit("/spec/uris", ["spiffe://estate.example/ns/bank/sa/payments"]),
        "identity-of-another",
    ),
    "issuers": (
        {"apiVersion": CERTIFICATES, "kind": "ClusterIssuer", "metadata": {"name": "leaves"}}
        | {"spec": {"ca": {"secretName": "another"}}},
        edit("/spec/ca/secretName", "garrison-root"),
        "issuer-key-shared",
    ),
    "availability": (
        named("policy/v1", "PodDisruptionBudget", spec={"maxUnavailable": 1, "selector": {"matchLabels": {"a": "b"}}}),
        edit("/spec/maxUnavailable", 0),
        "disruption-budget-closed",
    ),
}

OLDER = named(RBAC, "Role", rules=[EVERYTHING])  # bad, and there before the policies
OLDER["metadata"] |= {"name": "older", "finalizers": [HELD]}
FREE = {"op": "remove", "path": "/metadata/finalizers"}

HOST_POD = POD | {"hostNetwork": True}
OLD_REPLICAS = named(
    "apps/v1",
    "ReplicaSet",
    spec={"replicas": 2, "selector": {"matchLabels": {"app": "leaves"}}} | {"template": TEMPLATE | {"spec": HOST_POD}},
)


@pytest.fixture(scope="module")
def server(plane: ControlPlane) -> Iterator[ControlPlane]:
    """A server on which the policies refuse."""
    certmanager.install(plane)
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}
    for item in (space, OLDER, OLD_REPLICAS):
        plane.api.apply(item, "test")
    with in_force(plane, admission.manifests(RULES)):
        yield plane


def said(act: Callable[[], object]) -> str:
    """What the server says to a change: nothing where it takes it."""
    try:
        act()
    except ApiError as refusal:
        return str(refusal)
    return ""


@pytest.fixture
def leaving(server: ControlPlane, request: pytest.FixtureRequest) -> Iterator[Json]:
    """The good object of a family, deleted, and held back by a finalizer."""
    good = ATTACKS[request.param][0]
    held = good | {"metadata": good["metadata"] | {"finalizers": [HELD]}}
    server.api.apply(held, "test")
    server.api.delete(good, "Background")
    assert server.api.get(good)["metadata"]["deletionTimestamp"]
    yield good
    if HELD in (server.api.find(good) or good)["metadata"].get("finalizers", ()):
        server.api.edit(good, [FREE])


def test_every_family_is_attacked() -> None:
    named_after = {item["metadata"]["name"].removeprefix("garrison-") for item in admission.manifests(RULES)}
    assert set(ATTACKS) == named_after - {"service-accounts"}, "judged by their namespace only, which cannot change"


@pytest.mark.parametrize(("leaving", "family"), [(name, name) for name in ATTACKS], indirect=["leaving"])
def test_a_terminating_object_may_lose_its_finalizers_and_nothing_else(
    server: ControlPlane, leaving: Json, family: str
) -> None:
    _, change, rule = ATTACKS[family]
    assert f"{rule}: " in said(lambda: server.api.edit(leaving, [change]))
    assert f"{rule}: " in said(lambda: server.api.edit(leaving, [change, FREE])), "both at once"
    server.api.edit(leaving, [FREE])  # the control: this is how it goes


def test_what_was_bad_before_the_policies_can_still_go(server: ControlPlane) -> None:
    assert "role-wildcard: " in said(lambda: server.api.edit(OLDER, [FREE])), "it is not leaving yet"
    server.api.delete(OLDER, "Background")
    server.api.edit(OLDER, [FREE])
    assert server.api.find(OLDER) is None


def test_what_was_bad_before_the_policies_can_be_wound_down_and_not_changed(server: ControlPlane) -> None:
    """A roll-out that replaces it would stand still for ever."""
    again = edit("/spec/template/metadata/labels/again", "yes")
    assert "host-namespaces: " in said(lambda: server.api.edit(OLD_REPLICAS, [again]))
    number = {"op": "replace", "path": "/spec/replicas", "value": 0}
    assert "host-namespaces: " in said(lambda: server.api.edit(OLD_REPLICAS, [number, again])), "both at once"
    server.api.edit(OLD_REPLICAS, [number])
    assert server.api.get(OLD_REPLICAS)["spec"]["replicas"] == 0
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "of-it", "namespace": SPACE}, "spec": HOST_POD}
    assert "host-namespaces: " in said(lambda: server.api.apply(pod, "test", dry_run=True)), "more of it cannot run"


def test_nobody_makes_an_object_that_is_already_leaving(server: ControlPlane) -> None:
    stamp = {"deletionTimestamp": "2020-01-01T00:00:00Z", "finalizers": [HELD]}
    bad = named(RBAC, "Role", rules=[EVERYTHING])
    born = bad | {"metadata": bad["metadata"] | stamp}
    path = server.api.resource(bad).path(SPACE)
    assert "role-wildcard: " in said(lambda: server.api.client._send("POST", path, body=born))
