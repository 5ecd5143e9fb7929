"""What differs between processors, as one table: the names by which kernel, Debian, Go, wheels and images call each.

Everything else in the harness asks here. Standard library only: it is read before there is an environment.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.errors import HarnessError


@dataclass(frozen=True)
class Architecture:
    """One kind of processor."""

    name: str
    """As Debian, Go and container images call it."""
    machine: str
    """As the kernel and wheels call it."""
    loader: str
    """The dynamic loader of its C library, from the root."""
    mark: str = ""
    """In the names of its lock files and in the keys of what is made for it; none for the first there was."""
    run: bool = True
    """Whether an estate was run on it; else its locks are complete, and no digest of an image is pinned."""

    @property
    def triplet(self) -> str:
        """Debian's folder for its libraries."""
        return f"{self.machine}-linux-gnu"

    @property
    def libraries(self) -> tuple[str, ...]:
        """Where those are in a root file system."""
        return (f"lib/{self.triplet}", f"usr/lib/{self.triplet}")

    @property
    def wheels(self) -> tuple[str, ...]:
        """The platforms of a wheel that the C library of Debian 12 runs."""
        return tuple(f"manylinux{level}_{self.machine}" for level in ("_2_31", "_2_28", "_2_17", "2014"))

    @property
    def marks(self) -> tuple[str, ...]:
        """What a key depends on besides its inputs."""
        return (self.mark,) if self.mark else ()


AMD64 = Architecture("amd64", "x86_64", "lib64/ld-linux-x86-64.so.2")
ARM64 = Architecture("arm64", "aarch64", "lib/ld-linux-aarch64.so.1", mark=".arm64", run=False)
KNOWN: Mapping[str, Architecture] = MappingProxyType({one.name: one for one in (AMD64, ARM64)})


def of(machine: str) -> Architecture | None:
    """The one that a kernel calls so; some kernels use Debian's name."""
    return next((one for one in KNOWN.values() if machine in (one.machine, one.name)), None)


def here() -> Architecture:
    """That of this machine."""
    found = of(platform.machine())
    if found is None:
        raise HarnessError(f"architecture {platform.machine()}: parts are made for {' and '.join(KNOWN)} only")
    return found
