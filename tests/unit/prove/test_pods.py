"""The probe's own objects: what is cloned from a workload, what is opened, and that nothing more is."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
import yaml

from garrison import defaults as d
from garrison import kube
from garrison.derive import render
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.prove.drill.cuts import KINDS
from garrison.prove.kubectl import Kubectl
from garrison.prove.look import certify, forge, opening, pods
from garrison.prove.look.session import Session
from garrison.prove.model import FREE, Kind, Party, ProveError
from garrison.words import Ref
from unit.estates import IMAGES

ORDERS = Ref("shop", "orders")


def find(graph: Graph, kind: str, name: str, namespace: str) -> Manifest:
    (found,) = (
        m
        for m in render(graph)
        if (m["kind"], m["metadata"]["name"], m["metadata"].get("namespace")) == (kind, name, namespace)
    )
    return found


@pytest.fixture
def deployment(graph: Graph) -> Manifest:
    return find(graph, "Deployment", "payments", "bank")


def test_a_clone_has_the_identity_of_its_workload(deployment: Manifest) -> None:
    pod = pods.clone(deployment, name="probe", run="r", image="prober", port=9000)
    template = deployment["spec"]["template"]
    assert pod["metadata"]["labels"] == template["metadata"]["labels"] | {pods.LABEL: "r"}
    assert pod["spec"]["serviceAccountName"] == "payments"
    (proxy,) = pod["spec"]["initContainers"]
    live, not_its_own = template["spec"]["initContainers"][0], {"args": None, "resources": None}
    assert proxy | not_its_own == live | not_its_own
    assert proxy["resources"]["limits"] == live["resources"]["limits"]
    asked, usual = (int(one["resources"]["requests"]["cpu"].removesuffix("m")) for one in (proxy, live))
    assert asked < usual, "many of them live beside the estate for a minute"
    assert proxy["args"][: -len(pods.LOG_AT_ONCE)] == template["spec"]["initContainers"][0]["args"]
    assert {v["name"] for v in pod["spec"]["volumes"]} == {"proxy", "identity", "trust"}
    (app,) = pod["spec"]["containers"]
    assert app["image"] == "prober"
    assert app["command"][-2:] == ["127.0.0.1", "9000"]


def test_a_clone_is_never_ready_and_has_no_token(deployment: Manifest) -> None:
    spec = pods.clone(deployment, name="probe", run="r", image="prober", port=9000)["spec"]
    assert spec["readinessGates"] == [{"conditionType": pods.NEVER}]
    assert spec["automountServiceAccountToken"] is False


def test_an_opened_clone_takes_its_own_configuration_and_keeps_the_trust_bundle(deployment: Manifest) -> None:
    pod = pods.clone(deployment, name="probe", run="r", image="prober", port=9000, config="open")
    names = {v["name"]: v["configMap"]["name"] for v in pod["spec"]["volumes"] if "configMap" in v}
    assert names == {"proxy": "open", "trust": d.TRUST_BUNDLE}


def test_a_deployment_without_a_proxy_is_refused(deployment: Manifest) -> None:
    deployment["spec"]["template"]["spec"]["initContainers"] = []
    with pytest.raises(ProveError, match="bank/payments has no proxy"):
        pods.clone(deployment, name="probe", run="r", image="prober", port=9000)


@pytest.mark.parametrize("kind", ["clone", "stray"])
def test_every_probe_pod_meets_pod_security_restricted(kind: str, deployment: Manifest) -> None:
    pod = (
        pods.clone(deployment, name="probe", run="r", image="prober", port=9000)
        if kind == "clone"
        else pods.stand_in(FREE, Ref("bank", "probe"), run="r", image="prober")
    )
    assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
        context = container["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}


def test_a_stand_in_for_a_database_has_its_labels_and_account_and_a_name_no_stateful_set_adopts(graph: Graph) -> None:
    owner = find(graph, "StatefulSet", "ledger", "bank")
    party = Party("database", "bank", "ledger")
    pod = pods.stand_in(party, Ref("bank", "garrison-probe-ledger-database"), run="r", image="prober", owner=owner)
    assert pod["metadata"]["labels"][d.NAME] == "ledger"
    assert pod["spec"]["serviceAccountName"] == "ledger"
    assert not pod["metadata"]["name"].rpartition("-")[2].isdigit()


# --- opening ---------------------------------------------------------------------------------------------------------


def test_the_network_is_opened_for_probe_pods_alone() -> None:
    for policy in opening.network(["shop"], "r"):
        spec = policy["spec"]
        assert policy["metadata"]["labels"] == {pods.LABEL: "r"}
        if "egress" in spec:
            assert spec["podSelector"] == {"matchLabels": {pods.LABEL: "r"}}
        for rule in spec.get("ingress", []):
            assert [peer["podSelector"] for peer in rule["from"]] == [{"matchLabels": {pods.LABEL: "r"}}]


def test_what_opens_the_network_is_in_no_name_and_counts_in_the_estate_alone() -> None:
    run = Session(
        Kubectl(), Graph("none", "none.example", images=tuple(IMAGES.items())), "prober", lambda line: None
    ).run
    assert len(run) >= 32, "nobody guesses it"
    for policy in opening.network(["shop", "bank"], run):
        meta = policy["metadata"]
        assert run not in meta["name"] + meta["namespace"] + pods.namespace_of(run) + pods.where(FREE, run).name
        for rule in policy["spec"].get("ingress", []):
            (peer,) = rule["from"]
            (named,) = peer["namespaceSelector"]["matchExpressions"]
            assert (named["operator"], named["values"]) == ("In", ["shop", "bank", pods.namespace_of(run)])


def config(graph: Graph) -> dict[str, str]:
    data: dict[str, str] = find(graph, "ConfigMap", "catalog-proxy", "shop")["data"]
    return data


def inbound(data: dict[str, str]) -> dict[str, Any]:
    listeners = json.loads(data["envoy.json"])["static_resources"]["listeners"]
    (found,) = (item for item in listeners if item["name"] == "inbound")
    chain: dict[str, Any] = found["filter_chains"][0]
    return chain


def tls(data: dict[str, str]) -> dict[str, Any]:
    context: dict[str, Any] = inbound(data)["transport_socket"]["typed_config"]
    return context


def filters(data: dict[str, str]) -> list[str]:
    return [f["name"] for f in inbound(data)["filters"][0]["typed_config"]["http_filters"]]


def sans(data: dict[str, str]) -> object:
    context = tls(data)["common_tls_context"]["combined_validation_context"]["default_validation_context"]
    return context.get("match_typed_subject_alt_names")


def test_each_cut_takes_out_what_the_mesh_layer_put_in(graph: Graph) -> None:
    whole = config(graph)
    assert opening.RBAC_FILTERS[0] in filters(whole)
    assert opening.RBAC_FILTERS[0] not in filters(opening.without("authorisation", whole))
    assert tls(whole)["require_client_certificate"] is True
    optional = opening.without("client certificate", whole)
    assert tls(optional)["require_client_certificate"] is False
    assert sans(whole)
    assert not sans(optional), "Envoy demands a certificate also where it has names to match"
    assert not sans(opening.without("trust domain", whole))
    params = tls(opening.without("TLS version", whole))["common_tls_context"]["tls_params"]
    assert params == {"tls_minimum_protocol_version": "TLSv1_2"}


@pytest.mark.parametrize("cut", [cut for cut, kind in KINDS.items() if kind not in (Kind.IMPOSTOR, Kind.WITHOUT_TOKEN)])
def test_a_cut_changes_what_callers_meet_and_nothing_else(cut: str, graph: Graph) -> None:
    called, caller = (find(graph, "ConfigMap", f"{name}-proxy", "shop")["data"] for name in ("catalog", "orders"))
    assert json.loads(opening.without(cut, called)["envoy.json"]) != json.loads(called["envoy.json"])
    before, after = json.loads(caller["envoy.json"]), json.loads(opening.without(cut, caller)["envoy.json"])
    assert before["static_resources"]["clusters"] == after["static_resources"]["clusters"]
    rest = [item for item in before["static_resources"]["listeners"] if item["name"] != "inbound"]
    assert rest == [item for item in after["static_resources"]["listeners"] if item["name"] != "inbound"]


def test_the_cut_of_the_callees_name_changes_what_callees_meet_and_nothing_else(graph: Graph) -> None:
    data: dict[str, str] = find(graph, "ConfigMap", "orders-proxy", "shop")["data"]
    before, after = json.loads(data["envoy.json"]), json.loads(opening.without("callee's name", data)["envoy.json"])
    assert "spiffe://estate.example/ns/shop/sa/catalog" in json.dumps(before["static_resources"]["clusters"])
    assert "match_typed_subject_alt_names" not in json.dumps(after["static_resources"]["clusters"])
    assert before["static_resources"]["listeners"] == after["static_resources"]["listeners"]


def test_forged_certificates_are_a_foreign_domain_by_our_authority_and_our_name_by_none(graph: Graph) -> None:
    items = list(forge.manifests(graph, [ORDERS], "probes", "r"))
    assert {m["metadata"]["namespace"] for m in items} == {"probes"}
    uris = {m["spec"]["issuerRef"]["kind"]: m["spec"]["uris"] for m in items if m["kind"] == "Certificate"}
    assert uris == {
        "ClusterIssuer": ["spiffe://evil.example/ns/shop/sa/orders"],
        "Issuer": ["spiffe://estate.example/ns/shop/sa/orders"],
    }


def test_an_identity_of_nobody_is_good_and_in_no_graph(graph: Graph) -> None:
    item = certify.own_identity(graph, "garrison-probe-a1b2c3", "garrison")
    (uri,) = item["spec"]["uris"]
    assert uri == "spiffe://estate.example/ns/garrison-probe-a1b2c3/sa/garrison-probe"
    assert uri not in {graph.spiffe_id(service.ref) for service in graph.services}
    pair = {"tls.crt": b64encode(b"certificate").decode(), "tls.key": b64encode(b"key").decode()}
    found = forge.read([{"metadata": {"name": item["spec"]["secretName"]}, "data": pair}], [])
    assert found == {("undeclared identity", forge.NOBODY): forge.KeyPair("certificate", "key")}
    assert forge.read([], []) == {}, "where nobody asked for one"


def test_an_authority_that_signs_for_nobody_else_is_respected(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    session = Session(Kubectl(), graph, "prober", said.append)
    answers = {
        True: (0, "certificate/x", ""),
        False: (1, "", "ValidatingAdmissionPolicy 'garrison-cert-manager' with binding 'b' denied request: not yours"),
    }
    for issues, answer in answers.items():
        monkeypatch.setattr(kube, "attempt", lambda *_, answer=answer, **__: answer)
        made = [m for m in session._forged([ORDERS]) if m["kind"] == "Certificate"]
        kinds = [m["spec"]["issuerRef"]["kind"] for m in made]
        assert session.issues_foreign is issues
        assert kinds == (["ClusterIssuer", "Issuer"] if issues else ["Issuer", "Issuer"])
    assert "admission refuses" in said[0]
    monkeypatch.setattr(kube, "attempt", lambda *_, **__: (1, "", "TLS handshake timeout"))
    with pytest.raises(ProveError, match="cannot be asked for: TLS handshake timeout"):
        session._forged([ORDERS])


def test_what_the_probe_applies_is_plain_data(graph: Graph, deployment: Manifest) -> None:
    pod = pods.clone(deployment, name="probe", run="r", image="prober", port=9000)
    for item in [pod, *opening.network(["shop"], "r"), *forge.manifests(graph, [ORDERS], "probes", "r")]:
        assert yaml.safe_load(yaml.safe_dump(item)) == item
