"""What has to stand on a cluster already, because Garrison is told not to make it: looked for before anything is made.

An issuer that is not there, or a trust bundle that nobody fills, would otherwise be found out by pods that hang.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Issuer
from garrison.errors import GarrisonError, Problem
from garrison.kube import attempt, kubectl
from garrison.settings import Settings

TRUST_API: Final = "trust.cert-manager.io"
_APPROVER: Final = f"system:serviceaccount:{d.ISSUER_NAMESPACE}:cert-manager"
_PLAIN_CA: Final = "give the CA of the issuer as trustCa, or make it: docs/platform.md"


class StandingError(GarrisonError):
    """The cluster lacks what it is said to have. `problems` has all of it."""


def wanted(settings: Settings) -> bool:
    """Whether anything has to stand there already."""
    return settings.issuer is not None or not (settings.install_cert_manager and settings.install_trust_manager)


def check(settings: Settings) -> None:
    """Raise StandingError with everything that is not there; KubectlError where the cluster does not say."""
    if found := sorted(_lacking(settings)):
        raise StandingError(found, "the cluster lacks what its settings say it has:")


def _lacking(settings: Settings) -> Iterator[Problem]:
    signing = not settings.install_cert_manager
    if signing and not _resource("cert-manager.io", "Certificate"):
        yield Problem("installCertManager", "false, and there is no cert-manager", "install it, or leave this out")
    hosts = settings.cluster.entrance.issuer
    for where, issuer in (("issuer", settings.issuer), ("edgeIssuer", hosts)):
        if issuer is not None:
            yield from _issuer(where, Issuer.of(issuer), ours=settings.install_cert_manager)
    yield from _trust(settings)


def _trust(settings: Settings) -> Iterator[Problem]:
    served = _resource(TRUST_API, "Bundle") is not None
    if not settings.install_trust_manager:
        if not served:
            yield Problem(
                "installTrustManager", "false, and there is no trust-manager", "install it, or leave this out"
            )
            return
        if settings.issuer is None:
            yield from _trust_namespace()
    if settings.issuer is not None and settings.trust_ca is None:
        yield from _bundle(_get(f"bundles.{TRUST_API}", d.TRUST_BUNDLE) if served else None)


# --- issuers ---------------------------------------------------------------------------------------------------------


def _issuer(where: str, issuer: Issuer, *, ours: bool) -> Iterator[Problem]:
    resource = _resource(issuer.group, issuer.kind)
    if resource is None:
        if issuer.external or not ours:  # cert-manager's own kinds come with what is installed here
            what = f"the cluster knows no kind {issuer.kind} of {issuer.group}"
            yield Problem(where, what, "install its controller first, or mend the name")
        return
    if resource["namespaced"] == issuer.everywhere or resource["name"] != issuer.resource:
        whose = "one namespace" if resource["namespaced"] else "the whole cluster"
        what = f"{issuer.kind} is {resource['name']}, of {whose}, unlike its name"
        yield Problem(where, what, "Garrison goes by the convention of external issuers and cannot use this one")
        return
    home = "" if issuer.everywhere else d.EDGE.namespace
    found = _get(f"{issuer.resource}.{issuer.group}", issuer.name, home)
    if found is None:
        yield Problem(
            where, f"there is no {issuer}", f"make it, or mend the name; {_there(issuer, home)} says which are"
        )
    elif said := _not(found, "Ready"):
        yield Problem(where, f"{issuer} is not ready: {said}", "see why its controller cannot use it")
    elif not ours and not _approved(issuer):
        what = f"cert-manager may not approve what {issuer} is asked for ({issuer.signer(home)})"
        yield Problem(where, what, "let it `approve` these `signers`: its chart's approveSignerNames, docs/platform.md")


def _there(issuer: Issuer, home: str) -> str:
    return f"`kubectl get {issuer.resource}.{issuer.group}{f' --namespace={home}' if home else ''}`"


def _approved(issuer: Issuer) -> bool:
    """Whether cert-manager's account may approve; True also where we may not ask.

    Its approver asks for the issuer by name, and for all of its kind: its chart's default grants the latter.
    """
    signer = issuer.signer(d.EDGE.namespace)
    return any(_may_approve(name) for name in (signer, f"{signer.partition('/')[0]}/*"))


def _may_approve(name: str) -> bool:
    signer = {"group": "cert-manager.io", "resource": "signers", "verb": "approve", "name": name}
    spec = {"user": _APPROVER, "resourceAttributes": signer}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    code, out, _ = attempt(["create", "--filename=-", "--output=json"], stdin=json.dumps(review))
    return bool(code) or bool(json.loads(out)["status"]["allowed"])


# --- trust -----------------------------------------------------------------------------------------------------------


def _trust_namespace() -> Iterator[Problem]:
    """The root's certificate is in one namespace; a trust-manager that reads another never sees it."""
    found = json.loads(
        kubectl(["get", "deployments", "--all-namespaces", "--selector=app.kubernetes.io/name=trust-manager", "-ojson"])
    )["items"]
    for deployment in found:
        words = [word for one in deployment["spec"]["template"]["spec"]["containers"] for word in one.get("args", ())]
        spaces = [word.partition("=")[2] for word in words if word.startswith("--trust-namespace=")]
        if spaces and spaces[-1] != d.ISSUER_NAMESPACE:
            what = f"trust-manager reads {spaces[-1]}, and the root is in {d.ISSUER_NAMESPACE}"
            yield Problem("installTrustManager", what, f"set its app.trust.namespace to {d.ISSUER_NAMESPACE}")


