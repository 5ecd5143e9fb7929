"""What a machine takes from elsewhere instead of making it: said by its environment, never guessed.

    GARRISON_NODE_IMAGE   kind's own node image, by digest: kindest/node:vX@sha256:...
    GARRISON_REGISTRY     the registry that has the estate's images (`python -m harness.images push`)

With both, nothing is assembled from Debian packages: any Linux with Docker will do. Standard library only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from harness import tools
from harness.errors import HarnessError
from harness.parts import Part

NODE, REGISTRY = "GARRISON_NODE_IMAGE", "GARRISON_REGISTRY"
_REGISTRY = re.compile(r"[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)*")  # HOST[:PORT][/PATH]
_PINNED = re.compile(r"[a-z0-9][a-z0-9./:_-]*@sha256:[0-9a-f]{64}", re.IGNORECASE)
# Parts that only our own node image, or an image of the estate, has inside.
_IN_IMAGES = frozenset({"nats"})
_INSIDE = frozenset({"containerd", "etcd", "cni", "kube-router", "coredns", "local-path-provisioner"})


@dataclass(frozen=True)
class Ways:
    """Two things that may come from elsewhere; "" where they are made here."""

    node: str = ""
    registry: str = ""

    @property
    def assembles(self) -> bool:
        """Whether anything is put together from Debian packages."""
        return not (self.node and self.registry)

    def needed(self, parts: Iterable[Part]) -> list[Part]:
        """Of these parts, those that have to be here."""
        return [part for part in parts if not self._spared(part)]

    def _spared(self, part: Part) -> bool:
        if self.registry and part.name in _IN_IMAGES:
            return True
        only_kubectl = part.name == "kubernetes" and bool(self.node) and tools.installed("kubectl") is not None
        return only_kubectl or (bool(self.node) and part.name in _INSIDE)


def chosen() -> Ways:
    """What this machine's environment says; refused where it is no such thing."""
    node, registry = os.environ.get(NODE, ""), os.environ.get(REGISTRY, "")
    if node and not _PINNED.fullmatch(node):
        raise HarnessError(f"{NODE}={node}: a node image is named by its digest: kindest/node:vX@sha256:...")
    return Ways(node, checked(registry) if registry else "")


def checked(name: str) -> str:
    """The name of a registry, if it is one."""
    if not _REGISTRY.fullmatch(name):
        raise HarnessError(f"{name!r} is no registry: HOST[:PORT][/PATH] is meant, without https://")
    return name
