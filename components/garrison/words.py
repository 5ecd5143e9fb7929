"""The words every floor shares: how a service or database is named, and what a container may use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

DNS_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")  # RFC 1123 subdomain: most names of Kubernetes


@dataclass(frozen=True, order=True)
class Ref:
    """A service or database by namespace and name; its text form is `namespace/name`."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `namespace/name` back; raises ValueError on anything else."""
        namespace, slash, name = text.partition("/")
        if not (namespace and slash and name):
            raise ValueError(f"{text!r} is not of the form namespace/name")
        return cls(namespace, name)

    @classmethod
    def near(cls, target: Ref | str, home: Ref) -> Ref:
        """What is meant by `target` where `home` speaks: a bare name is in its own namespace."""
        if isinstance(target, Ref):
            return target
        namespace, slash, name = target.partition("/")
        return cls(namespace, name) if slash else cls(home.namespace, target)


@dataclass(frozen=True, order=True)
class Resources:
    """Requests and limits of the application container, in Kubernetes quantities."""

    cpu: str
    memory: str
    cpu_limit: str
    memory_limit: str


def resource_of(kind: str) -> str:
    """A kind as the API server's paths and RBAC have it, by the convention of Kubernetes."""
    word = kind.lower()
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith("s") else f"{word}s"
