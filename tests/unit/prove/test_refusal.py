"""Whose refusal it was: what the API server says when it does not take an object, word for word."""

from __future__ import annotations

import pytest

from garrison import kube
from garrison.prove.judge import refusal
from garrison.prove.kubectl import Kubectl
from garrison.prove.look import api
from garrison.prove.model import DEPLOYER, Admit, Kind, Layer, Party, Probe, Verdict

HEAD = 'Error from server (Forbidden): error when creating "STDIN": '
SAID: dict[str, tuple[str, Verdict, Layer | None]] = {
    "RBAC": (
        HEAD + 'certificates.cert-manager.io is forbidden: User "garrison-probe-editor" cannot create resource'
        ' "certificates" in API group "cert-manager.io" in the namespace "garrison-probe-a1b2c3"',
        "refused",
        "rbac",
    ),
    "RBAC, of itself": (
        'Error from server (Forbidden): users "x" is forbidden: User "y" cannot impersonate resource "users" in API'
        ' group "" at the cluster scope',
        "refused",
        "rbac",
    ),
    "an admission policy": (
        HEAD + "certificates.cert-manager.io \"x\" is forbidden: ValidatingAdmissionPolicy 'garrison-certificates' with"
        " binding 'garrison-certificates' denied request: identity-of-another: required: a certificate names its own",
        "refused",
        "admission",
    ),
    "a policy that cannot be evaluated": (
        HEAD
        + "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'other' with binding 'other' denied request: expression"
        " 'x' resulted in error: no such key: y",
        "refused",
        "admission",
    ),
    "Pod Security": (
        HEAD + 'pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged (container "app" must not'
        " set securityContext.privileged=true)",
        "refused",
        "admission",
    ),
    "a quota": (
        HEAD + 'services "x" is forbidden: exceeded quota: quota, requested: services.nodeports=1, used:'
        " services.nodeports=0, limited: services.nodeports=0",
        "refused",
        "admission",
    ),
    "a webhook": (
        'Error from server: error when creating "STDIN": admission webhook "validate.kyverno.svc-fail" denied the'
        " request: no",
        "refused",
        "admission",
    ),
    "cert-manager, of what it cannot read": (
        'Error from server (BadRequest): error when creating "STDIN": admission webhook "webhook.cert-manager.io"'
        " denied the request: spec.request: Invalid value",
        "error",
        None,
    ),
    "an account that is missing": (
        HEAD + 'pods "x" is forbidden: error looking up service account shop/garrison-probe: serviceaccount not found',
        "error",
        None,
    ),
    "a namespace that goes": (
        HEAD + 'pods "x" is forbidden: unable to create new content in namespace shop because it is being terminated',
        "error",
        None,
    ),
    "no answer": ("Unable to connect to the server: net/http: TLS handshake timeout", "error", None),
    "no such kind": (
        'error: resource mapping not found for name: "x" namespace: "y" from "STDIN": no'
        ' matches for kind "Certificate"',
        "error",
        None,
    ),
}


@pytest.mark.parametrize("who", SAID)
def test_a_refusal_belongs_to_who_made_it(who: str) -> None:
    text, verdict, layer = SAID[who]
    seen = refusal.said(text.replace(" ", "\n", 1))
    assert (seen.verdict, seen.layer) == (verdict, layer)


def test_a_policy_is_named() -> None:
    text = SAID["an admission policy"][0]
    assert refusal.said(text).reason.startswith("policy garrison-certificates: ")


def test_what_an_operator_may_not_ask_is_no_refusal_by_admission(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Party("namespace", "shop")
    probe = Probe(DEPLOYER, target, 443, Kind.NODE_PORT, Admit(Kind.NODE_PORT), frozenset({"admission"}))
    for who, layer in (("RBAC", "rbac"), ("a quota", "admission")):
        monkeypatch.setattr(kube, "attempt", lambda *_, who=who, **__: (1, "", SAID[who][0]))
        assert api.admission(Kubectl(), probe, "image").layer == layer
    monkeypatch.setattr(kube, "attempt", lambda *_, **__: (0, "service/x", ""))
    assert api.admission(Kubectl(), probe, "image").verdict == "allowed"
