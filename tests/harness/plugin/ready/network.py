"""Services and Ingresses."""

from __future__ import annotations

from collections.abc import Sequence

from harness.plugin.objects import Obj, dig
from harness.plugin.ready.verdict import READY, Related, Verdict, waiting

_NO_PODS = (
    "Service does not target any Pods. Selected Pods may not be ready, or field '.spec.selector' "
    "may not match labels on any Pods"
)
_NO_ADDRESS = "Service was not allocated an IP address; does your cloud provider support this?"


def _has_address(obj: Obj) -> bool:
    return bool(dig(obj, "status", "loadBalancer", "ingress"))


def _has_endpoint(slices: Sequence[Obj]) -> bool:
    endpoints = (item for part in slices for item in part.get("endpoints") or [])
    return any(dig(item, "conditions", "ready", default=True) for item in endpoints)


def needs_endpoints(obj: Obj) -> bool:
    """Headless services, external names and services without a selector wait for no pod."""
    spec = obj.get("spec") or {}
    headless = spec.get("clusterIP") == "None"
    return bool(spec.get("selector")) and not headless and spec.get("type") != "ExternalName"


def service(obj: Obj, related: Related) -> Verdict:
    """Traffic has somewhere to go, and a load balancer has an address."""
    if needs_endpoints(obj) and not _has_endpoint(related.get("slices", ())):
        return waiting(_NO_PODS)
    if dig(obj, "spec", "type") == "LoadBalancer" and not _has_address(obj):
        return waiting(_NO_ADDRESS)
    return READY


def ingress(obj: Obj, _: Related) -> Verdict:
    """The controller gave it an address."""
    return READY if _has_address(obj) else waiting("Ingress was not allocated an address yet")
