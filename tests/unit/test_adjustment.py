"""What a program adjusts is where and how large a workload runs; what protects it is refused, whatever the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from garrison import IntentError, render
from garrison.derive.adjustment import adjust_all
from unit.estates import shop_app

Manifest = dict[str, Any]
ITEMS = render(shop_app().graph())


def adjusting(kind: str, change: Callable[[Manifest], object]) -> Callable[[Manifest], Manifest]:
    def adjust(item: Manifest) -> Manifest:
        if item["kind"] == kind:
            change(item)
        return item

    return adjust


def pod(item: Manifest) -> Manifest:
    spec: Manifest = item["spec"]["template"]["spec"]
    return spec


FINE: dict[str, tuple[str, Callable[[Manifest], object]]] = {
    "where": ("Deployment", lambda m: pod(m).update(nodeSelector={"pool": "shop"}, tolerations=[{"key": "shop"}])),
    "how much": ("Deployment", lambda m: pod(m)["containers"][0]["resources"]["limits"].update(memory="1Gi")),
    "how many": ("Deployment", lambda m: m["spec"].update(replicas=7)),
    "pull secrets": ("Deployment", lambda m: pod(m).update(imagePullSecrets=[{"name": "registry"}])),
    "volume": ("StatefulSet", lambda m: m["spec"]["volumeClaimTemplates"][0]["spec"].update(storageClassName="fast")),
    "a note": ("Service", lambda m: m["metadata"].update(annotations={"team": "shop", "prometheus.io/scrape": "yes"})),
    "a note on pods": (
        "Deployment",
        lambda m: m["spec"]["template"]["metadata"]["annotations"].update({"company.example/owner": "shop"}),
    ),
}

REFUSED: dict[str, tuple[str, Callable[[Manifest], object], str]] = {
    "open policy": ("NetworkPolicy", lambda m: m["spec"].update(ingress=[{}]), "spec.ingress"),
    "egress": ("NetworkPolicy", lambda m: m["spec"].update(egress=[{}]), "spec.egress"),
    "policy types": ("NetworkPolicy", lambda m: m["spec"].update(policyTypes=["Egress"]), "spec.policyTypes"),
    "another selector": ("NetworkPolicy", lambda m: m["spec"].update(podSelector={"matchLabels": {"a": "b"}}), "spec."),
    "security context": ("Deployment", lambda m: pod(m)["containers"][0].pop("securityContext"), "securityContext"),
    "root": ("Deployment", lambda m: pod(m)["securityContext"].update(runAsNonRoot=False), "runAsNonRoot"),
    "host network": ("Deployment", lambda m: pod(m).update(hostNetwork=True), "hostNetwork"),
    "host users": ("Deployment", lambda m: pod(m).update(hostUsers=True), "hostUsers"),
    "a volume": ("Deployment", lambda m: pod(m)["volumes"].append({"name": "h", "hostPath": {"path": "/"}}), "volumes"),
    "a container": ("Deployment", lambda m: pod(m)["containers"].append({"name": "x"}), "containers"),
    "an image": ("Deployment", lambda m: pod(m)["containers"][0].update(image="x:latest"), "image"),
    "the account": ("Deployment", lambda m: pod(m).update(serviceAccountName="default"), "serviceAccountName"),
    "a token": ("Deployment", lambda m: pod(m).update(automountServiceAccountToken=True), "automount"),
    "the proxy": ("ConfigMap", lambda m: m["data"].update({"envoy.json": "{}"}), "data.envoy.json"),
    "immutable": ("ConfigMap", lambda m: m.update(immutable=True), "immutable"),
    "an identity": ("Certificate", lambda m: m["spec"].update(uris=["spiffe://x/ns/a/sa/b"]), "spec.uris"),
    "longer": ("Certificate", lambda m: m["spec"].update(duration="8760h"), "spec.duration"),
    "node port": ("Service", lambda m: m["spec"].update(type="NodePort"), "spec.type"),
    "external": ("Service", lambda m: m["spec"].update(externalIPs=["203.0.113.1"]), "spec.externalIPs"),
    "pod security": (
        "Namespace",
        lambda m: m["metadata"]["labels"].update({"pod-security.kubernetes.io/enforce": "privileged"}),
        "pod-security.kubernetes.io/enforce",
    ),
    "a label taken": ("Deployment", lambda m: m["metadata"]["labels"].popitem(), "metadata.labels"),
    "the way to the store": (
        "Deployment",
        lambda m: m["spec"]["template"]["metadata"]["labels"].update({"garrison.dev/secret-store": "true"}),
        "garrison.dev/secret-store",
    ),
    "no apparmor": (
        "Deployment",
        lambda m: m["spec"]["template"]["metadata"]["annotations"].update(
            {"container.apparmor.security.beta.kubernetes.io/app": "unconfined"}
        ),
        "apparmor",
    ),
    "another mesh": ("Namespace", lambda m: m["metadata"]["labels"].update({"istio-injection": "enabled"}), "istio"),
    "quota": ("ResourceQuota", lambda m: m["spec"]["hard"].update({"services.nodeports": "5"}), "spec.hard"),
    "another object": ("Service", lambda m: m["metadata"].update(name="other"), "metadata.name"),
    "another kind": ("NetworkPolicy", lambda m: m.update(kind="ConfigMap"), "kind"),
    "a database's script": ("StatefulSet", lambda m: pod(m)["containers"][0].update(command=["/bin/true"]), "command"),
}


@pytest.mark.parametrize("name", FINE)
def test_what_is_not_a_protection_may_be_adjusted(name: str) -> None:
    adjusted, changed = adjust_all(ITEMS, adjusting(*FINE[name]))
    assert changed == [ours for ours, derived in zip(adjusted, ITEMS, strict=True) if ours != derived] != []
    assert adjust_all(ITEMS, lambda item: item) == (ITEMS, [])
    assert render(shop_app().graph()) == ITEMS, "what was derived is not touched"


@pytest.mark.parametrize("name", REFUSED)
def test_a_protection_is_not_adjusted(name: str) -> None:
    kind, change, where = REFUSED[name]
    with pytest.raises(IntentError) as error:
        adjust_all(ITEMS, adjusting(kind, change))
    assert all(where in str(problem) for problem in error.value.problems), error.value


def test_an_object_is_not_dropped() -> None:
    with pytest.raises(IntentError, match="gives no object back"):
        adjust_all(ITEMS, lambda item: None if item["kind"] == "NetworkPolicy" else item)  # type: ignore[arg-type, return-value]
