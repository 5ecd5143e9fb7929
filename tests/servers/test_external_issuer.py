"""Identities that somebody else's issuer signs: cert-manager itself, a real API server, and a controller of the test's.

cert-manager runs with the rights that its chart gives with our values, and all that admission enforces is in force.
"""

from __future__ import annotations

import subprocess
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from garrison.cluster import Cluster
from garrison.deployment import standing
from garrison.deployment.platform import certificates, charts
from garrison.derive import identity
from garrison.settings import Settings
from garrison_policies.places import whole
from harness import build
from harness.plugin.api import Api
from harness.plugin.errors import PluginError
from harness.plugin.testing.apiserver import WITH_US, ControlPlane
from harness.ports import free_port
from servers import certmanager
from servers.enforcing import in_force
from servers.signer import ISSUER, REQUESTS, Authority, answer, controller, kind
from servers.test_guard import AWAY, CERTIFICATES, EVE, ISSUING, RBAC, REQUEST, obj, said, signing, speaking, uri
from unit.estates import shop_app

pytest_plugins = ["harness.plugin.testing.fixtures"]
Json = dict[str, Any]
GRAPH, THERE = shop_app().graph(), Cluster(issuer=ISSUER)
SIGNER = "system:serviceaccount:corporate:signer"
LINKED: Json = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
ANOTHER = {"group": ISSUER.group, "kind": "ExampleIssuer", "name": "mine"}  # which may well sign with the same key


def asked(space: str, name: str = "payments", issuer: Json = ISSUER.reference, **names: Any) -> Json:
    spec = {"secretName": "s", "duration": "24h", "issuerRef": issuer} | names
    return obj(CERTIFICATES, "Certificate", space, name, spec=spec)


def by_hand(issuer: Json) -> Json:
    return obj(CERTIFICATES, "CertificateRequest", AWAY, "hand", spec={"request": REQUEST, "issuerRef": issuer})


ATTACKS: dict[str, tuple[Json, str]] = {
    "a service of another namespace": (asked(AWAY, **uri("bank")), "identity-of-another"),
    "by another issuer of the kind": (
        asked(AWAY, issuer={**ISSUER.reference, "name": "x"}, **uri("bank")),
        "identity-of-another",
    ),
    "by another kind of the group": (asked(AWAY, issuer=ANOTHER, **uri("bank")), "identity-of-another"),
    "the store's host": (asked(AWAY, dnsNames=["openbao.openbao.svc"]), "identity-of-another"),
    "an authority": (asked(AWAY, **uri(AWAY), isCA=True), "identity-plain"),
    "a request by hand": (by_hand(ISSUER.reference), "certificate-request-by-hand"),
    "a request by hand to another of the group": (by_hand(ANOTHER), "certificate-request-by-hand"),
    "a signing request": (signing(ISSUER.signer(), REQUEST), "signing-request-by-hand"),
    "a signing request to another of the group": (
        signing(f"exampleissuers.{ISSUER.group}/{AWAY}.mine", REQUEST),
        "signing-request-by-hand",
    ),
    "the issuer": (obj(f"{ISSUER.group}/v1", ISSUER.kind, "", ISSUER.name), "trust-guard"),
}
CONTROLS = {
    "its own identity": asked(AWAY, **uri(AWAY)),
    "of another group": asked(AWAY, issuer={"kind": "Issuer", "name": "mine"}, **uri("bank")),
    "a signing request elsewhere": signing("example.com/other", REQUEST),
    "another of the issuers": obj(f"{ISSUER.group}/v1", ISSUER.kind, "", "another"),
}


