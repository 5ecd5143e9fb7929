"""Who may ask for a signature, at admission: nobody but cert-manager, on behalf of a Certificate that was judged.

A signing request holds its names in DER, which CEL cannot read. So requests to the estate's issuer come from
cert-manager's own account only, in both of the forms that exist; the names are judged in the Certificate behind them.
"""

from __future__ import annotations

from typing import Any

from garrison import defaults as d
from garrison.cluster import Issuer
from garrison.derive.names import CERTIFICATE_REQUESTS
from garrison.words import Ref
from garrison_policies.language.expr import literal
from garrison_policies.places.people import CONTROL_PLANE, ISSUING, account
from garrison_policies.places.policy import Mode, binding, policy
from garrison_policies.rules.identities import ours

Json = dict[str, Any]
_HOW = "create a Certificate with names of its own instead"


def manifests(issuer: Issuer | str = d.ISSUER, mode: Mode = "deny") -> list[Json]:
    """The policies for both forms, each with its binding."""
    who = Issuer.of(issuer)
    asked = f"!{ours(who).cel('object', 'object')}"
    signers = _signers(who)
    # an Issuer in cert-manager's own namespace could name the root's Secret
    within = f"object.spec.signerName.startsWith({literal(f'issuers.cert-manager.io/{d.ISSUER_NAMESPACE}.')})"
    made = (
        policy(
            CERTIFICATE_REQUESTS,
            [("cert-manager.io", "v1", ("certificaterequests", "certificaterequests/status"))],
            [_required(f"{asked} || {_may_sign(who)} || {CONTROL_PLANE}", "certificate-request-by-hand")],
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
            [_required(f"!({signers} || {within})", "signing-request-by-hand")],
            selector={},
        ),
    )
    names = (CERTIFICATE_REQUESTS, "signing-requests")
    return [item for one, name in zip(made, names, strict=True) for item in (one, binding(name, mode))]


def _signers(who: Issuer) -> str:
    """CEL: a request in Kubernetes' own form goes to the estate's issuer, or to any of an external one's group."""
    if who.external:
        return f"object.spec.signerName.contains({literal(f'.{who.group}/')})"
    return f"object.spec.signerName in {literal([who.signer()])}"


def _may_sign(who: Issuer) -> str:
    """CEL: cert-manager asks; or who signs for an external issuer answers."""
    if who.account is None:
        return ISSUING
    signer = Ref.parse(who.account)
    answers = "has(request.subResource) && request.subResource == 'status'"
    return f"{ISSUING} || ({answers} && {account(signer.namespace, signer.name)})"


def _required(expression: str, name: str) -> Json:
    text = f"{name}: required: nobody but cert-manager asks the estate's issuer for a signature; {_HOW}"
    return {"expression": expression, "message": text, "reason": "Forbidden"}
