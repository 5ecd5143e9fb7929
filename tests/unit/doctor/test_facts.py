"""What a cluster tells, and the settings that follow: they are what `garrison` itself takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from garrison import kube
from garrison.cluster import Cluster, Dns
from garrison.settings import cluster_of
from unit.doctor.clusters import SLICES, Told, endpoints, node, plain, service, thing
from unit.verbs import verb

doctor = verb("doctor")
METADATA = "169.254.169.254"
Json = dict[str, Any]
Ask = Callable[..., Json]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The report as JSON, of a cluster with these differences; `code` is how it ended."""

    def run(**told: Any) -> Json:
        monkeypatch.setattr(kube, "attempt", Told(**told))
        code = doctor(["--format", "json"])
        found: Json = json.loads(capsys.readouterr().out)
        assert found["report"] == "doctor"
        return found | {"code": code, "rules": {one["rule"] for one in found["findings"]}}

    return run


def test_a_plain_cluster_needs_its_api_server_said_and_nothing_else(ask: Ask) -> None:
    found = ask()
    assert found["settings"] == {"apiServer": ["172.18.0.2/32", "10.96.0.1/32"]}
    assert found["facts"]["pods"] == ["10.244.0.0/24"]
    assert (found["code"], found["rules"]) == (0, {"enforcement-unmeasured"})


def test_what_is_proposed_is_what_a_stack_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(kube, "attempt", Told(foreign(), user={"username": "jo", "groups": ["dev"]}))
    assert doctor(["--format", "settings"]) == 0
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text(capsys.readouterr().out)
    assert cluster_of(file) == Cluster(
        issuer="corporate",
        api_server=("10.0.1.5/32", "10.0.2.5/32", "172.20.0.1/32"),
        storage_class="gp3",
        admission_scope="estate",
        deployers=("user:jo",),
        dns=Dns(ranges=("169.254.20.10/32", "172.20.0.10/32")),
        egress=Cluster().egress.__class__(closed=("52.28.1.9/32",)),
        system_namespaces=("calico-system",),
    )
    said = yaml.safe_load(file.read_text())["config"]
    assert said["garrison:installCertManager"] is said["garrison:installTrustManager"] is False
    assert "# other things live here: argocd, shop" in file.read_text()


def foreign() -> dict[str, list[Json]]:
    """Somebody else's: their cert-manager, Calico, a cache on each node, no default class, other things."""
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    cache = {"containers": [{"args": ["-localip", "169.254.20.10,172.20.0.10", "-conf", "/etc/Corefile"]}]}
    chart = "app.kubernetes.io/name"
    spaces = ("calico-system", "argocd", "shop", "cert-manager", "trust")
    return plain() | {
        "nodes": [node("10.0.3.7", "52.28.1.9", pods=())],
        "services": [
            service("kubernetes", "default", "172.20.0.1", port=443),
            service("kube-dns", "kube-system", "172.20.0.10", {"k8s-app": "kube-dns"}),
        ],
        SLICES: [
            endpoints("kubernetes", "default", "10.0.1.5", "10.0.2.5", port=443),
            endpoints("kube-dns", "kube-system", "10.0.9.1"),
        ],
        "pods": [*plain()["pods"], *(thing("p", name) for name in spaces)],
        "daemonsets.apps": [
            thing("calico-node", "calico-system"),
            thing("node-local-dns", "kube-system", spec={"template": {"spec": cache}}),
        ],
        "namespaces": [thing(name) for name in (*spaces, "default", "kube-system")],
        "storageclasses.storage.k8s.io": [{"metadata": {"name": "gp3"}}],
        "deployments.apps": [
            thing("cm", "cert-manager", {chart: "cert-manager"}),
            thing("tm", "trust", {chart: "trust-manager"}),
        ],
        "clusterissuers.cert-manager.io": [thing("corporate", status=ready), thing("broken", status={})],
        "bundles.trust.cert-manager.io": [thing("trust-bundle")],
    }


def test_what_garrison_made_itself_is_not_proposed_as_somebody_elses(ask: Ask) -> None:
    ours = {"app.kubernetes.io/part-of": "garrison-platform"}
    estate = {"app.kubernetes.io/managed-by": "garrison"}
    has = plain() | {
        "deployments.apps": [thing("cm", "cert-manager", {"app.kubernetes.io/name": "cert-manager"})],
        "namespaces": [thing("cert-manager", "", ours), thing("openbao", "", ours), thing("shop", "", estate)],
        "pods": [*plain()["pods"], *(thing("p", name) for name in ("cert-manager", "openbao", "shop"))],
    }
    has["pods"].append(thing("p", "somebody"))
    found = ask(has=has)
    assert found["facts"]["others"] == ["somebody"]
    assert set(found["settings"]) == {"apiServer"}, "and nothing narrower than what is in force"
    assert found["rules"] == {"enforcement-unmeasured"}


