"""Reality equals what the graph derives: each way to differ is found, and what the API server fills in is not one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings

from garrison import App, render
from garrison.cluster import Cluster
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.rule import Finding
from garrison_policies.places.difference import differences
from garrison_policies.places.estate import compare
from unit.estates import apps, shop_app

Manifest = dict[str, Any]
GRAPH = shop_app().graph()


def found(manifests: Sequence[Manifest]) -> list[Finding]:
    return list(compare(GRAPH, Inventory(tuple(Object(item) for item in manifests)), file="estate.py"))


def one(manifests: Sequence[Manifest], kind: str, name: str) -> Manifest:
    return next(item for item in manifests if item["kind"] == kind and item["metadata"]["name"] == name)


def pod_spec(manifests: Sequence[Manifest], name: str = "payments") -> Manifest:
    spec: Manifest = one(manifests, "Deployment", name)["spec"]["template"]["spec"]
    return spec


def live() -> list[Manifest]:
    """What is derived, as the API server of 1.36 stores and returns it."""
    made = copy.deepcopy(render(GRAPH))
    for number, item in enumerate(made):
        item["metadata"] |= {"uid": f"u{number}", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}
        item["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied": "{}"} | item["metadata"].get(
            "annotations", {}
        )
        if item["kind"] in FILL:
            FILL[item["kind"]](item)
    return made


def _workload(item: Manifest) -> None:
    item["status"] = {"replicas": 1}
    item["spec"]["progressDeadlineSeconds"] = 600
    spec = item["spec"]["template"]["spec"]
    spec |= {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler"}
    spec["serviceAccount"] = spec["serviceAccountName"]
    for container in (*spec["containers"], *spec["initContainers"]):
        container |= {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
        for probe in filter(None, map(container.get, ("startupProbe", "readinessProbe", "livenessProbe"))):
            probe.setdefault("failureThreshold", 3)
            probe["successThreshold"] = 1
            if "httpGet" in probe:
                probe["httpGet"]["scheme"] = "HTTP"
        for port in container.get("ports", ()):
            port["protocol"] = "TCP"
        if not container.get("volumeMounts"):
            container.pop("volumeMounts", None)
        limits = container["resources"]["limits"]
        limits["cpu"] = {"1": "1000m"}.get(limits["cpu"], limits["cpu"])


def _service(item: Manifest) -> None:
    address = item["spec"].setdefault("clusterIP", "10.96.0.9")
    item["spec"] |= {"clusterIPs": [address], "type": "ClusterIP", "sessionAffinity": "None"}
    item["spec"] |= {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster"}


def _namespace(item: Manifest) -> None:
    item["spec"] = {"finalizers": ["kubernetes"]}
    item["metadata"]["labels"]["kubernetes.io/metadata.name"] = item["metadata"]["name"]


FILL: dict[str, Callable[[Manifest], None]] = {"Deployment": _workload, "Service": _service, "Namespace": _namespace}


def test_what_is_derived_is_what_is_derived() -> None:
    assert found(render(GRAPH)) == []


def test_what_the_api_server_fills_in_is_no_difference() -> None:
    assert [(str(each.object), each.path, each.message) for each in found(live())] == []


@pytest.mark.parametrize(("label", "counts"), [("kustomize.toolkit.fluxcd.io/name", 0), ("pod-security", 1)])
def test_a_label_of_flux_on_a_namespace_is_no_difference_and_any_other_is(label: str, counts: int) -> None:
    items = render(GRAPH)
    next(item for item in items if item["kind"] == "Namespace")["metadata"]["labels"][label] = "estate-guards"
    assert len(found(items)) == counts


@given(apps())
@settings(max_examples=20, deadline=None)
def test_any_estate_equals_itself_and_misses_whatever_is_taken(app: App) -> None:
    graph, manifests = app.graph(), render(app.graph())
    everything = [Object(item) for item in manifests]
    assert list(compare(graph, Inventory(tuple(everything)))) == []
    for gone in everything:
        left = Inventory(tuple(item for item in everything if item is not gone))
        assert [(each.rule, str(each.object)) for each in compare(graph, left)] == [("estate-missing", str(gone))]


def ingress(items: list[Manifest]) -> None:
    one(items, "NetworkPolicy", "payments")["spec"]["ingress"].append({})


def egress(items: list[Manifest]) -> None:
    one(items, "NetworkPolicy", "default-deny")["spec"]["egress"] = [{}]


def narrowed(items: list[Manifest]) -> None:
    one(items, "NetworkPolicy", "default-deny")["spec"]["podSelector"] = {"matchLabels": {"app": "nobody"}}


def one_way(items: list[Manifest]) -> None:
    one(items, "NetworkPolicy", "default-deny")["spec"]["policyTypes"].remove("Egress")


def peer(items: list[Manifest]) -> None:
    del one(items, "NetworkPolicy", "payments")["spec"]["ingress"][0]["from"][0]["podSelector"]


def privileged(items: list[Manifest]) -> None:
    pod_spec(items)["containers"][0]["securityContext"]["privileged"] = True


def writable(items: list[Manifest]) -> None:
    pod_spec(items)["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False


def image(items: list[Manifest]) -> None:
    pod_spec(items)["containers"][0]["image"] = "registry.example/other"


def sidecar(items: list[Manifest]) -> None:
    pod_spec(items)["containers"].append({"name": "miner", "image": "x"})


def no_proxy(items: list[Manifest]) -> None:
    pod_spec(items)["initContainers"] = [each for each in pod_spec(items)["initContainers"] if each["name"] != "proxy"]


def host(items: list[Manifest]) -> None:
    pod_spec(items)["hostNetwork"] = True


def variable(items: list[Manifest]) -> None:
    pod_spec(items)["containers"][0]["env"].append({"name": "LD_PRELOAD", "value": "/tmp/x.so"})


def token(items: list[Manifest]) -> None:
    one(items, "ServiceAccount", "payments")["automountServiceAccountToken"] = True


def unsaid(items: list[Manifest]) -> None:
    del one(items, "ServiceAccount", "payments")["automountServiceAccountToken"]


def tls(items: list[Manifest]) -> None:
    data = one(items, "ConfigMap", "payments-proxy")["data"]
    data["envoy.json"] = data["envoy.json"].replace("TLSv1_3", "TLSv1_2")


def name(items: list[Manifest]) -> None:
    one(items, "Certificate", "payments")["spec"]["dnsNames"] = ["orders.shop.svc"]


def level(items: list[Manifest]) -> None:
    one(items, "Namespace", "bank")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "privileged"


def label(items: list[Manifest]) -> None:
    one(items, "Namespace", "bank")["metadata"]["labels"]["trusted"] = "true"


def outside(items: list[Manifest]) -> None:
    one(items, "Service", "payments")["spec"]["externalIPs"] = ["192.0.2.1"]


def quota(items: list[Manifest]) -> None:
    one(items, "ResourceQuota", "quota")["spec"]["hard"]["services.nodeports"] = "5"


@pytest.mark.parametrize(
    ("tamper", "kind", "path"),
    [
        (ingress, "NetworkPolicy", "spec.ingress[1]"),
        (egress, "NetworkPolicy", "spec.egress"),
        (narrowed, "NetworkPolicy", "spec.podSelector.matchLabels"),
        (one_way, "NetworkPolicy", "spec.policyTypes"),
        (peer, "NetworkPolicy", "spec.ingress[0].from[0].podSelector"),
        (privileged, "Deployment", "spec.template.spec.containers[0].securityContext.privileged"),
        (writable, "Deployment", "spec.template.spec.containers[0].securityContext.readOnlyRootFilesystem"),
        (image, "Deployment", "spec.template.spec.containers[0].image"),
        (sidecar, "Deployment", "spec.template.spec.containers[1]"),
        (no_proxy, "Deployment", "spec.template.spec.initContainers"),
        (host, "Deployment", "spec.template.spec.hostNetwork"),
        (variable, "Deployment", "spec.template.spec.containers[0].env[4]"),
        (token, "ServiceAccount", "automountServiceAccountToken"),
        (unsaid, "ServiceAccount", "automountServiceAccountToken"),
        (tls, "ConfigMap", "data.envoy.json"),
        (name, "Certificate", "spec.dnsNames"),
        (level, "Namespace", "metadata.labels.pod-security.kubernetes.io/enforce"),
        (label, "Namespace", "metadata.labels.trusted"),
        (outside, "Service", "spec.externalIPs"),
        (quota, "ResourceQuota", "spec.hard.services.nodeports"),
    ],
)
def test_each_change_is_found_where_it_was_made(tamper: Callable[[list[Manifest]], None], kind: str, path: str) -> None:
    items = live()
    assert found(items) == [], "the control"
    tamper(items)
    assert {(each.rule, each.object.kind if each.object else "", each.path) for each in found(items)} == {
        ("estate-changed", kind, path)
    }


def extra(kind: str, namespace: str = "bank", **body: Any) -> Manifest:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "new", "namespace": namespace}, **body}


ACCOUNT = [{"kind": "ServiceAccount", "namespace": "bank", "name": "payments"}]
GROUP = [{"kind": "Group", "name": "system:serviceaccounts:bank"}]


@pytest.mark.parametrize(
    "item",
    [
        *(
            extra(kind)
            for kind in ("NetworkPolicy", "RoleBinding", "Pod", "CronJob", "Service", "ConfigMap", "HTTPRoute")
        ),
        extra("ClusterRoleBinding", "", subjects=ACCOUNT),
        extra("ClusterRoleBinding", "", subjects=GROUP),
        extra("RoleBinding", "elsewhere", subjects=ACCOUNT),
    ],
)
def test_nothing_stands_beside_the_estate(item: Manifest) -> None:
    (only,) = found([*live(), item])
    assert (only.rule, only.object and only.object.kind) == ("estate-extra", item["kind"])


@pytest.mark.parametrize(
    "item",
    [
        extra("Pod", "elsewhere"),
        extra("RoleBinding", "elsewhere", subjects=[{**ACCOUNT[0], "namespace": "other"}]),
        {**extra("ConfigMap"), "metadata": {"name": "kube-root-ca.crt", "namespace": "bank"}},
        {**extra("ServiceAccount"), "metadata": {"name": "default", "namespace": "bank"}},
    ],
)
def test_what_is_not_of_the_estate_or_made_by_kubernetes_is_left_alone(item: Manifest) -> None:
    assert found([*live(), item]) == []


def made_of(owner: Manifest, kind: str, uid: str, spec: Manifest) -> Manifest:
    reference = {"kind": owner["kind"], "name": "x", "uid": owner["metadata"]["uid"], "controller": True}
    metadata = {"name": uid, "namespace": "bank", "uid": uid, "ownerReferences": [reference]}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}


def test_pods_of_the_estate_run_what_it_derives() -> None:
    items = live()
    deployment = one(items, "Deployment", "payments")
    replicas = made_of(deployment, "ReplicaSet", "rs", {})
    pod = made_of(replicas, "Pod", "pod", copy.deepcopy(pod_spec(items)))
    assert found([*items, replicas, pod]) == [], "the control"
    pod["spec"]["ephemeralContainers"] = [{"name": "debugger", "image": "busybox"}]
    (only,) = found([*items, replicas, pod])
    assert (only.rule, only.path) == ("estate-changed", "spec.ephemeralContainers[0]")
    replicas["metadata"]["ownerReferences"][0]["uid"] = "gone"
    assert {each.rule for each in found([*items, replicas, pod])} == {"estate-extra"}


def test_the_names_of_a_cluster_are_expected() -> None:
    items = live()
    for item in items:
        if item["kind"] == "Certificate":
            item["spec"]["issuerRef"]["name"] = "corporate"
    assert {each.path for each in found(items)} == {"spec.issuerRef.name"}
    inventory = Inventory(tuple(Object(item) for item in items))
    assert list(compare(GRAPH, inventory, cluster=Cluster(issuer="corporate"))) == []


def test_an_adjustment_is_expected_and_hides_no_weakening() -> None:
    items, adjusted = live(), copy.deepcopy(one(render(GRAPH), "Deployment", "orders"))
    for workload in (adjusted, one(items, "Deployment", "orders")):
        workload["spec"]["template"]["spec"]["nodeSelector"] = {"pool": "shop"}
    inventory = Inventory(tuple(Object(item) for item in items))
    assert [each.path for each in compare(GRAPH, inventory)] == ["spec.template.spec.nodeSelector"]
    assert list(compare(GRAPH, inventory, adjusted=[adjusted])) == []
    for workload in (adjusted, one(items, "Deployment", "orders")):
        workload["spec"]["template"]["spec"]["hostNetwork"] = True
    assert {each.path for each in compare(GRAPH, inventory, adjusted=[adjusted])} == {
        "spec.template.spec.nodeSelector",
        "spec.template.spec.hostNetwork",
    }


@pytest.mark.parametrize(
    ("derived", "live", "same"),
    [
        ({"cpu": "500m"}, {"cpu": "0.5"}, True),
        ({"memory": "1Gi"}, {"memory": "1024Mi"}, True),
        ({"memory": "1Gi"}, {"memory": "1G"}, False),
        ({"a": True}, {"a": 1}, False),
        ({"args": ["a", "b"]}, {"args": ["b", "a"]}, False),
        ({"env": [{"name": "a"}, {"name": "b"}]}, {"env": [{"name": "b"}, {"name": "a"}]}, True),
        ({"ingress": []}, {}, True),
        ({}, {"ingress": []}, False),
        ({"protocol": "UDP"}, {}, False),
        ({}, {"protocol": "TCP"}, True),
        ({}, {"protocol": "UDP"}, False),
    ],
)
def test_differences(derived: Manifest, live: Manifest, same: bool) -> None:
    assert (list(differences(derived, live)) == []) is same


@pytest.mark.parametrize(
    ("subjects", "found"),
    [
        ([("User", "jo", "")], 0),
        ([("ServiceAccount", "deployer", "ci")], 0),
        ([("User", "jo", ""), ("User", "eve", "")], 1),
        ([("ServiceAccount", "deployer", "bank")], 1),
        ([("Group", "jo", "")], 1),
    ],
)
def test_the_deployers_role_is_no_intruder_where_it_is_bound_to_nobody_else(
    subjects: list[tuple[str, str, str]], found: int
) -> None:
    group = "rbac.authorization.k8s.io"
    meta = {"name": f"garrison-deployer-{GRAPH.name}", "namespace": "bank"}
    bound = [{"kind": kind, "name": name, "namespace": space} for kind, name, space in subjects]
    reference = {"apiGroup": group, "kind": "Role", "name": meta["name"]}
    role: dict[str, Any] = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": []}
    binding = {**role, "kind": "RoleBinding", "roleRef": reference, "subjects": bound}
    inventory = Inventory(tuple(map(Object, [*live(), role, binding])))
    cluster = Cluster(deployers=("user:jo", "user:system:serviceaccount:ci:deployer"))
    assert [str(each.object) for each in compare(GRAPH, inventory, cluster=cluster)] == [str(Object(binding))] * found
    renamed = Object({**binding, "metadata": {**meta, "name": "x"}})
    assert str(renamed) in [str(each.object) for each in compare(GRAPH, Inventory((renamed,)), cluster=cluster)]
