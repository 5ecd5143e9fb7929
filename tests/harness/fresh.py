"""A fresh Debian 12, as a container of its image is one: nothing in it but what commands run there have put there.

No engine is asked: the minimal Debian is unpacked once, each run lies on it as a layer of its own (overlayfs), and what
it starts sees its own files and processes only. The network is the machine's, and so is whom to believe there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import artefact, shell
from harness.debian import SUITE, assemble

WORK = "/work"  # where the checkout lies inside
_AUTHORITIES = "etc/machine-authorities.pem"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Where packages come from is the machine's own matter, as it is that of whoever runs a container.
_OUTSIDE = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL",
            "PIP_EXTRA_INDEX_URL", "GOPROXY", "GOSUMDB")  # fmt: skip
_ENTER = f"""
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$UPPER,workdir=$SCRATCH" "$PLACE"
mkdir -p "$PLACE{WORK}"
mount --bind "$CHECKOUT" "$PLACE{WORK}"
mount -t proc proc "$PLACE/proc"
mount --rbind /dev "$PLACE/dev"
cp /etc/resolv.conf "$PLACE/etc/resolv.conf"
cp "$AUTHORITIES" "$PLACE/{_AUTHORITIES}"
exec chroot "$PLACE" /usr/bin/env -i "$@"
"""


def system() -> Path:
    """The tar of a minimal Debian, from the cache or made now."""
    place = artefact.folder("debian", artefact.key(SUITE))
    return artefact.made(place, f"minimal Debian {SUITE}", _make) / "root.tar"


def _make(scratch: Path) -> None:
    assemble(scratch / "root.tar", what="assembling a minimal Debian")


@dataclass(frozen=True)
class Fresh:
    """What has been done in it so far: layers, the newest first."""

    layers: tuple[Path, ...]

    @classmethod
    def unpacked(cls, folder: Path) -> Fresh:
        """The minimal Debian and nothing else, in the new folder."""
        folder.mkdir(parents=True)
        shell.run(["tar", "--extract", f"--file={system()}", f"--directory={folder}"], what="unpacking Debian")
        return cls((folder,))

    def run(self, script: str, checkout: Path, layer: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a script as root in the checkout; what it writes elsewhere is in `layer`, which later runs may go on."""
        place, scratch = layer.with_suffix(".place"), layer.with_suffix(".scratch")
        for folder in (layer, place, scratch):
            folder.mkdir(parents=True, exist_ok=True)
        outside = {name: os.environ[name] for name in _OUTSIDE if name in os.environ}
        trust = dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), f"/{_AUTHORITIES}")
        inside = {"PATH": _PATH, "HOME": "/root", "CI": "true", **outside, **trust, **env}
        command = ["unshare", "--mount", "--pid", "--fork", "--ipc", "sh", "-euc", _ENTER, "enter"]
        given = {
            "LOWER": ":".join(map(str, self.layers)),
            "UPPER": str(layer),
            "SCRATCH": str(scratch),
            "PLACE": str(place),
            "CHECKOUT": str(checkout),
            "AUTHORITIES": os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"),
        }
        words = [f"{name}={value}" for name, value in inside.items()]
        return subprocess.run(
            [*command, *words, "sh", "-ec", f"cd {WORK}\n{script}"],
            env={**os.environ, **given},
            capture_output=True,
            text=True,
            check=False,
        )

    def after(self, layer: Path) -> Fresh:
        """This one, with what a run has left."""
        return Fresh((layer, *self.layers))


def drop(layer: Path) -> None:
    """Forget what a run has left."""
    for folder in (layer, layer.with_suffix(".place"), layer.with_suffix(".scratch")):
        shutil.rmtree(folder, ignore_errors=True)
