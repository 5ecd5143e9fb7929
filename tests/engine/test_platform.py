"""What the platform registers: closed namespaces first, charts as Helm renders them, then trust, then the store."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from engine.test_resources import Recorder, kubernetes, run
from garrison.cluster import Cluster, Issuer
from garrison.deployment.configuration import read
from garrison.deployment.platform import certificates, charts, network, openbao
from garrison.deployment.platform.component import Platform
from garrison.manifest import Manifest
from garrison.settings import MACHINE, Settings, SettingsError
from garrison_policies.language.evaluate import evaluate
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.rules import catalogue
from harness import build

IMAGE = "quay.io/openbao/openbao:2.7.2@sha256:" + "0" * 64


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """The charts, and helm in PATH."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{build.binary('helm').parent}:/usr/bin:/bin")
        yield build.obtain("charts")


PCA = Issuer(
    name="corporate", kind="AWSPCAClusterIssuer", group="awspca.cert-manager.io", account="aws-pca/aws-privateca-issuer"
)


def registered(settings: Settings, *, users: bool = False) -> Recorder:
    return run(lambda: Platform(settings, image=IMAGE, users=users))


@pytest.fixture(scope="module")
def whole(folder: Path) -> Recorder:
    return registered(Settings(charts=folder), users=True)


@pytest.fixture(scope="module")
def items(whole: Recorder) -> list[Manifest]:
    return kubernetes(whole)


def names(items: list[Manifest], kind: str) -> list[str]:
    return sorted(item["metadata"]["name"] for item in items if item["kind"] == kind)


def test_the_whole_platform(whole: Recorder, items: list[Manifest]) -> None:
    assert names(items, "Namespace") == ["cert-manager", "openbao", "users"]
    assert names(items, "Deployment") == [
        "cert-manager",
        "cert-manager-cainjector",
        "cert-manager-webhook",
        "trust-manager",
    ]
    assert names(items, "StatefulSet") == ["openbao", "users"]
    assert names(items, "ClusterIssuer") == ["garrison"]
    assert names(items, "Bundle") == ["trust-bundle"]
    assert "certificates.cert-manager.io" in names(items, "CustomResourceDefinition")
    keys = sorted(args.name for args in whole.seen if args.typ.endswith(":SealKey"))
    assert keys == ["openbao/openbao-seal-key", "users/users-seal-key"]


def test_charts_are_rendered_unmodified(folder: Path) -> None:
    """Every object is byte for byte what helm says, apart from the namespace helm would fill in."""
    for chart in (certificates.CERT_MANAGER, certificates.TRUST_MANAGER):
        command = ["helm", "template", chart.name, str(folder / chart.name), "--namespace", chart.namespace]
        command += ["--include-crds", "--kube-version", charts.KUBERNETES, "--values", "-"]
        done = subprocess.run(command, input=yaml.safe_dump(chart.values), capture_output=True, text=True, check=True)
        said = [item for item in yaml.safe_load_all(done.stdout) if item]
        for item, got in zip(said, charts.render(chart, folder), strict=True):
            if item["kind"] not in charts.CLUSTER_WIDE:
                item["metadata"].setdefault("namespace", chart.namespace)
            assert got == item


def test_whoever_edits_a_namespace_is_given_no_certificates_and_approval_is_for_our_issuer(
    items: list[Manifest], folder: Path
) -> None:
    """The chart hands Certificates to `edit` and `admin` unless told not to, and approves for every ClusterIssuer."""
    for item in items:
        given = [label for label in item["metadata"].get("labels", ()) if label.endswith(("to-edit", "to-admin"))]
        assert given == [], item["metadata"]["name"]
    approvals = [rule for item in items if item["kind"] == "ClusterRole" for rule in item["rules"]]
    names = [
        rule["resourceNames"]
        for rule in approvals
        if rule.get("resources") == ["signers"] and "approve" in rule["verbs"]
    ]
    assert names == [["clusterissuers.cert-manager.io/garrison", "issuers.cert-manager.io/*"]]
    other = charts.render(certificates.cert_manager([Issuer.of("corporate"), PCA]), folder)
    assert "clusterissuers.cert-manager.io/corporate" in str(other)
    assert "awspcaclusterissuers.awspca.cert-manager.io/corporate" in str(other)


def test_nothing_is_installed_that_is_there_already() -> None:
    existing = Settings(
        install_cert_manager=False, install_trust_manager=False, issuer="corporate", install_openbao=False
    )
    assert [args.typ for args in registered(existing).seen] == ["garrison:index:Platform"]


