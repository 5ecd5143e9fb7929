"""Which objects may be in the default namespace, and what is asked of workloads that keep running only."""

from __future__ import annotations

import pytest

from garrison_policies.language.objects import Object
from garrison_policies.rules import RULES
from policies.fixtures import findings


def broken(kind: str, name: str, namespace: str | None) -> set[str]:
    place = {} if namespace is None else {"namespace": namespace}
    item = Object({"kind": kind, "metadata": {"name": name, **place}})
    return {one.rule for one in findings(RULES, [item]) if {"ns.default", "ns.system"} & set(one.controls)}


@pytest.mark.parametrize(
    ("kind", "name", "namespace", "rules"),
    [
        ("Deployment", "app", "shop", set()),
        ("Deployment", "app", "default", {"default-namespace"}),
        ("Deployment", "app", None, {"namespace-said"}),
        ("Deployment", "app", "kube-system", {"system-namespace"}),
        ("ConfigMap", "app", "default", {"default-namespace"}),
        ("ConfigMap", "app", None, set()),
        ("ConfigMap", "kube-root-ca.crt", "default", set()),
        ("Service", "kubernetes", "default", set()),
        ("Service", "default", "default", {"default-namespace"}),
        ("ServiceAccount", "default", "default", set()),
        ("ClusterRole", "app", None, set()),
    ],
)
def test_a_namespace_of_its_own(kind: str, name: str, namespace: str | None, rules: set[str]) -> None:
    assert broken(kind, name, namespace) == rules


@pytest.mark.parametrize(("policy", "needs"), [("", True), ("Always", True), ("Never", False), ("OnFailure", False)])
def test_what_runs_to_completion_needs_no_probe(policy: str, needs: bool) -> None:
    template = {"spec": {"containers": [{"name": "app"}], **({"restartPolicy": policy} if policy else {})}}
    body = {"kind": "Job", "metadata": {"name": "job"}, "spec": {"template": template}}
    assert any(one.rule == "probes" for one in findings(RULES, [Object(body)])) is needs
