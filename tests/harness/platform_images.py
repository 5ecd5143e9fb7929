"""Images of the platform's own parts: one static binary each, under the name upstream gives its image.

Manifests and charts thus stay as upstream wrote them. A few need Debian's packet tools or a shell
besides; those come from the package locks in `node/`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from harness import apt, architecture, archive, artefact, build, debs, oci, packages, paths, registry, shell
from harness.architecture import Architecture
from harness.parts import PARTS

NODE_FILES = paths.HARNESS / "node"
# Not needed to run: what installs packages, and what an `ip` without Kerberos or databases does without.
WITHOUT = (
    "debconf", "debianutils", "dpkg", "tar", "gcc-12-base", "libcap2-bin", "libcom-err2", "libdb5.3",
    "libgssapi-krb5-2", "libk5crypto3", "libkeyutils1", "libkrb5-3", "libkrb5support0", "libssl3",
    "libtirpc-common", "libtirpc3", "libbz2-1.0", "liblzma5", "libzstd1",
)  # fmt: skip
ROOTS = {
    "network-tools": ("iptables", "ipset", "conntrack", "iproute2", "dash", "coreutils", "grep", "sed"),
    "shell": ("dash", "coreutils"),
}
# Debian's alternatives make these links when a package is installed, not when it is unpacked.
_LINKS = {
    "network-tools": {
        **{f"usr/sbin/{family}tables{verb}": "xtables-nft-multi"
           for family in ("ip", "ip6") for verb in ("", "-save", "-restore")},
        # The kernel's modules are the machine's affair, and what is needed is loaded or built in.
        "usr/local/sbin/modprobe": "/bin/true",
    },
    "shell": {},
}  # fmt: skip


@dataclass(frozen=True)
class Platform:
    """One image: `binary` of the toolchain at `path`, on the packages of `root` if any."""

    reference: str
    binary: str = ""
    path: str = ""
    root: str = ""
    user: str = ""

    @property
    def place(self) -> str:
        """Where the binary is in the image."""
        return self.path or f"/usr/local/bin/{self.binary}"


_K8S = "registry.k8s.io"
_JETSTACK = "quay.io/jetstack"
PAUSE = Platform(f"{_K8S}/pause:3.10.2", "pause", "/pause", user="65535:65535")
# What a node needs before it can be Ready; these are inside the node image.
NODE: tuple[Platform, ...] = (
    Platform(f"{_K8S}/kube-apiserver:v1.36.3", "kube-apiserver"),
    Platform(f"{_K8S}/kube-controller-manager:v1.36.3", "kube-controller-manager"),
    Platform(f"{_K8S}/kube-scheduler:v1.36.3", "kube-scheduler"),
    Platform(f"{_K8S}/kube-proxy:v1.36.3", "kube-proxy", root="network-tools"),
    Platform(f"{_K8S}/etcd:3.7.3-0", "etcd"),
    Platform(f"{_K8S}/coredns/coredns:v1.15.0", "coredns", "/coredns", user="65532:65532"),
    PAUSE,
    Platform("docker.io/cloudnativelabs/kube-router:v2.10.0", "kube-router", root="network-tools"),
    Platform("docker.io/rancher/local-path-provisioner:v0.0.30", "local-path-provisioner"),
    Platform("docker.io/library/busybox:1.36", root="shell"),
)
# What the platform stack deploys; loaded into a running cluster.
DEPLOYED: tuple[Platform, ...] = (
    *(
        Platform(
            f"{_JETSTACK}/cert-manager-{name}:v1.21.2",
            f"cert-manager-{name}",
            f"/app/cmd/{name}/{name}",
            user="1000",
        )
        for name in ("controller", "webhook", "cainjector")
    ),
    Platform(f"{_JETSTACK}/trust-manager:v0.25.0", "trust-manager", user="1000"),
)


def node_images() -> list[oci.Image]:
    """The images inside the node image."""
    return [image(platform) for platform in NODE]


def platform_images() -> list[oci.Image]:
    """The images the platform stack deploys: their makers' where those are to be had."""
    return [registry.published(platform.reference) or image(platform) for platform in DEPLOYED]


def identity(platform: Platform) -> str:
    """A key of the image's content, known without building anything."""
    inputs = [json.dumps(asdict(platform)), *_inputs(platform)]
    if platform.root:
        inputs.append(_root_key(platform.root))
    return artefact.key(*inputs)