def test_an_existing_issuer_signs_for_the_store(folder: Path) -> None:
    items = kubernetes(registered(Settings(charts=folder, issuer="corporate")))
    assert names(items, "ClusterIssuer") == []
    assert names(items, "Bundle") == []
    signers = {item["spec"]["issuerRef"]["name"] for item in items if item["metadata"]["name"] == "openbao-tls"}
    assert signers == {"corporate"}


def test_the_ca_of_an_external_issuer_is_what_workloads_trust(folder: Path, tmp_path: Path) -> None:
    ca = tmp_path / "corp.pem"
    ca.write_text("-----BEGIN CERTIFICATE-----\nof the corporation\n-----END CERTIFICATE-----\n")
    items = kubernetes(registered(Settings(charts=folder, issuer=PCA, edge_issuer="public", trust_ca=ca)))
    (bundle,) = (item for item in items if item["kind"] == "Bundle")
    assert bundle["spec"]["sources"] == [{"inLine": ca.read_text()}]
    (asked,) = (item["spec"]["issuerRef"] for item in items if item["metadata"]["name"] == "openbao-tls")
    assert asked == PCA.reference
    approvals = str([item for item in items if item["kind"] == "ClusterRole"])
    assert f"'{PCA.signer()}', 'clusterissuers.cert-manager.io/public', 'issuers.cert-manager.io/*'" in approvals


def test_the_seal_key_has_no_value_in_what_pulumi_sees(whole: Recorder) -> None:
    for key in (args.inputs for args in whole.seen if args.typ.endswith(":SealKey")):
        assert {name for name in key if name != "__provider"} == {"namespace", "name"}


def test_no_secret_is_registered(items: list[Manifest]) -> None:
    assert names(items, "Secret") == []


def test_a_provider_is_refused_where_the_seal_key_would_go_elsewhere() -> None:
    there = Settings(install_cert_manager=False, install_trust_manager=False, issuer="corporate")

    def program(settings: Settings) -> None:
        provider = pulumi.ProviderResource("kubernetes", "own", {})
        Platform(settings, image=IMAGE, opts=pulumi.ResourceOptions(providers=[provider]))

    recorder = Recorder()
    with pytest.raises(
        SettingsError, match="a Kubernetes provider of its own, and the seal key would be on the cluster"
    ):
        run(lambda: program(there), recorder)
    assert [args.typ for args in recorder.seen] == ["pulumi:providers:kubernetes"]
    assert run(lambda: program(replace(there, install_openbao=False))).seen, "the control: nothing asks kubectl"


# --- what every pod of the platform keeps to -------------------------------------------------------------------------


def pods(items: list[Manifest]) -> dict[str, dict[str, Any]]:
    kinds = ("Deployment", "StatefulSet")
    return {item["metadata"]["name"]: item["spec"]["template"] for item in items if item["kind"] in kinds}


def test_every_platform_pod_is_restricted(items: list[Manifest]) -> None:
    for name, template in pods(items).items():
        spec = template["spec"]
        for container in spec["containers"]:
            own, pod = container["securityContext"], spec.get("securityContext", {})
            assert own["readOnlyRootFilesystem"], name
            assert own["capabilities"]["drop"] == ["ALL"], name
            assert not own["allowPrivilegeEscalation"], name
            assert {**pod, **own}["runAsNonRoot"], name
            assert {**pod, **own}["seccompProfile"]["type"] == "RuntimeDefault", name
            assert container["resources"]["limits"]["memory"], name


def test_every_platform_pod_has_a_policy_of_its_own(items: list[Manifest]) -> None:
    policies = [item for item in items if item["kind"] == "NetworkPolicy"]
    assert names(policies, "NetworkPolicy").count("default-deny") == 3
    chosen = [item["spec"]["podSelector"].get("matchLabels") for item in policies]
    for name, template in pods(items).items():
        found = template["metadata"]["labels"]
        assert [labels for labels in chosen if labels and labels.items() <= found.items()], name


def test_the_api_server_is_named_by_address_where_the_stack_knows_it() -> None:
    (policy,) = [
        item for item in network.openbao(Cluster(api_server=("10.0.0.0/24",))) if item["metadata"]["name"] == "openbao"
    ]
    api = policy["spec"]["egress"][-1]
    assert api["to"] == [{"ipBlock": {"cidr": "10.0.0.0/24"}}]
    assert [port["port"] for port in api["ports"]] == [443, 6443]