@pytest.fixture(scope="module")
def before(plane: ControlPlane) -> dict[str, str]:
    """What the server says to each attack while no policy is in force."""
    certmanager.install(plane)
    certmanager.withdraw(plane, certificates.TRUST_MANAGER)
    for item in (kind(), kind("ExampleIssuer", scope="Namespaced")):
        plane.api.apply(item, "test")
    for space in ("bank", "shop", AWAY, "corporate", "cert-manager", "openbao"):
        plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}, "test")
    for number, user in enumerate((EVE, SIGNER)):
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
        plane.api.apply(
            obj(RBAC, "ClusterRoleBinding", "", f"ext-{number}", roleRef=LINKED, subjects=[subject]), "test"
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{build.binary('helm').parent}:/usr/bin:/bin")
        chart = charts.render(certificates.cert_manager([ISSUER]), build.obtain("charts"))
    for item in chart:
        if item["apiVersion"] == RBAC:
            plane.api.apply(item, "test")
    until(lambda: _served(plane.api), "the issuer's kinds are served")
    eve = speaking(plane, EVE)
    return {name: said(eve, item) for name, (item, _) in ATTACKS.items()}


def _served(api: Api) -> bool:
    try:
        for name in (ISSUER.kind, "ExampleIssuer"):
            api.resource({"apiVersion": f"{ISSUER.group}/v1", "kind": name, "metadata": {"name": "x"}})
    except PluginError:
        return False
    return True


def until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 90
    while not done():
        assert time.monotonic() < deadline, f"{what}: not after 90 s"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def server(plane: ControlPlane, before: dict[str, str]) -> Iterator[ControlPlane]:
    assert set(before.values()) == {""}, "the control: every attack is taken by a server without the policies"
    plane.api.apply(obj(f"{ISSUER.group}/v1", ISSUER.kind, "", ISSUER.name), "test")
    with in_force(plane, whole.manifests(GRAPH, THERE, platform=("cert-manager", "openbao"))):
        yield plane


@pytest.mark.parametrize("attack", ATTACKS)
def test_nobody_gets_the_identity_of_another(server: ControlPlane, attack: str) -> None:
    item, rule = ATTACKS[attack]
    assert f"{rule}: " in said(speaking(server, EVE), item)


@pytest.mark.parametrize("control", CONTROLS)
def test_what_means_nothing_to_the_estate_is_taken(server: ControlPlane, control: str) -> None:
    assert said(speaking(server, EVE), CONTROLS[control]) == ""


@contextmanager
def manager(plane: ControlPlane, folder: Path) -> Iterator[None]:
    """cert-manager's controller as its own account: what its chart's roles do not give, it cannot do."""
    config = yaml.safe_load(plane.kubeconfig.read_text())
    groups = ["system:serviceaccounts", "system:serviceaccounts:cert-manager", "system:authenticated"]
    config["users"][0]["user"] |= {"as": ISSUING, "as-groups": groups}
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    flags = [
        f"--kubeconfig={folder / 'kubeconfig'}",
        "--leader-elect=false",
        "--cluster-resource-namespace=cert-manager",
    ]
    flags.append(f"--metrics-listen-address=127.0.0.1:{free_port()}")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*WITH_US, str(build.binary("cert-manager-controller")), *flags], stderr=log)
    try:
        yield
        assert process.poll() is None, (folder / "log").read_text()[-500:]
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_cert_manager_approves_and_the_external_issuer_signs(server: ControlPlane, tmp_path: Path) -> None:
    items = [item for item in identity.manifests(GRAPH, THERE) if item["metadata"]["name"] in ("payments", "orders")]
    assert len(items) == 2
    authority, signer = Authority(), speaking(server, SIGNER)
    with manager(server, tmp_path), controller(signer, authority):
        for item in items:
            server.api.apply(item, "test")
        found = {item["metadata"]["name"]: _filled(server.api, item) for item in items}
    for item in items:
        made = found[item["metadata"]["name"]]
        made.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.pem))
        names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.UniformResourceIdentifier) == item["spec"]["uris"]
        assert list(names) == [x509.UniformResourceIdentifier(item["spec"]["uris"][0])]
    _only_who_signs_answers(server, authority)


def _filled(api: Api, item: Json) -> x509.Certificate:
    meta = item["metadata"]
    secret = obj("v1", "Secret", meta["namespace"], item["spec"]["secretName"])
    until(lambda: "tls.crt" in (api.find(secret) or {}).get("data", {}), f"the certificate of {meta['name']}")
    return x509.load_pem_x509_certificate(b64decode(api.get(secret)["data"]["tls.crt"]))


def _only_who_signs_answers(server: ControlPlane, authority: Authority) -> None:
    """Whoever may write a request's status would hand a service what it takes for its identity."""
    item = next(
        one
        for one in server.api.client._send("GET", f"{REQUESTS}/certificaterequests")["items"]
        if one["spec"]["issuerRef"].get("group") == ISSUER.group
    )
    changed = {**item, "status": {**item["status"], "conditions": item["status"]["conditions"][:1]}}
    del changed["status"]["certificate"]
    with pytest.raises(PluginError, match="certificate-request-by-hand: "):
        answer(speaking(server, EVE), changed, authority)
    answer(speaking(server, SIGNER), changed, authority)  # the control


def test_a_preview_says_what_is_missing(server: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """The looks of `standing`, at a real API server."""
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
    monkeypatch.setenv("PATH", f"{build.binary('kubectl').parent}:{build.binary('helm').parent}:/usr/bin:/bin")
    there = Settings(install_cert_manager=False, install_trust_manager=False, issuer=ISSUER)
    assert _missing(there) == ["installTrustManager: false, and there is no trust-manager"]
    other = replace(ISSUER, name="none")
    assert f"issuer: there is no {other}" in _missing(replace(there, issuer=other))[1]
    odd = replace(ISSUER, kind="NoSuchClusterKind")
    assert "the cluster knows no kind NoSuchClusterKind" in _missing(replace(there, issuer=odd))[1]
    certmanager.define(server, certificates.TRUST_MANAGER)
    until(
        lambda: _missing(there) != ["installTrustManager: false, and there is no trust-manager"], "Bundles are served"
    )
    assert _missing(there) == ["trustCa: not given, and there is no Bundle trust-bundle: nobody would be trusted"]
    bundle = certificates.bundle(Authority().pem.decode())
    server.api.apply(bundle, "test")
    assert _missing(there) == ["trustCa: Bundle trust-bundle is not filled: trust-manager says nothing of it"]
    server.api.client._send(
        "PATCH",
        "/apis/trust.cert-manager.io/v1alpha1/bundles/trust-bundle/status",
        body={"status": {"conditions": [_synced()]}},
        kind="application/merge-patch+json",
    )
    assert _missing(there) == []
    approver = "cert-manager-controller-approve:cert-manager-io"
    server.api.delete(obj(RBAC, "ClusterRole", "", approver), "Background")
    assert _missing(there)[0].startswith("issuer: cert-manager may not approve what ExampleClusterIssuer.")


def _synced() -> Json:
    moment = "2026-01-01T00:00:00Z"
    return {"type": "Synced", "status": "True", "reason": "Synced", "message": "", "lastTransitionTime": moment}


def _missing(settings: Settings) -> list[str]:
    try:
        standing.check(settings)
    except standing.StandingError as error:
        return [str(one).partition(";")[0] for one in error.problems]
    return []
