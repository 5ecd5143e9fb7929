"""Tar files of the node image, and the archive by which Docker takes the image: layers as they are."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import architecture, oci, shell
from harness.errors import HarnessError


def add(tar: tarfile.TarFile, name: str, source: Path, mode: int) -> None:
    """Put the file `source` into the tar as `name`, owned by root and dated 1970."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = source.stat().st_size, mode
    with source.open("rb") as file:
        tar.addfile(info, file)


def put(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Put `data` into the tar as `name`."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def load(name: str, layers: Sequence[Path], settings: Mapping[str, Any]) -> None:
    """Give Docker the image `name` made of uncompressed layers, streamed: nothing is written twice."""
    _stream(name, lambda tar: _fill(tar, name, layers, settings))


def _stream(name: str, fill: Callable[[tarfile.TarFile], None]) -> None:
    with subprocess.Popen(
        ["docker", "load", "--quiet"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as docker:
        assert docker.stdin is not None and docker.stderr is not None
        try:
            with tarfile.open(fileobj=docker.stdin, mode="w|", format=tarfile.GNU_FORMAT) as tar:
                fill(tar)
            docker.stdin.close()
        except BrokenPipeError:
            pass  # docker says why
        complaint = docker.stderr.read().decode(errors="replace")
    if docker.returncode:
        raise HarnessError(f"docker load of {name}: {shell.last_words(complaint)}")


def give(image: oci.Image) -> None:
    """Give Docker an image of ours: the same parts, and the table of contents that engines before 25 look for."""
    manifest = oci.manifest_of(image.path)
    blobs = [f"blobs/sha256/{part['digest'][7:]}" for part in (manifest["config"], *manifest["layers"])]
    table = [{"Config": blobs[0], "RepoTags": [image.reference], "Layers": blobs[1:]}]

    def fill(tar: tarfile.TarFile) -> None:
        put(tar, "manifest.json", json.dumps(table).encode())
        with tarfile.open(image.path) as archive:
            for member in archive:
                tar.addfile(member, archive.extractfile(member))

    _stream(image.reference, fill)


def _fill(tar: tarfile.TarFile, name: str, layers: Sequence[Path], settings: Mapping[str, Any]) -> None:
    config = {
        "architecture": architecture.here().name,
        "os": "linux",
        "created": oci.EPOCH,
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [oci.file_digest(layer) for layer in layers]},
    }
    files = [f"{number}.tar" for number in range(len(layers))]
    put(tar, "manifest.json", json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": files}]).encode())
    put(tar, "config.json", json.dumps(config).encode())
    for file, layer in zip(files, layers, strict=True):
        add(tar, file, layer, 0o644)
