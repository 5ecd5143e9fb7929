"""What holds for every rule on pods: wherever the pod stands, and whichever list its container is in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from garrison_policies.language.objects import Object, without_nulls
from garrison_policies.language.rule import Rule
from garrison_policies.rules import RULES
from policies.fixtures import findings, objects, pod_security

Json = Mapping[str, Any]


def under(kind: str, *path: str) -> Callable[[Json], dict[str, Any]]:
    """Puts a pod's metadata and spec into an object of this kind."""

    def wrap(pod: Json) -> dict[str, Any]:
        body: Any = {"metadata": pod.get("metadata", {}), "spec": pod["spec"]}
        for key in reversed(path):
            body = {key: body}
        return {"kind": kind, "metadata": {"name": "app", "namespace": "shop"}, **body}

    return wrap


HOLDERS = {
    "spec.template": (
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "ReplicaSet",
        "ReplicationController",
        "DeploymentConfig",
    ),
    "template": ("PodTemplate",),
    "spec.jobTemplate.spec.template": ("CronJob",),
}
WRAPS = [
    pytest.param(under(kind, *path.split(".")), path, id=kind)
    for path, kinds in {**HOLDERS, "spec.template ": ("Rollout", "CloneSet")}.items()
    for kind in kinds
    for path in [path.strip()]
]
OF_PODS = [rule for rule in RULES if rule.checks and all(check.subject.pod for check in rule.checks)]


@pytest.mark.parametrize(("wrap", "path"), WRAPS)
def test_a_pod_is_judged_alike_wherever_it_stands(wrap: Callable[[Json], dict[str, Any]], path: str) -> None:
    pods = [case.pod for case in pod_security()] + [item for rule in OF_PODS for item in objects(rule.bad)]
    pods = [pod for pod in pods if pod.kind == "Pod"]
    for pod in pods:
        bare = {(one.rule, f"{path}.{one.path}") for one in findings(OF_PODS, [pod])}
        assert {(one.rule, one.path) for one in findings(OF_PODS, [Object(wrap(pod.body))])} == bare, pod.file


def in_container(rule: Rule) -> bool:
    return all(one.path.startswith("spec.containers") for one in findings([rule], objects(rule.bad)))


@pytest.mark.parametrize(
    "rule", [pytest.param(rule, id=rule.id) for rule in OF_PODS if rule.tags and in_container(rule)]
)
@pytest.mark.parametrize("place", ["initContainers", "ephemeralContainers"])
def test_pod_security_looks_at_every_container(rule: Rule, place: str) -> None:
    (bad,) = objects(rule.bad)
    spec = dict(bad.body["spec"])
    spec[place] = spec.pop("containers")
    (one,) = findings([rule], [Object({**bad.body, "spec": spec})])
    assert one.path.startswith(f"spec.{place}[0]")


def test_what_is_null_is_not_there() -> None:
    (pod,) = objects(next(rule.good for rule in RULES if rule.id == "privileged-container"))
    container = {**pod.body["spec"]["containers"][0], "securityContext": None, "ports": None}
    body = {**pod.body, "spec": {**pod.body["spec"], "volumes": None, "containers": [container]}}
    said = {(one.rule, one.path) for one in findings(OF_PODS, [Object(body)])}
    assert said == {(one.rule, one.path) for one in findings(OF_PODS, [Object(without_nulls(body))])}


def test_a_template_without_containers_still_has_its_pods_settings() -> None:
    body = {"kind": "Deployment", "spec": {"template": {"spec": {"hostNetwork": True}}}}
    assert [one.path for one in findings(RULES, [Object(body)]) if one.rule == "host-namespaces"] == [
        "spec.template.spec.hostNetwork"
    ]
    other = {"kind": "ApplicationSet", "spec": {"template": {"spec": {"hostNetwork": True}}}}
    assert findings(OF_PODS, [Object(other)]) == [], "a template of something else than pods"
