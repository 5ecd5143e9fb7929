"""Images put into the nodes of a running cluster, so that both name:tag and name@digest are found there.

Nothing is ever pulled: the kubelet finds an image only by a name its node's store knows.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from harness import docker, shell
from harness.errors import HarnessError
from harness.oci import Image

_CTR = ("ctr", "--namespace", "k8s.io", "images")
# What the kubelet's runtime marks as its own, and never to be removed to save space.
_LABELS = ("--label", "io.cri-containerd.image=managed", "--label", "io.cri-containerd.pinned=pinned")


def load(cluster: str, images: Sequence[Image]) -> None:
    """Make sure every node of `cluster` has every one of `images`."""
    for node in docker.nodes(cluster):
        if wanted := missing(images, stored(node.name)):
            with shell.step(f"loading {len(wanted)} image(s) into {node.name}"):
                for image in wanted:
                    _load(node.name, image)


def missing(images: Sequence[Image], present: Mapping[str, str]) -> list[Image]:
    """The images whose tag or pinned name is not there with the right digest."""
    return [
        image for image in images if any(present.get(name) != image.digest for name in (image.reference, image.pinned))
    ]


def stored(node: str) -> dict[str, str]:
    """The names in a node's store with their digests."""
    told = shell.run(["docker", "exec", node, *_CTR, "list"], what=f"listing images of {node}")
    return {line.split()[0]: line.split()[2] for line in told.splitlines()[1:]}


def _load(node: str, image: Image) -> None:
    with image.path.open("rb") as archive:
        done = subprocess.run(
            [
                *("docker", "exec", "--interactive", node, *_CTR, "import", "--local"),
                *("--snapshotter", "overlayfs", "--discard-unpacked-layers", *_LABELS, "-"),
            ],
            stdin=archive,
            capture_output=True,
            check=False,
        )
    if done.returncode:
        words = shell.last_words(done.stderr.decode(errors="replace"))
        raise HarnessError(f"loading {image.reference} into {node}: {words}")
    shell.run(
        ["docker", "exec", node, *_CTR, "tag", "--force", image.reference, image.pinned],
        what=f"naming {image.reference} in {node}",
    )
