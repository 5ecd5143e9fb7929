"""What whoever deploys needs: no more than is made, read off what is made; and what is said where it is missing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given as sample
from hypothesis import strategies as st

from garrison import cli
from garrison.settings import parse
from garrison_stack import permitted, questions, roles
from garrison_stack.right import Right, given, rules
from garrison_stack.rights import RBAC, Rights, namespaces, of_rule, resource
from garrison_stack.whole import Whole, whole
from harness import build
from unit.deployers import foreign_settings, permitted_app
from unit.estates import shop_app

WORDS = st.sampled_from(("", "a", "b"))
RIGHTS = st.frozensets(st.builds(Right, st.just(""), WORDS, WORDS.filter(bool), WORDS.filter(bool), WORDS))
Granted = list[dict[str, Any]]


@pytest.fixture
def what(tmp_path: Path) -> Whole:
    return whole(permitted_app(), parse(foreign_settings(tmp_path), {}))


@pytest.fixture
def small(tmp_path: Path) -> Whole:
    return whole(shop_app(), parse(foreign_settings(tmp_path), {}))


def rules_of(granted: Granted, space: str) -> list[dict[str, Any]]:
    """What holds in a namespace: its own rules, and those of the cluster."""
    homes = {"Role": space, "ClusterRole": ""}
    return [
        rule
        for item in granted
        if item["kind"] in homes and item["metadata"].get("namespace", "") in ("", space)
        for rule in item["rules"]
    ]


def objects(what: Whole) -> Granted:
    return [*roles.objects("estate", Rights.of(what).every, namespaces(what).values(), roles.subjects(["user:jo"]))]


@sample(RIGHTS)
def test_rules_give_exactly_the_rights_that_they_are_made_of(wanted: frozenset[Right]) -> None:
    made = rules(wanted)
    assert all(given(right, made) for right in wanted)
    assert all(given(right, rules(wanted)) for rule in made for right in of_rule("", rule))
    assert all(sum(given(right, [rule]) for rule in made) == 1 for right in wanted), "each said once"


def test_every_object_is_made_and_taken_away(what: Whole) -> None:
    granted = objects(what)
    items = [item for step in what.steps() for item in step.items]
    assert len(items) > 60
    for item in items:
        space, name = item["metadata"].get("namespace", ""), item["metadata"]["name"]
        for verb in ("get", "patch", "delete", *(["create"] if item["kind"] != "Namespace" else [])):
            assert given(Right(space, *resource(item), verb, name), rules_of(granted, space)), (verb, item["kind"])


def test_on_somebody_elses_platform_it_stays_small(small: Whole) -> None:
    everything = [rule for item in objects(small) for rule in item.get("rules", ())]
    words = {word for rule in everything for part in rule.values() for word in part}
    assert not {"*", "secrets", "bind", "escalate", "impersonate", "roles", "clusterroles", "pods/exec"} & words
    (cluster,) = (item for item in objects(small) if item["kind"] == "ClusterRole")
    unnamed = [rule for rule in cluster["rules"] if "resourceNames" not in rule]
    assert {verb for rule in unnamed for verb in rule["verbs"]} == {"get", "list", "watch", "create"}
    assert [rule["resources"] for rule in unnamed if "create" in rule["verbs"]] == [["subjectaccessreviews"]]
    assert {item["metadata"].get("namespace", "") for item in objects(small)} == {"", "bank", "shop", "platform-team"}


def test_what_a_workload_is_given_is_held_and_the_names_of_its_role_are_said(what: Whole) -> None:
    bank = rules_of(objects(what), "bank")
    assert given(Right("bank", "shop.example", "widgets", "delete"), bank)
    assert given(Right("bank", RBAC, "rolebindings", "patch", "audit"), bank)
    assert not given(Right("bank", RBAC, "rolebindings", "patch", "another"), bank), "nor its own"
    assert not given(Right("shop", "shop.example", "widgets", "delete"), rules_of(objects(what), "shop"))


def test_a_binding_to_a_role_of_somebody_elses_is_leave_to_bind_that_one(small: Whole) -> None:
    bound = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "x"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "system:auth-delegator"},
    }
    rights = Rights.of(replace(small, admission=(bound,)))
    assert rights.held == {Right("", RBAC, "clusterroles", "bind", "system:auth-delegator")}


def test_what_is_asked_depends_on_where_the_store_is(small: Whole) -> None:
    """Outside: a token, unless one is there. In the cluster: a way to it, too."""
    asked = {*questions.asked(small, logs_in=True)}
    token = Right("platform-team", "", "serviceaccounts/token", "create", "deployer")
    assert asked - {*questions.asked(small, logs_in=False)} == {token}
    assert "pods/portforward" not in {right.resource for right in asked}


def test_with_a_platform_of_its_own_it_is_an_administrators_and_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", f"{build.binary('helm').parent}:/usr/bin:/bin")
    monkeypatch.setenv("GARRISON_CHARTS", str(build.obtain("charts")))
    (tmp_path / "estate.json").write_text(shop_app().graph().to_json())
    assert cli.main(["deployer", "--app", str(tmp_path / "estate.json"), "--account", "ci/deployer"]) == 0
    said = capsys.readouterr().out
    assert "# NOT SMALL: cert-manager, trust-manager, OpenBao are installed here too" in said
    granted = [*yaml.safe_load_all(said)]
    cluster = rules_of(granted, "")
    assert given(Right("", "", "secrets", "get", "any"), cluster), "cert-manager's own right, which is given to it"
    assert given(Right("", "authentication.k8s.io", "tokenreviews", "create"), cluster), "OpenBao's"
    assert given(Right("openbao", "", "pods/portforward", "create"), rules_of(granted, "openbao"))


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    """An App and a stack's file, as arguments."""
    (tmp_path / "estate.json").write_text(shop_app().graph().to_json())
    config = {f"garrison:{key}": value for key, value in foreign_settings(tmp_path).items()}
    (tmp_path / "Pulumi.x.yaml").write_text(yaml.safe_dump({"config": config}))
    return ["deployer", "--app", str(tmp_path / "estate.json"), "--cluster", str(tmp_path / "Pulumi.x.yaml")]