def _bundle(found: dict[str, Any] | None) -> Iterator[Problem]:
    where = "trustCa"
    if found is None:
        yield Problem(where, f"not given, and there is no Bundle {d.TRUST_BUNDLE}: nobody would be trusted", _PLAIN_CA)
        return
    target = found["spec"].get("target", {})
    if target.get("configMap", {}).get("key") != d.TRUST_FILE:
        what = f"Bundle {d.TRUST_BUNDLE} fills no ConfigMap's key {d.TRUST_FILE}"
        yield Problem(where, what, _PLAIN_CA)
    labels = target.get("namespaceSelector", {}).get("matchLabels", {}).items()
    if not labels <= {d.TRUST_LABEL: "true"}.items():
        what = f"Bundle {d.TRUST_BUNDLE} does not select namespaces labelled {d.TRUST_LABEL}=true"
        yield Problem(where, what, _PLAIN_CA)
    if said := _not(found, "Synced", otherwise="trust-manager says nothing of it"):
        yield Problem(where, f"Bundle {d.TRUST_BUNDLE} is not filled: {said}", _PLAIN_CA)


# --- asking ----------------------------------------------------------------------------------------------------------


def _not(item: dict[str, Any], kind: str, otherwise: str = "") -> str:
    """Why the condition does not hold; empty where it does. What is said where nobody speaks of it: `otherwise`."""
    for one in item.get("status", {}).get("conditions", ()):
        if one["type"] == kind:
            return "" if one["status"] == "True" else " ".join(str(one.get("message") or one.get("reason")).split())
    return otherwise


def _get(resource: str, name: str, namespace: str = "") -> dict[str, Any] | None:
    where = [f"--namespace={namespace}"] if namespace else []
    text = kubectl(["get", resource, name, *where, "--ignore-not-found", "--output=json"])
    found: dict[str, Any] | None = json.loads(text) if text.strip() else None
    return found


def _resource(group: str, kind: str) -> dict[str, Any] | None:
    """How the API server serves a kind, in the version it prefers; None where it does not."""
    listed = json.loads(kubectl(["get", "--raw", "/apis"]))["groups"]
    version = next((one["preferredVersion"]["groupVersion"] for one in listed if one["name"] == group), None)
    if version is None:
        return None
    resources = json.loads(kubectl(["get", "--raw", f"/apis/{version}"]))["resources"]
    return next((one for one in resources if one["kind"] == kind and "/" not in one["name"]), None)