@pytest.mark.parametrize(
    ("services", "slices", "pods", "settings"),
    [
        pytest.param(
            [service("kube-dns", "kube-system", "10.0.0.10")],
            [endpoints("kube-dns", "kube-system", "10.128.0.53")],
            [],
            {"dnsLabels": {}, "dnsRanges": ["10.0.0.10/32", "10.128.0.53/32"]},
            id="a resolver that the cloud runs",
        ),
        pytest.param(
            [service("dns-default", "openshift-dns", "172.30.0.10", {"dns": "default"})],
            [endpoints("dns-default", "openshift-dns", "10.128.0.9", port=5353)],
            [thing("dns-x", "openshift-dns", {"dns": "default"})],
            {"dnsNamespace": "openshift-dns", "dnsLabels": {"dns": "default"}, "dnsPort": 5353},
            id="pods elsewhere, at another port",
        ),
    ],
)
def test_who_answers_names(
    ask: Ask, services: list[Json], slices: list[Json], pods: list[Json], settings: Json
) -> None:
    found = ask(has=plain() | {"services": services, SLICES: slices, "pods": pods})
    assert {key: value for key, value in found["settings"].items() if key.startswith("dns")} == settings


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("kubernetes-version", {"minor": "32+"}),
        ("resolver-unknown", {"has": plain() | {"services": []}}),
        ("resolver-refused", {"has": plain() | {"pods": [], SLICES: [endpoints("kube-dns", "kube-system", METADATA)]}}),
        ("storage-class-missing", {"has": plain() | {"storageclasses.storage.k8s.io": []}}),
        ("unread", {"refused": ("nodes",)}),
        ("issuer-missing", {"has": foreign() | {"clusterissuers.cert-manager.io": []}}),
        ("trust-bundle-missing", {"has": foreign() | {"bundles.trust.cert-manager.io": []}}),
        (
            "cert-manager-elsewhere",
            {"has": foreign() | {"deployments.apps": [thing("c", "pki", {"app.kubernetes.io/name": "cert-manager"})]}},
        ),
    ],
)
def test_what_is_in_the_way_is_found(ask: Ask, rule: str, told: Json) -> None:
    found = ask(**told)
    assert found["code"] == 1 and rule in found["rules"]
    assert rule not in ask(has=foreign())["rules"], "the control: a foreign cluster where nothing is in the way"


def test_no_address_is_proposed_that_a_stack_would_refuse(ask: Ask) -> None:
    found = ask(has=plain() | {"pods": [], SLICES: [endpoints("kube-dns", "kube-system", METADATA, "10.0.0.2")]})
    assert found["settings"]["dnsRanges"] == ["10.96.0.10/32", "10.0.0.2/32"]


def test_an_old_cluster_is_told_in_the_line_of_pulumi_up(ask: Ask) -> None:
    (found,) = [one for one in ask(minor="32")["findings"] if one["rule"] == "kubernetes-version"]
    assert f"{found['message']}; {found['remedy']}" == kube.too_old((1, 32))
    assert kube.too_old((1, 33)) == kube.too_old((2, 0)) == ""


def test_the_table_is_for_people(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(kube, "attempt", Told(foreign()))
    assert doctor([]) == 0
    said = capsys.readouterr().out
    for line in (
        "Kubernetes     1.36",
        'names          kube-system/kube-dns at 172.20.0.10, pods {"k8s-app": "kube-dns"} port 53, '
        "caches 169.254.20.10",
        "cert-manager   cert-manager; ready: corporate",
        "network        Calico",
    ):
        assert line in said.splitlines()
    assert 'garrison:dnsRanges: ["169.254.20.10/32", "172.20.0.10/32"]' in said
    assert "1 finding (1 low) on this cluster" in said


@pytest.mark.parametrize("answer", [(1, "", "connection refused"), (0, "{}", ""), (0, "[]", ""), (0, "x", "")])
def test_a_cluster_that_does_not_answer_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: tuple[int, str, str]
) -> None:
    monkeypatch.setattr(kube, "attempt", lambda *_, **__: answer)
    assert doctor([]) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1
