"""The node's operating system: a minimal Debian with systemd, runc and the packet tools, as one tar.

Packages come from the mirror of the machine's own apt configuration and are verified by apt.
"""

from __future__ import annotations

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
    apt.need("mmdebstrap", "mmdebstrap")
    options = [f"--dpkgopt={option}" for option in _DPKG]
    listing = f'--customize-hook=chroot "$1" dpkg-query -W > "{scratch}/packages.txt"'
    shell.run(
        [
            *("mmdebstrap", "--variant=minbase", "--components=main", f"--include={','.join(PACKAGES)}"),
            *(*options, '--aptopt=APT::Install-Recommends "false"', listing),
            *(SUITE, str(scratch / "rootfs.tar"), *apt.sources(SUITE)),
        ],
        what="assembling the node's root file system",
    )
