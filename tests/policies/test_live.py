"""The live cluster, by a kubectl that answers from a table: all is read or nothing is said to be clean."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import pytest

from garrison.kube import KubectlError
from garrison_policies.language.evaluate import evaluate
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.places import live
from garrison_policies.read.files import CheckError
from garrison_policies.rules import RULES
from policies.fixtures import objects
from unit.estates import shop_app
from unit.verbs import check as main

Body = dict[str, Any]
PRIVILEGED = {"containers": [{"name": "app", "image": "x", "securityContext": {"privileged": True}}]}
ONLY = ["--live", "--rules", "privileged-container", "--format", "json"]


def thing(kind: str, name: str, namespace: str = "shop", *, owner: Body | None = None, **body: Any) -> Body:
    metadata: Body = {"name": name, "namespace": namespace, "uid": f"{kind}-{namespace}-{name}"}
    if owner is not None:
        metadata["ownerReferences"] = [{"kind": owner["kind"], "uid": owner["metadata"]["uid"], "controller": True}]
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **body}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Callable[..., None]:
    """A cluster with these objects, by resource; `refused` and `unserved` resources cannot be read."""
    monkeypatch.chdir(tmp_path)

    def answer(objects: dict[str, list[Body]], refused: Sequence[str] = (), unserved: Sequence[str] = ()) -> None:
        served = [name for name in (*live.BUILT_IN, *objects) if name not in unserved]

        def kubectl(arguments: Sequence[str]) -> str:
            if arguments[0] == "api-resources":
                return "\n".join(served)
            if arguments[1] in refused:
                raise KubectlError(f"kubectl get: {arguments[1]} is forbidden")
            return json.dumps({"kind": "List", "items": objects.get(arguments[1], [])})

        monkeypatch.setattr(live, "kubectl", kubectl)

    return answer


def test_a_workload_answers_for_its_pods(cluster: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    web = thing("Deployment", "web", spec={"template": {"spec": PRIVILEGED}})
    replicas = thing("ReplicaSet", "web-1", owner=web, spec={"replicas": 1, "template": {"spec": PRIVILEGED}})
    before = {"containers": [{"name": "before", "image": "x", "securityContext": {"privileged": True}}]}
    old = thing("ReplicaSet", "web-0", owner=web, spec={"replicas": 0, "template": {"spec": before}})
    pod = thing("Pod", "web-1-x", owner=replicas, spec=PRIVILEGED)
    stray = thing("Pod", "web-1-y", spec=PRIVILEGED)
    cluster({"deployments.apps": [web], "replicasets.apps": [replicas, old], "pods": [pod, stray]})
    assert main(ONLY) == 1
    rows = json.loads(capsys.readouterr().out)["findings"]
    assert [(row["object"]["kind"], row["object"]["name"]) for row in rows] == [
        ("Pod", "web-1-y"),
        ("Deployment", "web"),
    ]
    assert {row["file"] for row in rows} == {"live"}


def test_what_a_pod_has_besides_its_template_is_its_own(
    cluster: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    clean = {"containers": [{"name": "app", "image": "x"}]}
    web = thing("ReplicaSet", "web", spec={"replicas": 1, "template": {"spec": clean}})
    debugged = {**clean, "ephemeralContainers": [{"name": "debug", "securityContext": {"privileged": True}}]}
    cluster({"replicasets.apps": [web], "pods": [thing("Pod", "web-x", owner=web, spec=debugged)]})
    assert main(ONLY) == 1
    (row,) = json.loads(capsys.readouterr().out)["findings"]
    assert (row["object"]["name"], row["path"]) == ("web-x", "spec.ephemeralContainers[0].securityContext.privileged")


def test_the_control_plane_is_counted_apart(cluster: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    cluster({"pods": [thing("Pod", "etcd", "kube-system", spec=PRIVILEGED)]})
    assert main(ONLY) == 0
    assert "1 finding in the control plane's own objects not counted; --system counts them" in capsys.readouterr().err
    assert main([*ONLY, "--system"]) == 1


def test_kubernetes_makes_the_namespace_default_and_somebody_what_is_in_it(
    cluster: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    (tmp_path / "Pulumi.x.yaml").write_text("config:\n  garrison:admissionScope: everywhere\n")
    rules = "namespace-pod-security,privileged-container"
    asked = ["--live", "--rules", rules, "--format", "json", "--cluster", str(tmp_path / "Pulumi.x.yaml")]
    cluster({"namespaces": [thing("Namespace", "default", "")]})
    assert main(asked) == 0
    assert "1 finding in the control plane's own objects" in capsys.readouterr().err
    cluster({"namespaces": [thing("Namespace", "theirs", "")]})
    assert main(asked) == 1, "the control"
    cluster({"pods": [thing("Pod", "p", "default", spec=PRIVILEGED)]})
    assert main(asked) == 1


def test_other_peoples_namespaces_are_read_named_and_not_counted(
    cluster: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    ours = thing("Namespace", "shop", "")
    ours["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "garrison"}
    theirs = thing("Pod", "provisioner", "storage", spec=PRIVILEGED)
    cluster({"namespaces": [ours, thing("Namespace", "storage", "")], "pods": [theirs]})
    assert main(ONLY) == 0
    said = "1 finding in namespaces that Garrison does not manage not counted (storage 1); --everywhere counts them"
    assert said in capsys.readouterr().err
    assert main([*ONLY, "--everywhere"]) == 1
    cluster({"namespaces": [ours], "pods": [theirs, thing("Pod", "web", spec=PRIVILEGED)]})
    assert main(ONLY) == 1, "what is in ours counts"
    cluster({"namespaces": [thing("Namespace", "storage", "")], "pods": [theirs]})
    assert main(ONLY) == 1, "a cluster without an estate is checked whole"


@pytest.mark.parametrize(
    ("setting", "found", "left_out"),
    [
        ("admissionScope: estate", {"ours"}, "scope (estate) not counted (cert-manager 1, invited 1, theirs 1)"),
        ("admissionScope: labelled", {"ours", "invited"}, "scope (labelled) not counted (cert-manager 1, theirs 1)"),
        ("admissionScope: everywhere", {"ours", "invited", "theirs", "cert-manager"}, ""),
        ("installCertManager: false", {"ours"}, "scope (estate) not counted"),
        ("admission: warn", {"ours", "invited", "theirs", "cert-manager"}, ""),
    ],
)
def test_the_scope_is_that_of_admission(
    cluster: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Any,
    setting: str,
    found: set[str],
    left_out: str,
) -> None:
    (tmp_path / "Pulumi.x.yaml").write_text(f"config:\n  garrison:{setting}\n  garrison:systemNamespaces: [csi]\n")
    labels = {
        "ours": {"app.kubernetes.io/managed-by": "garrison"},
        "invited": {"garrison.dev/admission": "enforced"},
        "almost": {"garrison.dev/admission": "perhaps"},
    }
    spaces = [thing("Namespace", name, "") for name in ("ours", "invited", "theirs", "almost", "csi", "cert-manager")]
    for space in spaces:
        space["metadata"]["labels"] = labels.get(space["metadata"]["name"], {})
    pods = [thing("Pod", "p", name, spec=PRIVILEGED) for name in ("ours", "invited", "theirs", "csi", "cert-manager")]
    cluster({"namespaces": spaces, "pods": pods})
    assert main([*ONLY, "--cluster", str(tmp_path / "Pulumi.x.yaml")]) == 1
    said = capsys.readouterr()
    assert {row["object"]["namespace"] for row in json.loads(said.out)["findings"]} == found
    assert left_out in said.err and ("scope" in said.err) is bool(left_out)
    assert "1 finding in the control plane's own objects not counted" in said.err, "csi is the cluster's own"


def test_an_estate_stays_in_scope_without_its_labels(cluster: Callable[..., None], tmp_path: Any) -> None:
    (tmp_path / "Pulumi.x.yaml").write_text("config:\n  garrison:admissionScope: estate\n")
    (tmp_path / "graph.json").write_text(shop_app().graph().to_json())
    cluster({"namespaces": [thing("Namespace", "shop", "")], "pods": [thing("Pod", "p", spec=PRIVILEGED)]})
    where = ["--cluster", str(tmp_path / "Pulumi.x.yaml")]
    assert main([*ONLY, *where]) == 0, "without labels nobody knows that it is ours"
    assert main([*ONLY, *where, "--app", str(tmp_path / "graph.json")]) == 1, "the graph does"


def test_another_app_is_for_the_check_of_that_one(
    cluster: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    graph = shop_app().graph()
    (tmp_path / "graph.json").write_text(graph.to_json())
    spaces = [thing("Namespace", name, "") for name in ("shop", "left", "bakery")]
    for space, whose in zip(spaces, (graph.name, graph.name, "bakery"), strict=True):
        space["metadata"]["labels"] = {
            "app.kubernetes.io/managed-by": "garrison",
            "app.kubernetes.io/part-of": whose,
        }
    pods = [thing("Pod", "p", space["metadata"]["name"], spec=PRIVILEGED) for space in spaces]
    cluster({"namespaces": spaces, "pods": pods})

    def counted(scope: str, *more: str) -> set[str]:
        (tmp_path / "Pulumi.x.yaml").write_text(f"config:\n  garrison:admissionScope: {scope}\n")
        main([*ONLY, "--cluster", str(tmp_path / "Pulumi.x.yaml"), *more])
        return {row["object"]["namespace"] for row in json.loads(capsys.readouterr().out)["findings"]}

    app = ("--app", str(tmp_path / "graph.json"))
    assert counted("estate", *app) == {"shop", "left"}, "its own, with what it no longer declares"
    assert counted("estate") == counted("everywhere", *app) == {"shop", "left", "bakery"}, "the controls"


def test_a_role_of_the_cluster_is_of_those_who_are_bound_to_it(cluster: Callable[..., None]) -> None:
    ours = thing("Namespace", "shop", "")
    ours["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "garrison"}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1"} | thing("ClusterRole", "maker", "", rules=rules)
    role["apiVersion"] = "rbac.authorization.k8s.io/v1"

    def bound(*subjects: Body) -> int:
        binding = thing("ClusterRoleBinding", "b", "", subjects=list(subjects), roleRef={"name": "maker"})
        binding["apiVersion"] = role["apiVersion"]
        cluster(
            {
                "namespaces": [ours],
                "clusterroles.rbac.authorization.k8s.io": [role],
                "clusterrolebindings.rbac.authorization.k8s.io": [binding],
            }
        )
        return main(["--live", "--rules", "role-creates-pods", "--format", "json"])

    theirs = {"kind": "ServiceAccount", "namespace": "storage", "name": "p"}
    assert bound(theirs) == 0
    assert bound(theirs, theirs | {"namespace": "shop"}) == 1
    assert bound({"kind": "Group", "name": "system:serviceaccounts:storage"}) == 0
    assert bound(theirs, {"kind": "User", "name": "eve"}) == 1
    assert bound() == 1


def test_a_cluster_that_cannot_be_read_whole_is_not_clean(
    cluster: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    cluster({})
    assert main(ONLY) == 0, "the control: an empty cluster is clean"
    cluster({}, refused=["pods", "roles.rbac.authorization.k8s.io"], unserved=["deployments.apps"])
    capsys.readouterr()
    assert main(ONLY) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert [line.split(": ")[1] for line in said.err.splitlines()] == [
        "deployments.apps",
        "pods",
        "roles.rbac.authorization.k8s.io",
    ]


def test_no_cluster_at_all(monkeypatch: pytest.MonkeyPatch, cluster: Callable[..., None]) -> None:
    def silent(_: Sequence[str]) -> str:
        raise KubectlError("kubectl api-resources: connection refused")

    monkeypatch.setattr(live, "kubectl", silent)
    with pytest.raises(CheckError, match="the cluster cannot be read: .*connection refused"):
        live.read()


def test_secrets_are_never_read(cluster: Callable[..., None]) -> None:
    assert "secrets" not in (*live.BUILT_IN, *live.EXTENSIONS)


def plural(kind: str) -> str:
    word = kind.lower()
    if word == "endpoints":
        return word
    return f"{word}es" if word.endswith("s") else re.sub("([^aeiou])y$", r"\1ie", word) + "s"


class Asked(Inventory):
    """Remembers which kinds it was asked for."""

    kinds: ClassVar[set[str]] = set()

    def of(self, *kinds: str) -> Iterator[Object]:
        self.kinds.update(kinds)
        return super().of(*kinds)


def test_every_kind_that_a_rule_looks_at_is_read() -> None:
    """By the naming convention of resources: the lower-case plural of the kind."""
    read = {name.partition(".")[0] for name in (*live.BUILT_IN, *live.EXTENSIONS)}
    for rule in RULES:
        examples = tuple(item for text in (rule.good, rule.bad) for item in objects(text))
        list(evaluate([rule], Asked(examples)))
    kinds = {kind for rule in RULES for check in rule.checks for kind in check.subject.kinds} | Asked.kinds
    assert "NetworkPolicy" in Asked.kinds, "the control"
    assert {kind for kind in kinds - {"Secret"} if plural(kind.partition(".")[0]) not in read} == set()


def test_folding_keeps_what_has_no_owner() -> None:
    assert live.folded([], Inventory(())) == []
