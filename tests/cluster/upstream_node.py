"""kind's own node image from a registry, by its digest: a stand-in, because no registry that has it answers here.

It is our node image made to be upstream's from kind's side: it has etcd and CoreDNS under the tags that kubeadm asks
for by itself, and what it must say to the kubelet stands in the image. So a cluster of it gets the configuration that
one of upstream's gets, and not that of ours.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from harness import answering, architecture, build, manifest, node, oci, packing, platform_images, registry, shell, ways

_UNITS: Final = "etc/systemd/system"
_FLAGS: Final = "$KUBELET_KUBEADM_ARGS"
# Control groups of version 1, as this project's machines have them; upstream's image is for version 2.
_OURS: Final = f"{_FLAGS} --cgroup-driver=cgroupfs --fail-cgroupv1=false"
_NAMES: Final = """[Unit]
Description=images under the names that kubeadm asks for
Requires=containerd.service
After=containerd.service
Before=multi-user.target

[Service]
Type=oneshot
"""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The image's name in a registry on loopback; meanwhile this machine's file of published images has it."""
    forget()
    name, image = f"{ways.NODES}:{node.KUBERNETES}", folder / "image"
    digest = _layout(image)
    with registry.served(image / "blobs") as host, pytest.MonkeyPatch.context() as patch:
        there = registry.home(name, host)
        shell.run([build.binary("crane"), "push", image, f"{there}:pushed"], what="pushing a node image")
        (folder / "upstream.lock").write_text(f'"{name}" = "{there}@{digest}"\n')
        patch.setenv(ways.UPSTREAM, str(folder / "upstream.lock"))
        patch.delenv(ways.NODE, raising=False)
        answering.node.cache_clear()
        yield f"{there}@{digest}"


def forget() -> None:
    """Take from Docker what was pulled, this time or before a run was killed; its layers are our own image's, too."""
    listing = ["docker", "image", "ls", "--quiet", "--filter=reference=127.0.0.1:*/kindest/node"]
    if ids := set(shell.run(listing, what="listing node images").split()):
        shell.succeeds(["docker", "image", "rm", *ids])


def versions() -> dict[str, str]:
    """Images that kubeadm asks for unless it is told otherwise, and what ours has in their place."""
    listing = ("config", "images", "list", f"--kubernetes-version={node.KUBERNETES}")
    asked = shell.run([build.binary("kubeadm"), *listing], what="asking kubeadm for its images").split()
    have = {oci.repository(platform.reference): platform.reference for platform in platform_images.NODE}
    return {name: have[oci.repository(name)] for name in asked if name not in have.values()}


def _layout(folder: Path) -> str:
    """The image as a folder whose big blobs are links, so that nothing is copied; returns its digest."""
    (folder / "blobs/sha256").mkdir(parents=True)
    last = folder / "stand-in.tar"
    with tarfile.open(last, "w") as tar:
        _fill(tar)
    layers = [*node.layers(), last]
    sums = [f"sha256:{_sum(layer)}" for layer in layers]
    for layer, digest in zip(layers, sums, strict=True):
        (folder / "blobs/sha256" / digest[7:]).symlink_to(layer)
    rows = [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": layer.stat().st_size}
        for layer, digest in zip(layers, sums, strict=True)
    ]
    here = {"architecture": architecture.here().name, "os": "linux", "config": node.CONFIG}
    config = _put(folder, oci.CONFIG, here | {"rootfs": {"type": "layers", "diff_ids": sums}})
    top = _put(folder, oci.MANIFEST, {"schemaVersion": 2, "mediaType": oci.MANIFEST, "config": config, "layers": rows})
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": [top]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return str(top["digest"])


def _fill(tar: tarfile.TarFile) -> None:
    unit = (node.FILES / "kubelet.service").read_text()
    packing.put(tar, f"{_UNITS}/kubelet.service", unit.replace(_FLAGS, _OURS).encode())
    tag = "ExecStart=/usr/local/bin/ctr --namespace k8s.io images tag"
    lines = [f"{tag} {ours} {theirs}\n" for theirs, ours in versions().items()]
    packing.put(tar, f"{_UNITS}/names.service", "".join([_NAMES, *lines]).encode())
    link = tarfile.TarInfo(f"{_UNITS}/multi-user.target.wants/names.service")
    link.type, link.linkname = tarfile.SYMTYPE, f"/{_UNITS}/names.service"
    tar.addfile(link)


def _sum(layer: Path) -> str:
    """The list of an artefact has it, and was checked when the artefact was asked for."""
    listed = layer.parent / manifest.NAME
    return str(json.loads(listed.read_text())[layer.name]) if listed.exists() else manifest.digest(layer)


def _put(folder: Path, kind: str, content: dict[str, Any]) -> dict[str, Any]:
    blob = folder / "new"
    blob.write_text(json.dumps(content))
    digest, size = manifest.digest(blob), blob.stat().st_size
    blob.rename(folder / "blobs/sha256" / digest)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": size}
