"""What Kubernetes would refuse half-way through a deployment is refused before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from garrison.errors import IntentError, Problem
from garrison.manifest import Manifest

MAX_CONFIG = 1024 * 1024  # bytes of a ConfigMap's data (Kubernetes: ConfigMaps)


def bounded(manifests: Sequence[Manifest]) -> Sequence[Manifest]:
    """The same objects; raises IntentError where one is too large to be stored."""
    sizes = [(item["metadata"], _size(item["data"])) for item in manifests if item["kind"] == "ConfigMap"]
    too_large = [
        Problem(
            f"{meta['namespace']}/{meta['name']}",
            f"would be a ConfigMap of {size:,} bytes, and Kubernetes stores {MAX_CONFIG:,}",
            "declare fewer callees, callers or operations of this service, or divide it",
        )
        for meta, size in sizes
        if size > MAX_CONFIG
    ]
    if too_large:
        raise IntentError(too_large)
    return manifests


def _size(data: dict[str, str]) -> int:
    return sum(len(key.encode()) + len(text.encode()) for key, text in data.items())
