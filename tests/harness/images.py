"""The estate's images: built from locks, the same bytes everywhere, checked against stacks/images.lock.

    python -m harness.images build | sizes | sbom NAME [--spdx] | lock | pin | push REGISTRY

`lock` takes the newest packages; `pin` writes the digests that a build must give from then on. `push` puts all into a
registry and prints the lock file that names them there; with GARRISON_REGISTRY=REGISTRY they are taken from one.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness import architecture, archive, assembly, debs, oci, packages, paths, registry, rootfs, shell, ways
from harness.assembly import SERVICES
from harness.errors import HarnessError
from harness.progress import say
from harness.recipes import BASES, RECIPES, UP

DIGESTS = paths.REPO / "stacks/images.lock"
PIN = "python -m harness.images pin"
# What our own images may weigh; the parts of others weigh what they weigh.
LIMIT = 45_000_000


def service_images() -> list[oci.Image]:
    """Every image of the estate, built, from the cache or from a registry, each with the digest that is pinned."""
    pins = read_pins()
    images = {name: _one(name, pins) for name in UP}
    other = {name: image for name, image in images.items() if pins.get(name) != image.pinned}
    for name, image in other.items():
        if not _may_differ(name):
            raise HarnessError(
                f"image {name} is {image.digest[:19]} here, {DIGESTS.name} says "
                f"{pins.get(name, 'nothing').rpartition('@')[2][:19]}; if that is meant: {PIN}"
            )
    _note(pins, {name: image.pinned for name, image in other.items()})
    return list(images.values())


def _one(name: str, pins: Mapping[str, str]) -> oci.Image:
    if theirs := registry.published(RECIPES[name].reference):
        return theirs
    where = ways.chosen().registry
    return registry.image(name, pins, where) if where else assembly.image(name)


def _may_differ(name: str) -> bool:
    """Its makers' own build is pinned by the machine; ours is where no other machine gives the same bytes."""
    if registry.published(RECIPES[name].reference) or not architecture.here().run:
        return True
    return bool(packages.replaced(rootfs.lock_of(assembly.recipe_of(name))))


def of(name: str, images: Iterable[oci.Image]) -> oci.Image:
    """The image of that recipe among `images`."""
    return next(image for image in images if image.reference == RECIPES[name].reference)


def built_here() -> Path:
    """The digests that this machine uses, there only where they are not those that are pinned."""
    return paths.state() / "images.lock"


def _note(pins: dict[str, str], other: dict[str, str]) -> None:
    """Keep what is really used, for the estate of this machine; the committed pins stay as they are."""
    if not other:
        built_here().unlink(missing_ok=True)
        return
    said = f"# what this machine uses, in place of {DIGESTS.name}"
    built_here().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    built_here().write_text("\n".join([said, *(f'{n} = "{p}"' for n, p in sorted((pins | other).items()))]) + "\n")
    here = architecture.here()
    why = "with replaced packages" if here.run else f"as built for {here.name}, for which none is pinned"
    if theirs := [name for name in other if registry.published(RECIPES[name].reference)]:
        say(f"as their makers publish them: {', '.join(theirs)}; this machine uses {built_here()}")
    if ours := [name for name in other if name not in theirs]:
        say(f"other digests than pinned, {why}: {', '.join(ours)}; this machine uses {built_here()}")


def postgres_root() -> Path:
    """The root file system of the PostgreSQL image, for running its programs without an engine."""
    return assembly.base("postgres").root


def read_pins() -> dict[str, str]:
    """The pinned images: name to name@digest."""
    try:
        return tomllib.loads(DIGESTS.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise HarnessError(f"{DIGESTS}: cannot be read ({error}); remake it: {PIN}") from None


def pin() -> None:
    """Write the digests of what is built here."""
    lines = [f'{name} = "{assembly.image(name).pinned}"' for name in sorted(UP)]
    DIGESTS.parent.mkdir(exist_ok=True)
    DIGESTS.write_text("\n".join([f"# made by: {PIN}", *lines]) + "\n")


def push(name: str) -> str:
    """Put every image into the registry called `name`; returns the lock file by which a program has them from there."""
    where, found = ways.checked(name), {}
    for image, made in zip(UP, service_images(), strict=True):
        found[image] = registry.push(made, where)
        say(f"pushed {found[image]}")
    return "\n".join(
        [f"# made by: python -m harness.images push {where}", *(f'{n} = "{found[n]}"' for n in sorted(found))]
    )


def lock() -> None:
    """Take the newest Debian packages and wheels into the locks of every base, for every kind of machine."""
    for here in architecture.KNOWN.values():
        for base in BASES:
            debs.write_lock(rootfs.lock_of(base, here), archive.newest(base.debs, here))
    packages.forget()
    wheels = SERVICES / "requirements.in"
    command = ["uv", "pip", "compile", "--generate-hashes", "--no-annotate", "--no-header", "--upgrade"]
    command += ["--no-emit-index-url", "--python-version=3.11", "--only-binary=:all:"]
    shell.run([*command, wheels, "-o", wheels.with_suffix(".lock")], what="locking the services' wheels")


def sizes() -> str:
    """A table: compressed size of each image, how much of it all services share."""
    rows = [f"{'image':10} {'MB':>6} {'own MB':>7}  digest"]
    shared = assembly.base("python").layer.digest
    for name in RECIPES:
        image = assembly.image(name)
        layers = oci.manifest_of(image.path)["layers"]
        total = sum(layer["size"] for layer in layers)
        own = sum(layer["size"] for layer in layers if layer["digest"] != shared)
        rows.append(f"{name:10} {total / 1e6:6.1f} {own / 1e6:7.3f}  {image.digest[:19]}")
    return "\n".join(rows)


def bill(name: str, *, spdx: bool = False) -> str:
    """The bill of materials that lies beside the image's archive in the cache."""
    return (assembly.image(name).path.parent / (assembly.SPDX if spdx else assembly.CYCLONEDX)).read_text()


def main(arguments: list[str]) -> int:
    """The command line; see the top of this file."""
    parser = argparse.ArgumentParser(prog="harness.images", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("build", "sizes", "lock", "pin"):
        verbs.add_parser(verb)
    show = verbs.add_parser("sbom")
    show.add_argument("name", choices=RECIPES)
    show.add_argument("--spdx", action="store_true")
    verbs.add_parser("push").add_argument("registry", metavar="REGISTRY", help="HOST[:PORT][/PATH]")
    chosen = parser.parse_args(arguments)
    if chosen.verb == "build":
        print("\n".join(image.pinned for image in service_images()))
    elif chosen.verb == "sizes":
        print(sizes())
    elif chosen.verb == "sbom":
        print(bill(chosen.name, spdx=chosen.spdx), end="")
    elif chosen.verb == "push":
        print(push(chosen.registry))
    else:
        {"lock": lock, "pin": pin}[chosen.verb]()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except HarnessError as problem:
        sys.exit(f"images: {problem}")
