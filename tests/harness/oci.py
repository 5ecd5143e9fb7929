"""Container images as bytes: deterministic OCI layers and archives, with no engine and no registry.

The same files always give the same digest: entries are sorted, owned by 0:0 and dated 1970, and the
compressor is GNU gzip, whose output does not change with the Python or zlib that happens to run this.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from harness import architecture

EPOCH = "1970-01-01T00:00:00Z"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
INDEX = "application/vnd.oci.image.index.v1+json"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Layer:
    """One compressed layer on disk; `diff_id` is the digest of the tar inside."""

    path: Path
    digest: str
    diff_id: str
    size: int


@dataclass(frozen=True)
class Image:
    """An image archive on disk. `reference` is its name with a tag, `digest` its manifest's."""

    reference: str
    digest: str
    path: Path

    @property
    def pinned(self) -> str:
        """The same image as name@digest."""
        return f"{repository(self.reference)}@{self.digest}"


def repository(reference: str) -> str:
    """The reference without its tag or digest (a colon before the last slash is a port)."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


class _Hashing:
    """A write-only file that hashes what passes through it."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink
        self._sum = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._sum.update(data)
        return self._sink.write(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._sum.hexdigest()}"


def layer_from_dir(root: Path, out_dir: Path, *, level: int = 6) -> Layer:
    """Pack the contents of `root` into a layer file under `out_dir`, named by its digest."""
    out_dir.mkdir(parents=True, exist_ok=True)
    partial = out_dir / f".{os.getpid()}-{root.name}.partial"
    with partial.open("wb") as file:
        gzip = subprocess.Popen(["gzip", "-n", f"-{level}"], stdin=subprocess.PIPE, stdout=file)
        assert gzip.stdin is not None
        hashing = _Hashing(gzip.stdin)
        with tarfile.open(fileobj=cast("IO[bytes]", hashing), mode="w|", format=tarfile.GNU_FORMAT) as tar:
            for path in _walk(root):
                _add(tar, path, path.relative_to(root).as_posix())
        gzip.stdin.close()
        if gzip.wait():
            raise RuntimeError(f"gzip failed on the layer of {root}")
    digest = file_digest(partial)
    final = partial.rename(out_dir / f"layer-{digest[7:19]}.tar.gz")
    return Layer(final, digest, hashing.digest, final.stat().st_size)


def _walk(root: Path) -> Iterable[Path]:
    """Everything below `root`, parents before children, in an order no file system decides."""
    return sorted(root.rglob("*"), key=lambda path: path.relative_to(root).parts)


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    stat = path.lstat()
    info = tarfile.TarInfo(name)
    info.mode = stat.st_mode & 0o7777
    if path.is_symlink():
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
        tar.addfile(info)
    elif path.is_dir():
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    elif path.is_file():
        info.size = stat.st_size
        with path.open("rb") as file:
            tar.addfile(info, file)
    else:
        raise ValueError(f"{path}: neither a file, a folder nor a link; it cannot be in an image")


def file_digest(path: Path) -> str:
    """The sha256 of a file, in OCI notation."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def write_image(
    reference: str,
    layers: Sequence[Layer],
    *,
    entrypoint: Sequence[str],
    cmd: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    user: str = "",
    workdir: str = "/",
    labels: Mapping[str, str] | None = None,
    out: Path,
) -> Image:
    """Write the archive `out`/<name>-<digest12>.tar, which `ctr images import` accepts as it is."""
    settings: dict[str, Any] = {
        "Env": [f"{k}={v}" for k, v in {"PATH": DEFAULT_PATH, **(env or {})}.items()],
        "Entrypoint": list(entrypoint),
        "Cmd": list(cmd),
        "User": user,
        "WorkingDir": workdir,
        "Labels": dict(sorted((labels or {}).items())),
    }
    config = _json(
        {
            "created": EPOCH,
            "architecture": architecture.here().name,
            "os": "linux",
            "config": {key: value for key, value in settings.items() if value},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(CONFIG, config),
            "layers": [{"mediaType": LAYER, "digest": layer.digest, "size": layer.size} for layer in layers],
        }
    )
    return archive(reference, layers, [config, manifest], out)


def archive(reference: str, layers: Sequence[Layer], blobs: Sequence[bytes], out: Path) -> Image:
    """An OCI image layout in one tar, `out`/<name>-<digest12>.tar; the last of `blobs` is the manifest."""
    manifest = blobs[-1]
    digest = _digest(manifest)
    names = {
        "io.containerd.image.name": reference,
        "org.opencontainers.image.ref.name": reference,
    }
    top = _descriptor(MANIFEST, manifest) | {"annotations": names}
    out.mkdir(parents=True, exist_ok=True)
    name = repository(reference).rpartition("/")[2]
    path = out / f"{name}-{digest[7:19]}.tar"
    partial = out / f".{os.getpid()}-{path.name}.partial"
    with tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as tar:
        _put(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _put(tar, "index.json", _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [top]}))
        for blob in blobs:
            _put(tar, f"blobs/sha256/{_digest(blob)[7:]}", blob)
        for layer in {layer.digest: layer for layer in layers}.values():
            info = tarfile.TarInfo(f"blobs/sha256/{layer.digest[7:]}")
            info.size = layer.size
            with layer.path.open("rb") as file:
                tar.addfile(info, file)
    partial.rename(path)
    return Image(reference, digest, path)


def manifest_of(path: Path) -> dict[str, Any]:
    """The image manifest in an archive, after checking every blob against its own digest."""
    with tarfile.open(path) as tar:
        for member in tar:
            folder, _, name = member.name.rpartition("/")
            file = tar.extractfile(member)
            if folder != "blobs/sha256" or file is None:
                continue
            if hashlib.file_digest(file, "sha256").hexdigest() != name:  # type: ignore[arg-type]
                raise ValueError(f"{path}: a part of it does not match its digest")
        index = tar.extractfile("index.json")
        assert index is not None
        digest = json.load(index)["manifests"][0]["digest"]
        manifest = tar.extractfile(f"blobs/sha256/{digest[7:]}")
        assert manifest is not None
        loaded: dict[str, Any] = json.load(manifest)
        return loaded | {"digest": digest}


def _put(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _descriptor(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}
