"""Who in the API server refused a request, by its own words. Pure.

"forbidden" alone says nothing: RBAC, Pod Security, quotas, admission policies and mistakes in the request all say it.
The words are those of Kubernetes 1.30 and later (apiserver/pkg/endpoints/handlers/responsewriters/errors.go, its
admission plugins, and pod-security-admission).
"""

from __future__ import annotations

import re

from garrison.prove.model import Seen

RBAC = re.compile(r'[Ff]orbidden: User "(?P<who>[^"]*)" cannot ')
POLICY = re.compile(r"ValidatingAdmissionPolicy '(?P<who>[^']+)' with binding '[^']+' denied request")
WEBHOOK = re.compile(r'admission webhook "(?P<who>[^"]+)" denied the request')
BUILT_IN = re.compile(r"forbidden: (?P<who>violates PodSecurity|exceeded quota)")
NOT_WELL_FORMED = "cert-manager.io"  # its webhook refuses what it cannot read, which protects nothing


def said(text: str) -> Seen:
    """A refusal by the layer that made it; anything else is an error."""
    words = " ".join(text.split())
    if RBAC.search(words):
        return Seen("refused", "rbac", words)
    if found := POLICY.search(words):
        return Seen("refused", "admission", f"policy {found['who']}: {words}")
    if found := WEBHOOK.search(words):
        if found["who"].endswith(NOT_WELL_FORMED):
            return Seen("error", None, words)
        return Seen("refused", "admission", f"webhook {found['who']}: {words}")
    if BUILT_IN.search(words):
        return Seen("refused", "admission", words)
    return Seen("error", None, words)
