"""What each control means for objects: pairs that differ in one thing, of which one is accepted and one refused."""

from __future__ import annotations

import cel
import pytest

from garrison_policies.rules import RULES
from policies.fixtures import findings, objects
from policies.pairs import PAIRS, shown
from policies.written import APP, WEB, binding, policy, workload, written

CASES = [pytest.param(*pair, id=f"{pair[0]}-{pair[1]}".replace(" ", "-")) for pair in PAIRS]


def decided(control: str, texts: str | list[str]) -> set[str]:
    """The objects on which some finding carries the control."""
    together = "---\n".join([texts] if isinstance(texts, str) else texts)
    return {str(one.object) for one in findings(RULES, objects(together)) if control in one.controls}


@pytest.mark.parametrize(("control", "what", "accepted", "refused"), CASES)
def test_one_is_accepted_and_the_other_refused(
    control: str, what: str, accepted: str | list[str], refused: str | list[str]
) -> None:
    assert decided(control, accepted) == set()
    assert decided(control, refused) != set()


def test_cel_says_the_same_of_all_of_them() -> None:
    seen = set()
    for owner, check in ((rule.id, check) for rule in RULES for check in rule.checks):
        program = cel.compile(check.cel())
        for item in shown():
            if item.known_as in check.subject.kinds and (item.template is not None or not check.subject.pod):
                verdict = all(check.require.holds(part, whole) for _, part, whole in check.subject.looks_at(item))
                answer = program.execute({"object": item.body, "variables": {"pod": item.template}})
                assert answer is verdict, f"{owner} on {item.body}"
                seen.add((owner, verdict))
    assert len(seen) > 60, "rules are seen to pass and to fail"


def test_a_role_aggregated_from_others_gives_what_they_give() -> None:
    parts = written(
        "ClusterRole",
        "rules: [{apiGroups: [''], resources: [secrets], verbs: [get]}]",
        name="part",
        more=", labels: {to: sum}",
    )
    aggregated = written(
        "ClusterRole", "aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: sum}}]}", name="sum"
    )
    given = binding("sum", "kind: User, name: ann")
    assert decided("rbac.secrets_read", [aggregated, given]) == set()
    assert "ClusterRoleBinding shop/binding" in decided("rbac.secrets_read", [parts, aggregated, given])


def test_what_a_workload_makes_is_judged_at_the_workload() -> None:
    made = written(
        "Pod",
        f"spec: {APP}",
        name="web-1",
        more=", labels: {app: web}, ownerReferences: [{kind: Deployment, name: web}]",
    )
    assert decided("net.policy_missing", [workload(), made]) == {"Deployment shop/web"}
    assert decided("net.policy_missing", made) == {"Pod shop/web-1"}, "its owner is not in sight"


def test_an_allow_all_isolates_nobody() -> None:
    """Found on the policy, and on the workload that has no other; any other that selects it is enough."""
    everybody = policy(f"{WEB}, ingress: [{{}}]")
    assert decided("net.policy_missing", [workload(), everybody]) == {
        "Deployment shop/web",
        "NetworkPolicy shop/policy",
    }
    assert decided("net.policy_missing", [workload(), everybody, policy("podSelector: {}")]) == {
        "NetworkPolicy shop/policy"
    }


@pytest.mark.parametrize("kind", ["Pod", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Rollout"])
def test_everything_that_runs_pods_is_isolated(kind: str) -> None:
    template = f"metadata: {{labels: {{app: web}}}}, spec: {APP}"
    body = {
        "Pod": f"spec: {APP}",
        "CronJob": f"spec: {{jobTemplate: {{spec: {{template: {{{template}}}}}}}}}",
    }.get(kind, f"spec: {{template: {{{template}}}}}")
    item = written(kind, body, more=", labels: {app: web}")
    assert decided("net.policy_missing", [item, policy(WEB)]) == set()
    assert decided("net.policy_missing", [item, policy("podSelector: {matchLabels: {app: wob}}")]) == {
        f"{kind} shop/it"
    }


def test_half_written_objects_are_no_error() -> None:
    """Positive control: they are looked at. A file under somebody's hands holds anything."""
    kinds = sorted({kind for rule in RULES for check in rule.checks for kind in check.subject.kinds})
    for spec in (
        "spec: {}",
        "spec: []",
        "spec: word",
        "spec: {template: [], selector: word, rules: [word], tls: word}",
        "rules: [1]",
    ):
        for kind in [*kinds, "HorizontalPodAutoscaler", "HTTPRoute", "ScaledObject"]:
            findings(RULES, objects(written(kind, spec)))
    assert "Ingress shop/it" in decided("ingress.tls", written("Ingress", "spec: {}"))
