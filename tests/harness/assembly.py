"""Builds image layers and archives in the cache, each keyed by everything it is made of."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness import artefact, manifest, oci, packages, paths, rootfs, sbom
from harness.errors import HarnessError
from harness.parts import PARTS
from harness.recipes import BASES, PRUNE, RECIPES, Base

SERVICES = paths.REPO / "services"
CYCLONEDX, SPDX = "sbom.cdx.json", "sbom.spdx.json"
SOURCES = {".py", ".sql", ".html", ".css", ".js", ".svg"}
CODE = ("assembly", "debs", "oci", "rootfs")


@dataclass(frozen=True)
class Built:
    """A folder of the cache with a layer, the files it was made of and its bill of materials."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "rootfs"

    @property
    def layer(self) -> oci.Layer:
        said = json.loads((self.folder / "layer.json").read_text())
        return oci.Layer(self.folder / said.pop("file"), **said)

    @property
    def components(self) -> list[sbom.Component]:
        return sbom.load(self.folder / "components.json")


def base(name: str) -> Built:
    """The base layer called `name`."""
    recipe = next(row for row in BASES if row.name == name)
    settled = packages.settled(rootfs.lock_of(recipe))
    locks = [settled.read_text()]
    locks += [(paths.REPO / recipe.wheels).read_text()] if recipe.wheels else []
    locks += [row.key for row in PARTS if {*recipe.parts} & {*row.outputs}]
    place = artefact.folder(f"base-{name}", artefact.key(repr(recipe), PRUNE, locks, _code()))

    def make(folder: Path) -> None:
        rootfs.stage(recipe, settled, folder / "rootfs")
        _pack(folder)

    return Built(artefact.made(place, f"image base {name}", make))


def image(name: str) -> oci.Image:
    """The image called `name`, as built here; not yet compared with the pinned digest."""
    recipe, below = RECIPES[name], base(RECIPES[name].base)
    layers = [below.layer]
    if recipe.sources:
        layers.append(sources(name).layer)
    digests = [layer.digest for layer in layers]
    place = artefact.folder(f"image-{name}", artefact.key(repr(recipe), digests, _code()))

    def make(folder: Path) -> None:
        written = oci.write_image(
            recipe.reference,
            layers,
            entrypoint=recipe.entrypoint,
            env=recipe.env,
            user=_user(recipe.base),
            workdir="/app" if recipe.sources else "/",
            labels={"org.opencontainers.image.title": name},
            out=folder,
        )
        said = {"digest": written.digest, "file": written.path.name}
        (folder / "image.json").write_text(json.dumps(said))
        write_bills(written, below.components, folder)

    folder = artefact.made(place, f"image {name}", make)
    said = json.loads((folder / "image.json").read_text())
    return oci.Image(recipe.reference, said["digest"], folder / said["file"])


def write_bills(written: oci.Image, found: list[sbom.Component], folder: Path) -> None:
    """The bills of materials of an image, beside its archive."""
    for bill, form in ((CYCLONEDX, sbom.cyclonedx), (SPDX, sbom.spdx)):
        (folder / bill).write_text(json.dumps(form(written, found), indent=2) + "\n")


def recipe_of(name: str) -> Base:
    """The base of the image called `name`."""
    return next(row for row in BASES if row.name == RECIPES[name].base)


def _user(base_name: str) -> str:
    uid = next(row.uid for row in BASES if row.name == base_name)
    return f"{uid}:{uid}"


def sources(name: str) -> Built:
    """The layer with the packages that the image `name` adds to its base."""
    recipe, below = RECIPES[name], base(RECIPES[name].base)
    home = paths.REPO / recipe.home
    files = sorted(path for package in recipe.sources for path in (home / package).rglob("*") if path.suffix in SOURCES)
    if not files:
        raise HarnessError(f"image {name}: no sources in {recipe.home}/{recipe.sources[-1]}")
    sums = {str(path.relative_to(home)): manifest.digest(path) for path in files}
    key = artefact.key(sums, below.layer.digest, _code())

    def make(folder: Path) -> None:
        for path in files:
            target = folder / "rootfs/app" / path.relative_to(home)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        rootfs.normalise(folder / "rootfs")
        rootfs.compile_python(below.root, folder / "rootfs", "app")
        _pack(folder)

    return Built(artefact.made(artefact.folder(f"top-{name}", key), f"sources of {name}", make))


def _pack(folder: Path) -> None:
    """Make the layer of folder/rootfs and note what it is and what is in it."""
    layer = oci.layer_from_dir(folder / "rootfs", folder)
    said = {
        "file": layer.path.name,
        "digest": layer.digest,
        "diff_id": layer.diff_id,
        "size": layer.size,
    }
    (folder / "layer.json").write_text(json.dumps(said))
    sbom.save(sbom.components(folder / "rootfs"), folder / "components.json")


def _code() -> dict[str, str]:
    """The hashes of the modules whose change changes images."""
    return {name: manifest.digest(paths.HARNESS / f"{name}.py") for name in CODE}
