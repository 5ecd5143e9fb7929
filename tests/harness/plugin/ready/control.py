"""What other objects stand on: CRDs, certificates and issuers, quotas, token secrets."""

from __future__ import annotations

from harness.plugin.objects import Obj, dig
from harness.plugin.ready.verdict import (
    READY,
    Related,
    Verdict,
    condition,
    explained,
    failed,
    waiting,
)


def definition(obj: Obj, _: Related) -> Verdict:
    """The API server serves the new kind."""
    names = condition(obj, "NamesAccepted")
    if names.get("status") == "False":
        return failed(explained(names, "the names of the kind are taken"))
    if condition(obj, "Established").get("status") == "True":
        return READY
    return waiting("the API server does not serve the new kind yet")


def certificate(obj: Obj, _: Related) -> Verdict:
    """cert-manager says Ready for this very specification."""
    ready = condition(obj, "Ready")
    generation = dig(obj, "metadata", "generation", default=0)
    current = int(ready.get("observedGeneration") or 0) >= int(generation)
    if ready.get("status") == "True" and current:
        return READY
    issuing = condition(obj, "Issuing")
    told = [explained(item, "") for item in (ready, issuing) if item.get("message")]
    return waiting("; ".join(dict.fromkeys(told)) or "cert-manager has not reported on it yet")


def resource_quota(obj: Obj, _: Related) -> Verdict:
    """The quota controller has taken the limits over."""
    same = dig(obj, "spec", "hard", default={}) == dig(obj, "status", "hard", default={})
    return READY if same else waiting("the quota is not in force yet")


def secret(obj: Obj, _: Related) -> Verdict:
    """A service account token has been filled in."""
    if obj.get("type") != "kubernetes.io/service-account-token" or obj.get("data"):
        return READY
    return waiting("the token controller has not filled it in yet")
