"""A killed drill is undone by nothing but what this machine kept or the graph derives, and never in silence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from garrison import App, kube
from garrison.derive import render
from garrison.derive.secrets import StoreObject, store_objects
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.prove.drill import keep
from garrison.prove.drill.journal import Journal, Kept
from garrison.prove.drill.keep import Original
from garrison.prove.drill.safe import NAME, Safe
from garrison.prove.kubectl import HOME, Kubectl
from garrison.prove.model import ProveError
from unit.estates import DIGEST, empty_app
from unit.prove.fakekube import FakeKube

EVE: Manifest = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "eve"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "User", "name": "eve"}],
}
EVES = {"kind": "ClusterRoleBinding", "namespace": "", "name": "eve", "manager": "eve"}


@dataclass
class Desk:
    """One operator's machine before a cluster."""

    kube: FakeKube
    graph: Graph
    safe: Safe
    said: list[str] = field(default_factory=list)

    def on(self, graph: Graph) -> Desk:
        """The same machine with another program."""
        return Desk(self.kube, graph, Safe(Kubectl(), graph, self.safe.journal, self.said.append), self.said)

    def mend(self, *, written: list[StoreObject] | None = None) -> Kept | None:
        left = self.safe.left()
        if left:
            self.safe.put_back(left, (written if written is not None else []).append)
        return left


@pytest.fixture
def desk(graph: Graph, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    cluster = FakeKube()
    monkeypatch.setattr(kube, "attempt", cluster)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    said: list[str] = []
    return Desk(cluster, graph, Safe(Kubectl(), graph, Journal("uid"), said.append), said)


def another_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))


def derived(graph: Graph, name: str) -> Manifest:
    (found,) = (item for item in render(graph) if keep.name(item) == name)
    return found


def plant(desk: Desk, namespace: str, **data: str) -> None:
    meta = {"name": NAME, "namespace": namespace}
    desk.kube.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})


POLICY = "NetworkPolicy shop/orders"


@pytest.mark.parametrize("name", [POLICY, "ConfigMap bank/ledger-config", "Namespace shop", "ResourceQuota bank/quota"])
@pytest.mark.parametrize("same", [True, False], ids=["same machine", "another machine"])
def test_what_a_killed_drill_changed_is_put_back(
    desk: Desk, name: str, same: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted = derived(desk.graph, name)
    desk.safe.save(Kept((Original(wanted, "pulumi"),)))
    if not same:
        another_machine(monkeypatch, tmp_path)
    desk.mend()
    assert wanted in desk.kube.applied
    assert not desk.kube.has("ConfigMap", NAME, HOME)
    assert desk.mend() is None, "nothing is left to do"


def test_the_cluster_gets_names_only(desk: Desk) -> None:
    desk.safe.save(Kept((Original(derived(desk.graph, POLICY), "pulumi"),), next(iter(store_objects(desk.graph)))))
    (record,) = (item for item in desk.kube.applied if item["metadata"]["name"] == NAME)
    assert json.loads(record["data"]["objects"]) == [
        {"kind": "NetworkPolicy", "namespace": "shop", "name": "orders", "manager": "pulumi"}
    ]
    assert "podSelector" not in json.dumps(record)


# --- the attack ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("namespace", ["bank", "shop", "elsewhere"])
@pytest.mark.parametrize(
    "data",
    [
        {"originals.json": json.dumps([EVE]), "store-path": ""},  # as garrison 0.1 kept it
        {"token": "", "objects": json.dumps([EVES]), "store-path": ""},
    ],
)
def test_a_record_planted_in_a_namespace_of_teams_is_said_and_never_applied(
    desk: Desk, namespace: str, data: dict[str, str]
) -> None:
    plant(desk, namespace, **data)
    assert desk.mend() is None
    assert desk.kube.applied == []
    (line,) = desk.said
    assert f"ConfigMap {namespace}/{NAME} is no record of a drill" in line
    assert f"kubectl delete configmap {NAME} --namespace {namespace}" in line


@pytest.mark.parametrize(
    "objects",
    [
        json.dumps([EVES]),
        json.dumps([EVE]),
        json.dumps([EVES | {"kind": "RoleBinding", "namespace": "bank"}]),
        json.dumps([EVES | {"kind": "NetworkPolicy", "namespace": "shop", "name": "orders --kubeconfig=/tmp/x"}]),
        json.dumps([EVES | {"kind": "NetworkPolicy", "namespace": "shop", "name": "orders", "manager": "a b"}]),
        "{", "7", '["x"]',
    ],
)  # fmt: skip
def test_a_record_of_what_no_drill_changes_is_refused_in_one_line(desk: Desk, objects: str) -> None:
    plant(desk, HOME, **{"token": "t", "objects": objects, "store-path": ""})
    with pytest.raises(
        ProveError, match=r"nothing of it was applied.*kubectl delete configmap garrison-drill"
    ) as refused:
        desk.mend()
    assert "\n" not in str(refused.value)
    assert desk.kube.applied == []


def test_a_planted_path_of_the_secret_store_is_said_and_never_written(desk: Desk) -> None:
    plant(desk, HOME, **{"token": "t", "objects": "[]", "store-path": "sys/policies/acl/eve"})
    written: list[StoreObject] = []
    desk.mend(written=written)
    assert written == []
    assert "sys/policies/acl/eve" in desk.said[0]
    good = next(iter(store_objects(desk.graph)))
    plant(desk, HOME, **{"token": "t", "objects": "[]", "store-path": good.path})
    desk.mend(written=written)
    assert written == [good], "control: what the graph derives is written, as it derives it"


def test_a_planted_journal_is_refused(desk: Desk) -> None:
    desk.safe.save(Kept((Original(EVE, "eve"),)))
    desk.safe.journal.path.chmod(0o666)
    with pytest.raises(ProveError, match="others can write it"):
        desk.mend()
    assert EVE not in desk.kube.applied


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["get", "apply", "delete"])
def test_a_cluster_that_does_not_answer_is_never_read_as_nothing_left(desk: Desk, verb: str) -> None:
    desk.safe.save(Kept((Original(derived(desk.graph, POLICY), "pulumi"),)))
    desk.kube.broken = lambda arguments: verb in arguments
    with pytest.raises(ProveError, match="TLS handshake timeout"):
        desk.mend()
    desk.kube.broken = lambda arguments: False
    assert desk.mend(), "it is still known what is to be put back"
    assert derived(desk.graph, POLICY) in desk.kube.applied


