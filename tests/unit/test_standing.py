"""What has to stand on a cluster already: each thing that is missing is one line with a remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from garrison import kube
from garrison.cluster import Issuer
from garrison.deployment import standing
from garrison.settings import Settings

PCA = Issuer(name="corp", kind="AWSPCAClusterIssuer", group="awspca.cert-manager.io", account="aws-pca/issuer")
SOUND: dict[str, Any] = {
    "kinds": {
        "cert-manager.io/v1": [("certificates", "Certificate", True), ("clusterissuers", "ClusterIssuer", False)],
        "awspca.cert-manager.io/v1beta1": [("awspcaclusterissuers", "AWSPCAClusterIssuer", False)],
        "trust.cert-manager.io/v1alpha1": [("bundles", "Bundle", False)],
    },
    "awspcaclusterissuers.awspca.cert-manager.io corp": {
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}
    },
    "clusterissuers.cert-manager.io corp": {},
    "bundles.trust.cert-manager.io trust-bundle": {
        "spec": {
            "target": {
                "configMap": {"key": "ca.pem"},
                "namespaceSelector": {"matchLabels": {"garrison.dev/trust-bundle": "true"}},
            }
        },
        "status": {"conditions": [{"type": "Synced", "status": "True"}]},
    },
    "approves": True,
    "deployments": [],
}
ISSUER, BUNDLE = "awspcaclusterissuers.awspca.cert-manager.io corp", "bundles.trust.cert-manager.io trust-bundle"


def answers(there: dict[str, Any]) -> Callable[..., tuple[int, str, str]]:
    """A kubectl before a cluster that has just this."""

    def attempt(words: list[str], **more: Any) -> tuple[int, str, str]:
        kinds = there["kinds"]
        if words[:3] == ["get", "--raw", "/apis"]:
            groups = [{"name": one.partition("/")[0], "preferredVersion": {"groupVersion": one}} for one in kinds]
            return 0, json.dumps({"groups": groups}), ""
        if words[:2] == ["get", "--raw"]:
            rows = kinds[words[2].removeprefix("/apis/")]
            return 0, json.dumps({"resources": [{"name": n, "kind": k, "namespaced": s} for n, k, s in rows]}), ""
        if words[0] == "create":
            name = json.loads(more["stdin"])["spec"]["resourceAttributes"]["name"]
            granted = there["approves"]
            return 0, json.dumps({"status": {"allowed": granted is True or name == granted}}), ""
        if words[1] == "deployments":
            return 0, json.dumps({"items": there["deployments"]}), ""
        found = there.get(" ".join(words[1:3]))
        return 0, "" if found is None else json.dumps(found), ""

    return attempt


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    def look(settings: Settings, **changed: Any) -> list[str]:
        there = {**deepcopy(SOUND), **changed}
        monkeypatch.setattr(kube, "attempt", answers(there))
        monkeypatch.setattr(standing, "attempt", answers(there))
        try:
            standing.check(settings)
        except standing.StandingError as error:
            return [str(one) for one in error.problems]
        return []

    return look


def others(**said: Any) -> Settings:
    """A cluster of which somebody else made cert-manager and trust-manager."""
    return replace(Settings(install_cert_manager=False, install_trust_manager=False), **said)


def without(kind: str) -> dict[str, Any]:
    return {name: rows for name, rows in SOUND["kinds"].items() if not name.startswith(kind)}


def test_what_is_there_is_enough(lacking: Callable[..., list[str]]) -> None:
    assert lacking(others(issuer=PCA)) == []
    assert lacking(others(issuer="corp", edge_issuer=Issuer(name="corp"))) == []
    assert lacking(Settings(issuer="corp"), kinds=without("cert-manager.io/")) == [], "it comes with what is installed"


def test_only_who_leaves_something_to_others_is_asked() -> None:
    assert not standing.wanted(Settings())
    those: list[dict[str, Any]] = [{"issuer": PCA}, {"install_trust_manager": False}, {"install_cert_manager": False}]
    for said in those:
        assert standing.wanted(replace(Settings(), **said))


CHANGED: dict[str, tuple[dict[str, Any], str]] = {
    "no cert-manager": (
        {"kinds": without("cert-manager.io/")},
        "installCertManager: false, and there is no cert-manager; install it",
    ),
    "no trust-manager": (
        {"kinds": without("trust.")},
        "installTrustManager: false, and there is no trust-manager; install it",
    ),
    "no such kind": (
        {"kinds": without("awspca")},
        "issuer: the cluster knows no kind AWSPCAClusterIssuer of awspca.cert-manager.io; install its controller",
    ),
    "a kind of one namespace": (
        {"kinds": {**SOUND["kinds"], "awspca.cert-manager.io/v1beta1": [("awspcas", "AWSPCAClusterIssuer", True)]}},
        "issuer: AWSPCAClusterIssuer is awspcas, of one namespace, unlike its name; ",
    ),
    "no issuer": ({ISSUER: None}, "issuer: there is no AWSPCAClusterIssuer.awspca.cert-manager.io/corp; make it"),
    "an issuer that cannot": (
        {ISSUER: {"status": {"conditions": [{"type": "Ready", "status": "False", "message": "no\nrights"}]}}},
        "issuer: AWSPCAClusterIssuer.awspca.cert-manager.io/corp is not ready: no rights; see why",
    ),
    "nobody approves": (
        {"approves": False},
        "issuer: cert-manager may not approve what AWSPCAClusterIssuer.awspca.cert-manager.io/corp is asked for",
    ),
    "no bundle": ({BUNDLE: None}, "trustCa: not given, and there is no Bundle trust-bundle: nobody would be trusted"),
    "another key": (
        {BUNDLE: {**SOUND[BUNDLE], "spec": {"target": {"configMap": {"key": "root.crt"}}}}},
        "trustCa: Bundle trust-bundle fills no ConfigMap's key ca.pem; give the CA of the issuer as trustCa",
    ),
    "other namespaces": (
        {
            BUNDLE: {
                **SOUND[BUNDLE],
                "spec": {
                    "target": {"configMap": {"key": "ca.pem"}, "namespaceSelector": {"matchLabels": {"team": "a"}}}
                },
            }
        },
        "trustCa: Bundle trust-bundle does not select namespaces labelled garrison.dev/trust-bundle=true",
    ),
    "no source": (
        {BUNDLE: {**SOUND[BUNDLE], "status": {"conditions": [{"type": "Synced", "status": "False", "message": "x"}]}}},
        "trustCa: Bundle trust-bundle is not filled: x; give the CA of the issuer as trustCa",
    ),
    "nobody fills it": (
        {BUNDLE: {"spec": SOUND[BUNDLE]["spec"]}},
        "trustCa: Bundle trust-bundle is not filled: trust-manager says nothing of it",
    ),
}


@pytest.mark.parametrize("lack", CHANGED)
def test_what_is_missing_is_one_line(lack: str, lacking: Callable[..., list[str]]) -> None:
    changed, says = CHANGED[lack]
    (problem,) = lacking(others(issuer=PCA), **changed)
    assert problem.startswith(says)


def test_with_the_ca_no_bundle_is_needed_and_whose_chart_is_ours_approves(
    lacking: Callable[..., list[str]], tmp_path: Path
) -> None:
    assert lacking(others(issuer=PCA, trust_ca=tmp_path), **{BUNDLE: None}) == []
    assert lacking(Settings(issuer=PCA), approves=False) == []


@pytest.mark.parametrize(("space", "count"), [("security", 1), ("cert-manager", 0)])
def test_a_trust_manager_that_reads_elsewhere_would_never_see_the_root(
    space: str, count: int, lacking: Callable[..., list[str]]
) -> None:
    pod = {"containers": [{"args": ["--log-level=1", f"--trust-namespace={space}"]}]}
    found = lacking(Settings(install_trust_manager=False), deployments=[{"spec": {"template": {"spec": pod}}}])
    assert len(found) == count
    assert all("trust-manager reads security, and the root is in cert-manager; set" in one for one in found)


@pytest.mark.parametrize("granted", ["corp", "*"])
def test_cert_manager_may_approve_by_name_or_for_all_of_the_kind_as_its_chart_has_it(
    granted: str, lacking: Callable[..., list[str]]
) -> None:
    settings = Settings(install_cert_manager=False, install_trust_manager=False, issuer=PCA)
    signers = "awspcaclusterissuers.awspca.cert-manager.io"
    assert lacking(settings, approves=f"{signers}/{granted}") == []
    assert len(lacking(settings, approves=f"{signers}/other")) == 1
