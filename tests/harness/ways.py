"""What a machine takes from elsewhere instead of making it: said by its environment, never guessed.

    GARRISON_NODE_IMAGE   kind's own node image, by digest: kindest/node:vX@sha256:...
    GARRISON_REGISTRY     the registry that has the estate's images (`python -m harness.images push`)
    GARRISON_UPSTREAM     a file that names images as their makers publish them, by digest (`harness.upstream pin`)

With the node and a registry, nothing is assembled from Debian packages: any Linux with Docker will do. What the file
names is taken where a registry answers, and made here where none does. Standard library only.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness import answering, tools
from harness.errors import HarnessError
from harness.parts import Part

NODE, REGISTRY, UPSTREAM = "GARRISON_NODE_IMAGE", "GARRISON_REGISTRY", "GARRISON_UPSTREAM"
NODES = "docker.io/kindest/node"
# What the kind that is tested here takes by itself; its digest stands in kind's source, so go.sum vouches for it.
KIND = f"{NODES}:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
_REGISTRY = re.compile(r"[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)*")  # HOST[:PORT][/PATH]
_PINNED = re.compile(r"[a-z0-9][a-z0-9./:_-]*@sha256:[0-9a-f]{64}", re.IGNORECASE)
_JETSTACK = "quay.io/jetstack"
# Parts of which only images are made, and which.
IMAGES_OF: Mapping[str, tuple[str, ...]] = {
    "nats": ("docker.io/library/nats",),
    "cert-manager": tuple(f"{_JETSTACK}/cert-manager-{name}" for name in ("controller", "webhook", "cainjector")),
    "trust-manager": (f"{_JETSTACK}/trust-manager",),
}
# Parts that only an image of the estate, or only our own node image, has inside.
_IN_IMAGES = frozenset({"nats"})
_INSIDE = frozenset({"containerd", "etcd", "cni", "kube-router", "coredns", "local-path-provisioner"})


@dataclass(frozen=True)
class Ways:
    """What may come from elsewhere; empty where it is made here."""

    node: str = ""
    registry: str = ""
    upstream: Mapping[str, str] = field(default_factory=dict)  # a maker's name with its tag -> where, by digest

    @property
    def assembles(self) -> bool:
        """Whether anything is put together from Debian packages."""
        return not (self.node and self.registry)

    def needed(self, parts: Iterable[Part]) -> list[Part]:
        """Of these parts, those that have to be here; what no registry gives after all is made when it is missed."""
        return [part for part in parts if not self._spared(part)]

    def _spared(self, part: Part) -> bool:
        published = {name.rpartition(":")[0] for name in self.upstream}
        if part.name in IMAGES_OF and published.issuperset(IMAGES_OF[part.name]):
            return True
        if self.registry and part.name in _IN_IMAGES:
            return True
        only_kubectl = part.name == "kubernetes" and bool(self.node) and tools.installed("kubectl") is not None
        return only_kubectl or (bool(self.node) and part.name in _INSIDE)


def chosen() -> Ways:
    """What this machine's environment says; refused where it is no such thing."""
    node, registry, file = (os.environ.get(name, "") for name in (NODE, REGISTRY, UPSTREAM))
    if node and not _PINNED.fullmatch(node):
        raise HarnessError(f"{NODE}={node}: a node image is named by its digest: kindest/node:vX@sha256:...")
    upstream = _read(file) if file else {}
    nodes = [where for name, where in upstream.items() if name.startswith(f"{NODES}:")]
    if not node and nodes and answering.node(nodes[0]):
        node = nodes[0]
    return Ways(node, checked(registry) if registry else "", upstream)


def checked(name: str) -> str:
    """The name of a registry, if it is one."""
    if not _REGISTRY.fullmatch(name):
        raise HarnessError(f"{name!r} is no registry: HOST[:PORT][/PATH] is meant, without https://")
    return name


def _read(file: str) -> dict[str, str]:
    """The file of published images: every line a maker's name with a tag, and where it is by digest."""
    try:
        found = tomllib.loads(Path(file).read_text())
    except (OSError, ValueError) as error:
        raise HarnessError(f"{UPSTREAM}={file}: cannot be read ({error}); make it: {answering.PIN}") from None
    for name, where in found.items():
        if not (isinstance(where, str) and _PINNED.fullmatch(where)):
            raise HarnessError(f"{file}: {name} is named by its digest: {name.rpartition(':')[0]}@sha256:...")
    return found