def printed(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> Granted:
    assert cli.main(arguments) == 0
    return [*yaml.safe_load_all(capsys.readouterr().out)]


@pytest.mark.parametrize(
    ("who", "subject"),
    [
        ([], {"apiGroup": RBAC, "kind": "User", "name": "jo"}),
        (["--user", "ann"], {"apiGroup": RBAC, "kind": "User", "name": "ann"}),
        (["--user", "system:serviceaccount:ci:x"], {"kind": "ServiceAccount", "name": "x", "namespace": "ci"}),
        (["--group", "ops"], {"apiGroup": RBAC, "kind": "Group", "name": "ops"}),
        (["--account", "ci/deployer"], {"kind": "ServiceAccount", "name": "deployer", "namespace": "ci"}),
    ],
)
def test_it_is_for_whoever_is_named_or_deploys_by_the_settings(
    program: list[str], capsys: pytest.CaptureFixture[str], who: list[str], subject: dict[str, str]
) -> None:
    granted = printed([*program, *who], capsys)
    bindings = [item for item in granted if item["kind"].endswith("Binding")]
    assert [item["subjects"] for item in bindings] == [[subject]] * 4
    spaces = [item for item in granted if item["kind"] == "Namespace"]
    assert granted[:2] == spaces, "first: roles stand in them"
    assert {item["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] for item in spaces} == {"restricted"}


@pytest.mark.parametrize(
    ("who", "told"),
    [
        (["--account", "deployer"], "'deployer' is no service account: write NAMESPACE/NAME"),
        (["--account", "a/b/c"], "'a/b/c' is no service account"),
        (["--group", "system:authenticated"], "'group:system:authenticated' is nobody in particular"),
        (["--user", ""], "'user:' is nobody in particular"),
        (["--group", "system:masters"], "nobody is named who deploys: say --account"),
    ],
)
def test_and_for_nobody_else(program: list[str], capsys: pytest.CaptureFixture[str], who: list[str], told: str) -> None:
    assert cli.main([*program, *who]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert told in said.err
    assert len(said.err.splitlines()) == 1


def test_what_was_there_before_may_be_taken_away_too(
    program: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    old = shop_app()
    old.namespace("annex").service("clerk", image=f"registry.example/clerk@sha256:{'0' * 64}", port=80)
    (tmp_path / "old.json").write_text(old.graph().to_json())
    new, both = (printed([*program, *more], capsys) for more in ([], ["--instead-of", str(tmp_path / "old.json")]))
    gone = Right("annex", "apps", "deployments", "delete", "clerk")
    assert [given(gone, rules_of(granted, "annex")) for granted in (new, both)] == [False, True]
    assert [
        [item["metadata"]["name"] for item in granted if item["kind"] == "Namespace"] for granted in (new, both)
    ] == [
        ["bank", "shop"],
        ["annex", "bank", "shop"],
    ]


# --- what is said where one is missing -------------------------------------------------------------------------------


class Cluster:
    """Answers as an API server of which the rules and what else it allows are known."""

    def __init__(self, granted: Granted, *, besides: frozenset[Right] = frozenset()) -> None:
        self.granted, self.besides, self.asked = granted, besides, 0

    def __call__(self, arguments: Sequence[str], *, stdin: str) -> str:
        return "\n".join(json.dumps(self._said(one), indent=1) for one in json.loads(stdin)["items"])

    def _said(self, review: dict[str, Any]) -> dict[str, Any]:
        spec = review["spec"]
        if review["kind"] == "SelfSubjectRulesReview":
            return {**review, "status": {"resourceRules": rules_of(self.granted, spec["namespace"])}}
        return {**review, "status": {"allowed": self._judged(spec["resourceAttributes"])}}

    def _judged(self, asked: dict[str, str]) -> bool:
        self.asked += 1
        plural = "/".join(filter(None, (asked["resource"], asked["subresource"])))
        right = Right(asked["namespace"], asked["group"], plural, asked["verb"], asked["name"])
        return right in self.besides


def said(what: Whole, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(permitted, "kubectl", cluster)
    try:
        permitted.check(what)
    except permitted.RightsError as error:
        return [str(problem) for problem in error.problems]
    return []


def without(granted: Granted, space: str, plural: str, group: str = "") -> Granted:
    """The same without the rules of one kind."""
    return [
        {
            **item,
            "rules": [rule for rule in item["rules"] if (rule["resources"], rule["apiGroups"]) != ([plural], [group])],
        }
        if item["kind"] == "Role" and item["metadata"]["namespace"] == space
        else item
        for item in granted
    ]


def test_who_has_all_of_it_is_asked_once_a_namespace(what: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(objects(what))
    assert said(what, cluster, monkeypatch) == []
    assert cluster.asked == 0


def test_a_right_that_is_missing_is_one_line(what: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(without(objects(what), "bank", "networkpolicies", "networking.k8s.io"))
    line = "in namespace bank: may not create, delete, get, patch networkpolicies.networking.k8s.io"
    assert said(what, cluster, monkeypatch) == [line]
    every = Rights.of(what).made
    besides = frozenset(right for right in every if right.resource == "networkpolicies")
    cluster = Cluster(cluster.granted, besides=besides)
    assert said(what, cluster, monkeypatch) == [], "a cluster may allow it by other means than RBAC's"


def test_what_nobody_could_give_is_said_unless_more_may_be_given_than_is_held(
    what: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = without(objects(what), "bank", "widgets", "shop.example")
    assert said(what, Cluster(fewer), monkeypatch) == ["in namespace bank: may not delete, get widgets.shop.example"]
    escalates = frozenset({Right("bank", RBAC, "roles", "escalate")})
    assert said(what, Cluster(fewer, besides=escalates), monkeypatch) == []


def test_a_namespace_without_any_role_is_one_line_and_so_is_the_cluster(
    what: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = [item for item in objects(what) if item["metadata"].get("namespace") != "bank"]
    assert said(what, Cluster(fewer), monkeypatch) == ["in namespace bank: nothing of what is needed"]
    assert said(what, Cluster([]), monkeypatch)[0] == "in the whole cluster: nothing of what is needed"


def test_no_role_of_a_namespace_counts_for_the_cluster(small: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    spaces = ("bank", "shop", "platform-team", "default")
    almighty: Granted = [{"kind": "Role", "metadata": {"namespace": space}, "rules": [everything]} for space in spaces]
    assert said(small, Cluster(almighty), monkeypatch) == ["in the whole cluster: nothing of what is needed"]
    assert said(small, Cluster([{"kind": "ClusterRole", "metadata": {}, "rules": [everything]}]), monkeypatch) == []


def test_names_of_a_line_are_counted(small: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    granted = objects(small)
    for item in granted:
        if item["kind"] == "ClusterRole":
            item["rules"] = [rule for rule in item["rules"] if "validatingadmissionpolicies" not in rule["resources"]]
    lines = said(small, Cluster(granted), monkeypatch)
    assert len(lines) == 3
    assert all(len(line) < 260 for line in lines), lines
    assert sum(line.endswith(" more") for line in lines) == 2
