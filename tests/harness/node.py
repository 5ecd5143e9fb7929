"""The node image: Debian, the node's binaries and files, and a containerd store that already has the images.

It is handed to Docker as three layers (`docker load`), with no build and no base image to pull.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

from harness import artefact, build, debian, manifest, oci, packing, parts, paths, platform_images, shell, store, ways

FILES = paths.HARNESS / "node"
KUBERNETES = parts.part("kubernetes").version
_BINARIES = {
    "usr/bin": ("kubelet", "kubeadm", "kubectl"),
    "usr/local/bin": ("containerd", "ctr", "containerd-shim-runc-v2"),
    "opt/cni/bin": ("loopback", "ptp", "host-local", "portmap"),
}
_COPIES = {
    "usr/local/bin/entrypoint": "entrypoint",
    "usr/local/lib/node/guard.nft": "guard.nft",
    "usr/local/lib/node/kubelet-cgroups": "kubelet-cgroups",
    "etc/containerd/config.toml": "containerd.toml",
    "etc/systemd/system/containerd.service": "containerd.service",
    "etc/systemd/system/kubelet.service": "kubelet.service",
    "kind/audit-policy.yaml": "audit-policy.yaml",
    **{
        f"kind/patches/{name}": f"patches/{name}"
        for name in sorted(path.name for path in (FILES / "patches").glob("*.yaml"))
    },
    "kind/manifests/default-cni.yaml": "manifests/default-cni.yaml",
    "kind/manifests/default-storage.yaml": "manifests/default-storage.yaml",
}
_WANTS = "etc/systemd/system/multi-user.target.wants"
_LINKS = {
    "etc/systemd/system/default.target": "/lib/systemd/system/multi-user.target",
    **{f"{_WANTS}/{unit}": f"/etc/systemd/system/{unit}" for unit in ("containerd.service", "kubelet.service")},
    # Units that make no sense in a container, or would change what the entrypoint has set.
    **{
        f"etc/systemd/system/{unit}": "/dev/null"
        for unit in (
            "apt-daily.timer", "apt-daily-upgrade.timer", "console-getty.service", "dev-hugepages.mount",
            "dev-mqueue.mount", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
            "fstrim.timer", "getty.target", "modprobe@.service", "nftables.service",
            "proc-sys-fs-binfmt_misc.automount", "sys-fs-fuse-connections.mount",
            "sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
            "systemd-firstboot.service", "systemd-logind.service", "systemd-modules-load.service",
            "systemd-networkd.service", "systemd-random-seed.service", "systemd-resolved.service",
            "systemd-sysctl.service", "systemd-timesyncd.service", "systemd-tmpfiles-clean.timer",
        )
    },
}  # fmt: skip
CONFIG = {
    "Env": [f"PATH={oci.DEFAULT_PATH}", "container=docker"],
    "Entrypoint": ["/usr/local/bin/entrypoint", "/sbin/init"],
    "StopSignal": "SIGRTMIN+3",
}


def reference() -> str:
    """The name of the node image, known without building it: its tag is the key of its content; or upstream's."""
    return ways.chosen().node or f"garrison.local/node:{KUBERNETES}-{_key()}"


def ensure() -> str:
    """The node image in Docker's store, made or pulled if it is not there; returns its name."""
    name = reference()
    if shell.succeeds(["docker", "image", "inspect", name]):
        return name
    if ways.chosen().node:
        with shell.step(f"node image {name}"):
            shell.run(["docker", "pull", "--quiet", name], what=f"pulling {name}")
        return name
    with shell.step(f"node image {name}"):
        packing.load(name, layers(), CONFIG)
    _drop_others({name, _bare()})
    return name


def layers() -> tuple[Path, ...]:
    """What our node image is made of, the lowest first: Debian, the node's own files, a store with images."""
    below, bare = (debian.rootfs(), _files()), _bare()
    if not shell.succeeds(["docker", "image", "inspect", bare]):
        packing.load(bare, below, CONFIG)
    return (*below, store.filled(bare, platform_images.node_images()))


def _bare() -> str:
    return f"garrison.local/node-bare:{artefact.key([str(path) for path in (debian.rootfs(), _files())])}"


def _drop_others(kept: set[str]) -> None:
    """Remove node images of other versions; Docker refuses for those a cluster still uses."""
    listing = ["docker", "image", "ls", "--filter=reference=garrison.local/node*", "--format={{.Repository}}:{{.Tag}}"]
    for name in set(shell.run(listing, what="listing node images").split()) - kept:
        shell.succeeds(["docker", "image", "rm", name])


def _key() -> str:
    """Everything the node image depends on."""
    images = [platform_images.identity(platform) for platform in platform_images.NODE]
    return artefact.key(_files_key(), images, debian.PACKAGES)


def _files_key() -> str:
    used = [FILES / source for source in _COPIES.values()]
    rows = [parts.part(name).key for name in ("kubernetes", "containerd", "cni")]
    return artefact.key(rows, [manifest.digest(path) for path in used], _LINKS, CONFIG)


def _files() -> Path:
    """The layer with the node's own binaries and files."""
    place = artefact.folder("node-files", _files_key())
    return artefact.made(place, "node files and binaries", _make_files) / "files.tar"


def _make_files(scratch: Path) -> None:
    with tarfile.open(scratch / "files.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        for folder, names in _BINARIES.items():
            for name in names:
                packing.add(tar, f"{folder}/{name}", build.binary(name), 0o755)
        for target, source in _COPIES.items():
            path = FILES / source
            packing.add(tar, target, path, path.stat().st_mode & 0o755)
        for link, target in _LINKS.items():
            info = tarfile.TarInfo(link)
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
            tar.addfile(info)
        packing.put(tar, "kind/version", f"{KUBERNETES}\n".encode())