def image(platform: Platform) -> oci.Image:
    """One image, from the cache or made now."""
    name = oci.repository(platform.reference).rpartition("/")[2]
    place = artefact.folder(name, identity(platform))
    artefact.made(place, f"image {platform.reference}", lambda scratch: _make(platform, scratch))
    found = json.loads((place / "image.json").read_text())
    return oci.Image(platform.reference, found["digest"], place / found["file"])


def lock_of(root: str, here: Architecture | None = None) -> Path:
    """The committed package lock of a root, for this machine's kind unless another is named."""
    return NODE_FILES / f"{root}{(here or architecture.here()).mark}.lock"


def settle() -> None:
    """Have the packages of the roots here, so that the keys of their images are known and stay."""
    for name in ROOTS:
        packages.settled(lock_of(name))


def refresh_locks() -> None:
    """Pin the newest packages Debian has for the roots, for every kind of machine."""
    for here in architecture.KNOWN.values():
        for name, names in ROOTS.items():
            debs.write_lock(lock_of(name, here), archive.configured(here).resolve(names, without=WITHOUT))


def _inputs(platform: Platform) -> Iterable[str]:
    if platform is PAUSE:
        yield (NODE_FILES / "pause.c").read_text()
        yield from architecture.here().marks
    elif platform.binary:
        yield next(row.key for row in PARTS if platform.binary in row.outputs)


def _make(platform: Platform, scratch: Path) -> None:
    layers = [_root_layer(platform.root)] if platform.root else []
    entrypoint = ["/bin/sh"]
    if platform.binary:
        layers.append(_binary_layer(platform, scratch))
        entrypoint = [platform.place]
    made = oci.write_image(platform.reference, layers, entrypoint=entrypoint, user=platform.user, out=scratch)
    facts = {"digest": made.digest, "file": made.path.name}
    (scratch / "image.json").write_text(json.dumps(facts))
    for layer in scratch.glob("layer-*"):
        layer.unlink()  # the archive has it


def _binary_layer(platform: Platform, scratch: Path) -> oci.Layer:
    root = scratch / "root"
    target = root / platform.place.lstrip("/")
    target.parent.mkdir(parents=True)
    if platform is PAUSE:
        _compile_pause(target)
    else:
        shutil.copy2(build.binary(platform.binary), target)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    (root / "etc").mkdir(exist_ok=True)
    if not platform.root:
        (root / "etc/passwd").write_text("root:x:0:0:root:/root:/sbin/nologin\n")
    layer = oci.layer_from_dir(root, scratch, level=1)  # never leaves the machine: speed over size
    shutil.rmtree(root)
    return layer


def _compile_pause(target: Path) -> None:
    apt.need("gcc", "gcc", "libc6-dev")
    flags = ["-Os", "-static", "-s", "-Wl,--build-id=none"]
    shell.run(["gcc", *flags, "-o", target, NODE_FILES / "pause.c"], what="compiling pause")


def _root_key(name: str) -> str:
    return artefact.key(packages.chosen(lock_of(name)).read_text(), _LINKS[name])


def _root_layer(name: str) -> oci.Layer:
    place = artefact.folder(name, _root_key(name))
    artefact.made(place, f"packages of {name}", lambda scratch: _make_root(name, scratch))
    facts = json.loads((place / "layer.json").read_text())
    return oci.Layer(place / facts["file"], facts["digest"], facts["diff_id"], facts["size"])


def _make_root(name: str, scratch: Path) -> None:
    root = scratch / "root"
    debs.extract(debs.files(packages.settled(lock_of(name))), root)
    for link, target in _LINKS[name].items():
        (root / link).parent.mkdir(parents=True, exist_ok=True)
        (root / link).unlink(missing_ok=True)
        (root / link).symlink_to(target)
    (root / "bin/sh").unlink(missing_ok=True)
    (root / "bin/sh").symlink_to("dash")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    layer = oci.layer_from_dir(root, scratch, level=1)
    facts = asdict(layer) | {"file": layer.path.name}
    (scratch / "layer.json").write_text(json.dumps(facts, default=str))
    shutil.rmtree(root)


if __name__ == "__main__":
    refresh_locks()
