"""Images in a registry: pushed whole, and taken from there by the digest that is pinned, never by a tag.

What is taken is verified blob by blob before anything uses it, so that a registry is believed no more than a disk. With
which credentials it is spoken to is the affair of the machine's own Docker configuration.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from garrison_supply.scan.unpacked import take
from harness import answering, artefact, assembly, build, oci, sbom, shell, ways
from harness.errors import HarnessError
from harness.progress import say
from harness.recipes import HOUSE, RECIPES

_SERVING = re.compile(r"serving on port (\d+)")


def home(reference: str, registry: str) -> str:
    """The repository that an image has there: its path, as mirrors of registries name it."""
    return f"{registry}/{oci.repository(reference).partition('/')[2]}"


def push(image: oci.Image, registry: str) -> str:
    """Put an image there and read its digest back; returns name@digest.

    Its tag is its digest: registries remove what has no tag, and many let no tag move.
    """
    there = home(image.reference, registry)
    with tempfile.TemporaryDirectory() as layout:
        with tarfile.open(image.path) as archive:
            take(archive, Path(layout))
        _crane("push", layout, f"{there}:{image.digest[7:19]}", what=f"pushing {there}")
    found = _crane("digest", f"{there}@{image.digest}", what=f"looking for {there}").strip()
    if found != image.digest:
        raise HarnessError(f"{there} is {found} in the registry and {image.digest} here")
    return f"{there}@{image.digest}"


def image(name: str, pins: Mapping[str, str], registry: str) -> oci.Image:
    """The image called `name`, taken by its pinned digest; it keeps the name it has here, and gets its bills."""
    reference, digest = RECIPES[name].reference, pins.get(name, "").rpartition("@")[2]
    if not digest:
        raise HarnessError(f"image {name} has no pinned digest: only what is pinned is taken from {registry}")
    return taken(name, reference, f"{home(reference, registry)}@{digest}")


def published(reference: str) -> oci.Image | None:
    """The image as its makers publish it, where the machine names it and a registry answers; None: to be made here."""
    named = ways.chosen().upstream
    return _published(reference, named.get(reference, "")) if named else None


@functools.cache
def _published(reference: str, there: str) -> oci.Image | None:
    if reference.startswith(HOUSE):
        return None
    if not there:
        say(f"{ways.UPSTREAM} does not name {reference}: made here from source")
        return None
    try:
        return taken(oci.repository(reference).rpartition("/")[2], reference, there)
    except HarnessError as error:
        if not answering.absent(str(error)):
            raise
        say(f"{error}; {reference} is made here from source")
        return None


def taken(name: str, reference: str, there: str) -> oci.Image:
    """The image that is `there` by its digest, under the name `reference` that it has here."""
    digest = there.rpartition("@")[2]
    place = artefact.folder(f"pulled-{name}", artefact.key(reference, digest))
    artefact.made(place, f"image {name}: {there}", lambda scratch: _pull(reference, there, scratch))
    said = json.loads((place / "image.json").read_text())
    return oci.Image(reference, digest, place / said["file"])


@contextmanager
def served(folder: Path, address: str = "127.0.0.1") -> Iterator[str]:
    """A registry on loopback, or on a network of this machine's own, that keeps its blobs in `folder`; its name."""
    command = [str(build.binary("crane")), "registry", "serve", f"--address={address}:0", f"--disk={folder}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            for line in server.stderr:
                if match := _SERVING.search(line):
                    break
            else:
                raise HarnessError(f"the registry ended at once with {server.wait()}")
            yield f"{address}:{match[1]}"
        finally:
            server.kill()


def _pull(reference: str, there: str, scratch: Path) -> None:
    digest = there.rpartition("@")[2]
    with tempfile.TemporaryDirectory(dir=scratch) as layout, _said_of(there):
        _crane("pull", "--format=oci", there, layout, what=f"taking {there}")
        blobs = Path(layout, "blobs/sha256")
        raw = (blobs / digest[7:]).read_bytes()
        manifest = json.loads(raw)
        layers = [
            oci.Layer(blobs / layer["digest"][7:], layer["digest"], "", layer["size"]) for layer in manifest["layers"]
        ]
        config = (blobs / manifest["config"]["digest"][7:]).read_bytes()
        made = oci.archive(reference, layers, [config, raw], scratch)
        bill = sbom.of_layers(layer.path for layer in layers)
        if (found := oci.manifest_of(made.path)["digest"]) != digest:
            raise ValueError(f"what came is {found}")
    assembly.write_bills(made, bill, scratch)
    (scratch / "image.json").write_text(json.dumps({"digest": digest, "file": made.path.name}))


@contextmanager
def _said_of(image: str) -> Iterator[None]:
    """What is wrong with what came, in one line with its name."""
    try:
        yield
    except (OSError, ValueError, KeyError, tarfile.TarError) as error:
        raise HarnessError(f"{image}: not taken: {error}") from None


def _crane(*arguments: str, what: str) -> str:
    # A digest is asked for, and it is the whole image: an index of several platforms would have another.
    return shell.run([build.binary("crane"), *arguments], what=what)
