"""Who may ask for a signature, at admission: nobody but cert-manager, on behalf of a Certificate that was judged.

A signing request holds its names in DER, which CEL cannot read. So requests to the estate's issuer come from
cert-manager's own account only, in both of the forms that exist; the names are judged in the Certificate behind them.
"""

from __future__ import annotations

from typing import Any

from garrison import defaults as d
from garrison.derive.names import CERTIFICATE_REQUESTS
from garrison_policies.language.expr import literal
from garrison_policies.places.people import CONTROL_PLANE, ISSUING
from garrison_policies.places.policy import Mode, binding, policy
from garrison_policies.rules.identities import ours

Json = dict[str, Any]
_HOW = "create a Certificate with names of its own instead"


def manifests(issuer: str = d.ISSUER, mode: Mode = "deny") -> list[Json]:
    """The policies for both forms, each with its binding."""
    asked = f"!{ours(issuer).cel('object', 'object')}"
    signers = [f"clusterissuers.cert-manager.io/{issuer}"]
    # an Issuer in cert-manager's own namespace could name the root's Secret
    within = f"object.spec.signerName.startsWith({literal(f'issuers.cert-manager.io/{d.ISSUER_NAMESPACE}.')})"
    made = (
        policy(
            CERTIFICATE_REQUESTS,
            [("cert-manager.io", "v1", ("certificaterequests", "certificaterequests/status"))],
            [_required(f"{asked} || {ISSUING} || {CONTROL_PLANE}", "certificate-request-by-hand")],
            selector={},
        ),
        policy(
            "signing-requests",
            [
                (
                    "certificates.k8s.io",
                    "v1",
                    ("certificatesigningrequests", "certificatesigningrequests/approval"),
                )
            ],
            [_required(f"!(object.spec.signerName in {literal(signers)} || {within})", "signing-request-by-hand")],
            selector={},
        ),
    )
    names = (CERTIFICATE_REQUESTS, "signing-requests")
    return [item for one, name in zip(made, names, strict=True) for item in (one, binding(name, mode))]


def _required(expression: str, name: str) -> Json:
    text = f"{name}: required: nobody but cert-manager asks the estate's issuer for a signature; {_HOW}"
    return {"expression": expression, "message": text, "reason": "Forbidden"}
