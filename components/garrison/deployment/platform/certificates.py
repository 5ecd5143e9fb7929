"""cert-manager and trust-manager as their charts make them, and a root of trust for the estate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from garrison import defaults as d
from garrison.cluster import Issuer
from garrison.deployment.platform.charts import Chart
from garrison.deployment.platform.objects import platform_object
from garrison.manifest import Manifest

NAMESPACE = d.ISSUER_NAMESPACE
ROOT = d.ROOT
API = "cert-manager.io/v1"
ISSUER_GROUP = "cert-manager.io"
BOUNDS = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}}

CERT_MANAGER = Chart(
    "cert-manager",
    NAMESPACE,
    {
        # cluster-wide it approves for the estate's issuer only; an Issuer in a namespace signs for that namespace
        "approveSignerNames": [f"clusterissuers.cert-manager.io/{d.ISSUER}", "issuers.cert-manager.io/*"],
        # `pulumi destroy` leaves nothing behind, so the CRDs go with the rest
        "crds": {"enabled": True, "keep": False},
        # its lock would otherwise lie in kube-system
        # and whoever may edit some namespace may not for that reason ask for certificates
        "global": {"leaderElection": {"namespace": NAMESPACE}, "rbac": {"aggregateClusterRoles": False}},
        # a Job that outlives its purpose; readiness of the webhook is waited for instead
        "startupapicheck": {"enabled": False},
        # a service that is taken out takes its key with it
        "enableCertificateOwnerRef": True,
        "prometheus": {"enabled": False},
        "resources": BOUNDS,
        "webhook": {"resources": BOUNDS},
        "cainjector": {"resources": BOUNDS},
    },
)


def cert_manager(issuers: Sequence[Issuer]) -> Chart:
    """The chart for a cluster with these issuers: that of the estate, and that of its hosts."""
    asked = dict.fromkeys(one.signer(d.EDGE.namespace) for one in issuers)
    signers = [
        *(name for name in asked if not name.startswith("issuers.cert-manager.io/")),
        "issuers.cert-manager.io/*",
    ]
    return replace(CERT_MANAGER, values={**CERT_MANAGER.values, "approveSignerNames": signers})


TRUST_MANAGER = Chart(
    "trust-manager",
    NAMESPACE,
    {
        "crds": {"enabled": True, "keep": False},
        # public CAs have no place in a private trust domain
        "defaultPackage": {"enabled": False},
        "secretTargets": {"enabled": False},
        "app": {
            "trust": {"namespace": NAMESPACE},
            "metrics": {"service": {"enabled": False}},
        },
        "resources": BOUNDS,
    },
)


def root() -> Iterator[Manifest]:
    """A self-signed root whose key never leaves cert-manager's namespace, and the issuer that signs with it."""
    yield platform_object(API, "Issuer", NAMESPACE, f"{ROOT}-bootstrap", {"spec": {"selfSigned": {}}})
    yield platform_object(API, "Certificate", NAMESPACE, ROOT, {"spec": _root_certificate()})
    yield platform_object(API, "ClusterIssuer", None, d.ISSUER, {"spec": {"ca": {"secretName": ROOT}}})


def _root_certificate() -> dict[str, Any]:
    return {
        "isCA": True,
        "commonName": "garrison root",
        "secretName": ROOT,
        "duration": "43800h",  # five years
        "renewBefore": "8760h",
        # A renewal keeps the key: with a new one every leaf in use would be refused at once. A change of root is an act
        # of its own, with both roots in the bundle while it lasts.
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Never"},
        "usages": ["cert sign", "crl sign", "digital signature"],
        "issuerRef": {"group": ISSUER_GROUP, "kind": "Issuer", "name": f"{ROOT}-bootstrap"},
    }


def bundle(authorities: str | None = None) -> Manifest:
    """The root's certificate, without its key, as a ConfigMap in every namespace that asks for it by label.

    authorities: in PEM, who is trusted instead of the root that is made here.
    """
    spec = {
        "sources": [{"inLine": authorities} if authorities else {"secret": {"name": ROOT, "key": "tls.crt"}}],
        "target": {
            "configMap": {"key": d.TRUST_FILE},
            "namespaceSelector": {"matchLabels": {d.TRUST_LABEL: "true"}},
        },
    }
    return platform_object("trust.cert-manager.io/v1alpha1", "Bundle", None, d.TRUST_BUNDLE, {"spec": spec})


def leaf(namespace: str, name: str, issuer: Issuer, names: dict[str, Any]) -> Manifest:
    """A short-lived certificate of a platform part, its Secret named like itself."""
    spec = {
        "secretName": name,
        **names,
        "duration": d.CERTIFICATE_LIFE,
        "renewBefore": d.CERTIFICATE_RENEW_BEFORE,
        "privateKey": dict(d.KEY),
        "issuerRef": issuer.reference,
    }
    return platform_object(API, "Certificate", namespace, name, {"spec": spec})
