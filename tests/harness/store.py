"""A containerd store with images already in it, as a layer of the node image.

It is filled by the node's own containerd in a throw-away container, and packed from there: the images
are unpacked once, at build time, and every cluster starts with them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness import artefact, shell
from harness.errors import HarnessError
from harness.oci import Image

# Runs inside the container. What makes the pods' network or needs a kernel feature is not wanted here.
_SCRIPT = """
set -eu
containerd --log-level warn >/tmp/containerd.log 2>&1 &
daemon=$!
for _ in $(seq 150); do ctr version >/dev/null 2>&1 && break; sleep 0.2; done
for archive in /images/*/*.tar; do
  ctr --namespace k8s.io images import --local --snapshotter overlayfs --discard-unpacked-layers \
    --label io.cri-containerd.image=managed --label io.cri-containerd.pinned=pinned "$archive" >&2
done
kill "$daemon"; wait "$daemon" || true
cd /var/lib/containerd
rm -rf io.containerd.content.v1.content/ingest/* io.containerd.grpc.v1.introspection tmpmounts
find . -type s -delete
tar --create --numeric-owner --sort=name --transform 's,^\\./,var/lib/containerd/,' .
"""


def filled(node_image: str, images: Sequence[Image]) -> Path:
    """The tar of /var/lib/containerd with `images` in it, made with the containerd of `node_image`."""
    place = artefact.folder("store", artefact.key(node_image, _SCRIPT, [image.pinned for image in images]))

    def make(scratch: Path) -> None:
        _fill(node_image, images, scratch / "store.tar")

    return artefact.made(place, f"store of {len(images)} node images", make) / "store.tar"


def _fill(node_image: str, images: Sequence[Image], target: Path) -> None:
    mounts = [f"--volume={image.path.parent}:/images/{number:02d}:ro" for number, image in enumerate(images)]
    command = [
        *("docker", "run", "--rm", "--network=none", "--cap-add=SYS_ADMIN"),
        *("--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined"),
        *("--volume=/var/lib/containerd", "--volume=/run", *mounts),
        *("--entrypoint=/bin/bash", node_image, "-c", _SCRIPT),
    ]
    with target.open("wb") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        words = shell.last_words(done.stderr.decode(errors="replace"))
        raise HarnessError(f"filling the node's image store: {words}")