def test_no_way_of_the_platform_is_a_way_to_anywhere(items: list[Manifest]) -> None:
    """D14: where a stack does not name its API server, private ranges stand in for it and never every address."""
    plain = Cluster()
    for item in [*items, *network.openbao(plain), *network.cert_manager(plain), *network.trust_manager(plain)]:
        rules = item["spec"] if item["kind"] == "NetworkPolicy" else {}
        for direction, key in (("egress", "to"), ("ingress", "from")):
            for rule in rules.get(direction, ()):
                assert rule.get(key), f"{item['metadata']['name']}: {direction} without a peer is everybody"
                assert "0.0.0.0/0" not in str(rule[key])


@pytest.mark.parametrize("server", [openbao.SECRETS, openbao.USERS])
def test_a_store_rolls_when_its_configuration_changes(server: openbao.Server) -> None:
    changed = replace(server, config=lambda: {**server.config(), "log_format": "standard"})
    before, after = (openbao.stateful_set(one, IMAGE)["spec"]["template"]["metadata"] for one in (server, changed))
    assert before["annotations"] != after["annotations"]


# --- the embedded issuer ---------------------------------------------------------------------------------------------


def test_without_users_there_is_no_second_server(folder: Path) -> None:
    items = kubernetes(registered(Settings(charts=folder)))
    assert names(items, "StatefulSet") == ["openbao"]
    assert "users" not in str([item["metadata"] for item in items])


def test_the_two_servers_share_nothing_but_their_code(items: list[Manifest]) -> None:
    homes = {
        space: [item for item in items if item["metadata"].get("namespace") == space] for space in ("openbao", "users")
    }
    assert sorted({i["kind"] for i in homes["openbao"]}) == sorted({i["kind"] for i in homes["users"]})
    assert "openbao" not in str([item["metadata"] for item in homes["users"]])
    told = json.dumps([item for item in homes["users"] if item["kind"] == "ConfigMap"])
    assert "database" not in told, "it knows nothing of the estate's databases"


def test_users_are_entered_by_the_edge_and_by_nobody_else(items: list[Manifest]) -> None:
    rules = [i["spec"] for i in items if i["kind"] == "NetworkPolicy" and i["metadata"]["namespace"] == "users"]
    (deny,) = [spec for spec in rules if not spec["podSelector"]]
    (own,) = [spec for spec in rules if spec["podSelector"]]
    assert not deny.get("ingress")
    ((peer,),) = [rule["from"] for rule in own["ingress"]]
    assert peer == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "edge"}},
    }
    assert [port["port"] for rule in own["egress"] for port in rule["ports"]] == [53, 53, 443, 6443]


def test_the_second_server_keeps_every_rule(items: list[Manifest]) -> None:
    """What `garrison check` says of it is what it says of the first: advice, and no more."""
    said: dict[str, set[str]] = {"openbao": set(), "users": set()}
    for found in evaluate(catalogue("garrison"), Inventory(tuple(Object(item) for item in items))):
        assert found.object
        said.get(found.object.namespace, set()).add(f"{found.rule} {found.severity.name}")
    assert said["users"] == said["openbao"]
    assert {text.split()[1] for text in said["users"]} == {"LOW"}


# --- errors ----------------------------------------------------------------------------------------------------------


def test_no_helm_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(charts.ChartError, match="^helm is not in PATH; ") as error:
        charts.render(certificates.CERT_MANAGER, folder)
    assert "\n" not in str(error.value)


def test_a_chart_that_does_not_render_is_one_line(folder: Path) -> None:
    broken = charts.Chart("cert-manager", "cert-manager", {"nosuchvalue": True})
    with pytest.raises(charts.ChartError, match="helm could not render the chart cert-manager: .*nosuchvalue") as error:
        charts.render(broken, folder)
    assert "\n" not in str(error.value)


# --- the reader ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["kubernetes:context", "kubernetes:kubeconfig"])
def test_a_stack_cannot_send_pulumi_and_kubectl_to_two_clusters(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({key: "elsewhere"}))
    with pytest.raises(SettingsError, match=f"{key}: would send Pulumi to another cluster"):
        read()


def test_settings_stand_under_garrison_and_the_programs_own_are_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = pulumi.get_project()
    config = {"garrison:charts": str(folder), "garrison:storageClass": "fast", f"{project}:storageClass": "x"}
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(config | {f"{project}:imageTag": "1.2"}))
    for name in ("GARRISON_SIGNED_IMAGES", MACHINE):  # `make test` has those of its cluster
        monkeypatch.delenv(name, raising=False)
    assert read() == Settings(charts=folder, storage_class="fast")
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(config | {"garrison:storageclass": "x"}))
    with pytest.raises(SettingsError, match="storageclass: no such setting; did you mean 'storageClass'"):
        read()
