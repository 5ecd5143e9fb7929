"""Externals: hosts outside the cluster, to which the estate gets through its egress gateway and in no other way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from garrison.model.breach import Breach, Place
from garrison.model.hosts import unusable
from garrison.words import Ref

HTTPS: Final = 443
# What resolvers take for an address, in each of the ways they do: 10.0.0.1, 127.1, 0x7f.1 (the WHATWG's URL standard).
ADDRESS: Final = re.compile(r"(^|\.)([0-9]+|0x[0-9a-f]*)$|[:\[\]]")


@dataclass(frozen=True, order=True)
class External:
    """A host outside, by its name in DNS, and a port of it. As a callee it has no namespace."""

    host: str
    port: int = HTTPS

    @property
    def ref(self) -> Ref:
        """`api.psp.example`, or `api.psp.example:8443` where the port is not that of HTTPS."""
        return Ref("", self.host if self.port == HTTPS else f"{self.host}:{self.port}")

    @classmethod
    def of(cls, ref: Ref) -> Self:
        """Read `ref` back."""
        host, _, port = ref.name.partition(":")
        return cls(host, int(port or HTTPS))

    @property
    def authority(self) -> str:
        """Host and port, both always: what clusters and tunnels are called by."""
        return f"{self.host}:{self.port}"

    def breaches(self, place: Place) -> Iterator[Breach]:
        if ADDRESS.search(self.host):
            what = f"{self.host!r} is an address, which no certificate vouches for by name"
            yield Breach(place, what, "give the host's name in DNS, such as 'api.psp.example'")
        elif wrong := unusable(self.host):
            remedy = "write the name of a host outside like 'api.psp.example', in lower case"
            yield Breach(place, wrong, f"{remedy}; a service of this estate is called by itself")
        if not 1 <= self.port <= 65535:
            yield Breach(place, f"{self.port} is not a port", "use 1 to 65535")


def is_outside(ref: Ref) -> bool:
    """Whether a callee is a host outside: everything within has a namespace."""
    return not ref.namespace
