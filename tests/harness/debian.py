"""The node's operating system: a minimal Debian with systemd, runc and the packet tools, as one tar.

Packages come from the mirror of the machine's own apt configuration and are verified by apt.
"""

from __future__ import annotations

import os
from pathlib import Path

from harness import apt, architecture, artefact, shell

SUITE = "bookworm"
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "runc", "iptables", "nftables", "ipset", "conntrack",
    "ethtool", "socat", "iproute2", "kmod", "procps", "mount", "hostname",
)  # fmt: skip
# Licences stay; manuals and translations are a third of a minimal Debian.
_DPKG = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)


def rootfs() -> Path:
    """The tar of the node's root file system, from the cache or made now."""
    place = artefact.folder("rootfs", artefact.key(SUITE, PACKAGES, _DPKG, *architecture.here().marks))
    return artefact.made(place, f"node root file system: Debian {SUITE}", _make) / "rootfs.tar"


def _make(scratch: Path) -> None:
    # What the system has is listed inside of it and brought out: there, root is nobody to a user's own folders.
    hooks = (
        'chroot "$1" dpkg-query -W > "$1/packages.txt"',
        f"download /packages.txt '{scratch}/packages.txt'",
        'rm "$1/packages.txt"',
    )
    options = (
        f"--include={','.join(PACKAGES)}",
        *(f"--dpkgopt={option}" for option in _DPKG),
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--customize-hook={hook}" for hook in hooks),
    )
    assemble(scratch / "rootfs.tar", *options, what="assembling the node's root file system")


def assemble(tar: Path, *options: str, what: str) -> None:
    """A minimal Debian as a tar; without root in a namespace where the user is root, for which `newuidmap` maps ids."""
    apt.need("mmdebstrap", "mmdebstrap")
    if os.geteuid():
        apt.need("newuidmap", "uidmap")
    minimal = ("mmdebstrap", "--variant=minbase", "--components=main")
    shell.run([*minimal, *options, SUITE, str(tar), *apt.sources(SUITE)], what=what)