def test_what_cannot_be_put_back_is_named_with_what_to_do_and_the_rest_is(desk: Desk) -> None:
    first, second = derived(desk.graph, POLICY), derived(desk.graph, "NetworkPolicy bank/ledger")
    kept = Kept((Original(first, "pulumi-1"), Original(second, "pulumi-2")), next(iter(store_objects(desk.graph))))
    desk.safe.save(kept)
    desk.kube.broken = lambda arguments: "--field-manager=pulumi-1" in arguments
    written: list[StoreObject] = []
    with pytest.raises(ProveError, match=r"NOT PUT BACK.*NetworkPolicy shop/orders.*`garrison prove`") as told:
        desk.safe.put_back(kept, written.append)
    assert "bank/ledger" not in str(told.value)
    assert second in desk.kube.applied
    assert written == [kept.store]
    assert desk.kube.has("ConfigMap", NAME, HOME)


# --- another program -------------------------------------------------------------------------------------------------


def edited() -> Graph:
    """The program without anything the drill had touched."""
    app: App = empty_app()
    app.namespaces("shop")[0].service("catalog", image="registry.example/catalog" + DIGEST, port=8080)
    return app.graph()


def test_a_killed_drill_and_an_edited_program_block_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = derived(desk.graph, POLICY)
    desk.safe.save(Kept((Original(gone, "pulumi"),), next(iter(store_objects(desk.graph)))))
    another_machine(monkeypatch, tmp_path)
    other = desk.on(edited())
    other.mend()
    assert gone not in desk.kube.applied
    assert [line for line in desk.said if POLICY in line]
    assert [line for line in desk.said if "secret store" in line]
    assert other.mend() is None


def binding() -> Manifest:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "garrison-pods"},
        "spec": {"policyName": "garrison-pods"},
    }


def test_what_no_program_derives_is_put_back_from_the_machine_that_kept_it_or_not_at_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    desk.safe.save(Kept((Original(binding(), "pulumi"),)))
    with monkeypatch.context() as elsewhere:
        another_machine(elsewhere, tmp_path)
        with pytest.raises(ProveError, match=r"ValidatingAdmissionPolicyBinding garrison-pods.*on that machine"):
            desk.mend()
    desk.mend()
    assert binding() in desk.kube.applied


def test_what_somebody_has_put_back_since_is_done(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    desk.safe.save(Kept((Original(binding(), "pulumi"),)))
    another_machine(monkeypatch, tmp_path)
    desk.kube.put(binding())
    desk.mend()
    assert desk.mend() is None


def test_a_journal_without_its_record_is_stale(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.safe.save(Kept((Original(binding(), "pulumi"),)))
    desk.kube.objects.clear()
    assert desk.mend() is None
    assert not desk.safe.journal.path.exists()
    assert binding() not in desk.kube.applied


def test_a_run_of_changes_is_told_by_its_commands(desk: Desk) -> None:
    """Closed before tidied: an original is applied while the drill's version still stands."""
    keep.put_back(Kubectl(), Original(derived(desk.graph, POLICY), "pulumi"))
    verbs: Sequence[str] = [words[0] for words in desk.kube.commands]
    assert verbs == ["apply", "apply"]
