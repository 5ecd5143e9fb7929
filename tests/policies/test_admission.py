"""The admission policies as written: every enforced rule in them, closed on failure, exceptions for nobody else."""

from __future__ import annotations

import datetime
from typing import Any

import cel
import pytest

from garrison_policies.exceptions.exempt import covered
from garrison_policies.exceptions.file import PolicyException
from garrison_policies.places import admission
from garrison_policies.rules import RULES

LAST_DAY = datetime.date(2030, 6, 30)
BEFORE, AFTER = "2030-06-30T23:59:59Z", "2030-07-01T00:00:00Z"
REPLICA_SETS = "system:serviceaccount:kube-system:replicaset-controller"
DEPLOYMENTS = "system:serviceaccount:kube-system:deployment-controller"


def written(**choice: Any) -> list[dict[str, Any]]:
    return admission.manifests(RULES, **choice)


def specs(kind: str, **choice: Any) -> list[dict[str, Any]]:
    return [item["spec"] for item in written(**choice) if item["kind"] == kind]


def test_nothing_is_in_the_path_but_the_api_server_and_it_closes_on_failure() -> None:
    assert {item["kind"] for item in written()} == {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    assert {spec["failurePolicy"] for spec in specs("ValidatingAdmissionPolicy")} == {"Fail"}
    assert not any("paramKind" in spec for spec in specs("ValidatingAdmissionPolicy")), "a parameter can be deleted"


def test_every_policy_is_bound_to_everything() -> None:
    bound = {spec["policyName"] for spec in specs("ValidatingAdmissionPolicyBinding")}
    assert bound == {item["metadata"]["name"] for item in written() if item["kind"] == "ValidatingAdmissionPolicy"}
    assert not any("matchResources" in spec for spec in specs("ValidatingAdmissionPolicyBinding"))


@pytest.mark.parametrize(("mode", "action"), [("deny", "Deny"), ("warn", "Warn")])
def test_the_mode_decides_what_a_binding_does(mode: Any, action: str) -> None:
    found = {tuple(spec["validationActions"]) for spec in specs("ValidatingAdmissionPolicyBinding", mode=mode)}
    assert found == {(action, "Audit")}


def test_every_enforced_rule_is_there_and_names_itself() -> None:
    messages = [one["message"] for spec in specs("ValidatingAdmissionPolicy") for one in spec["validations"]]
    for rule in admission.enforced(RULES):
        assert any(text.startswith(f"{rule.id}: ") for text in messages), rule.id
    assert "privileged-container" in {rule.id for rule in admission.enforced(RULES)}
    assert not any("\n" in text for text in messages)


def test_rules_that_are_not_enforced_say_why() -> None:
    names = {rule.id for rule in admission.enforced(RULES)}
    for rule in RULES:
        assert rule.id in names or rule.look is not None or rule.why_not_admission, rule.id


def test_every_expression_compiles() -> None:
    for spec in specs("ValidatingAdmissionPolicy"):
        for one in (*spec["validations"], *spec["matchConditions"], *spec.get("variables", ())):
            cel.compile(one["expression"])


def test_a_system_namespace_is_left_out_by_its_name() -> None:
    for spec in specs("ValidatingAdmissionPolicy", system_namespaces=["kube-system", "storage"]):
        (away,) = spec["matchConstraints"]["namespaceSelector"]["matchExpressions"]
        # the API server sets this label itself: nobody can give it to another namespace
        assert away == {
            "key": "kubernetes.io/metadata.name",
            "operator": "NotIn",
            "values": ["kube-system", "storage"],
        }


def exempt(kind: str, name: str, **metadata: Any) -> bool:
    exception = PolicyException(
        rule="r", kind="Deployment", namespace="shop", name="web", owner="o", reason="r", expires=LAST_DAY
    )
    user = metadata.pop("user", "alice")
    written_at = metadata.pop("written", BEFORE)
    fields = [{"manager": "m", "time": written_at}]
    item = {"kind": kind, "metadata": {"name": name, "namespace": "shop", "managedFields": fields, **metadata}}
    return bool(cel.evaluate(covered(exception), {"object": item, "request": {"userInfo": {"username": user}}}))


def owned(kind: str, name: str) -> list[dict[str, Any]]:
    return [{"kind": kind, "name": name, "controller": True}]


def test_an_exception_covers_its_object_until_its_last_day() -> None:
    assert exempt("Deployment", "web")
    assert not exempt("Deployment", "web", written=AFTER)


@pytest.mark.parametrize("other", [{"name": "web-admin"}, {"name": "we"}, {"namespace": "bank"}])
def test_an_exception_never_covers_a_sibling(other: dict[str, str]) -> None:
    assert not exempt("Deployment", **({"name": "web"} | other))


def test_an_exception_covers_what_controllers_make_of_the_object() -> None:
    assert exempt("ReplicaSet", "web-5d4f", user=DEPLOYMENTS, ownerReferences=owned("Deployment", "web"))
    assert exempt("Pod", "web-5d4f-x1", user=REPLICA_SETS, ownerReferences=owned("ReplicaSet", "web-5d4f"))


@pytest.mark.parametrize(
    ("kind", "name", "user", "owners"),
    [
        ("Pod", "web-5d4f-x1", "alice", owned("ReplicaSet", "web-5d4f")),  # anyone can write an owner
        ("ReplicaSet", "web-5d4f", "alice", owned("Deployment", "web")),
        ("Pod", "web-admin-5d4f-x1", REPLICA_SETS, owned("ReplicaSet", "web-admin-5d4f")),  # a sibling's pod
        ("ReplicaSet", "web-admin-5d4f", DEPLOYMENTS, owned("Deployment", "web-admin")),
        ("Pod", "web-5d4f-x1", REPLICA_SETS, owned("StatefulSet", "web-5d4f")),
        ("Pod", "web", REPLICA_SETS, []),
    ],
)
def test_what_only_looks_made_of_the_object_is_not_covered(
    kind: str, name: str, user: str, owners: list[dict[str, Any]]
) -> None:
    assert not exempt(kind, name, user=user, ownerReferences=owners)


def test_the_way_through_is_only_for_the_rule_of_the_exception() -> None:
    exception = PolicyException(
        rule="privileged-container",
        kind="Deployment",
        namespace="shop",
        name="web",
        owner="platform team",
        reason="test",
        expires=LAST_DAY,
    )
    ways = {
        one["message"].partition(":")[0]: "2030-07-01" in one["expression"]
        for spec in specs("ValidatingAdmissionPolicy", exceptions=[exception])
        for one in spec["validations"]
    }
    assert {name for name, open_ in ways.items() if open_} == {"privileged-container"}
