"""The file of images as their makers publish them, by which GARRISON_UPSTREAM takes them in place of our own builds.

    python -m harness.upstream pin [REGISTRY] > FILE     asks each maker's registry, or a mirror of all, for digests

It is asked for once, and kept: from then on a registry is believed no more than its digests.
"""

from __future__ import annotations

import argparse
import sys

from harness import answering, architecture, build, oci, platform_images, registry, shell, ways
from harness.errors import HarnessError
from harness.progress import say
from harness.recipes import HOUSE, RECIPES, UP


def published() -> list[str]:
    """The names that makers give to what we would make: the platform's, and those of the estate that are not ours."""
    estate = [RECIPES[name].reference for name in UP if not RECIPES[name].reference.startswith(HOUSE)]
    return [*(platform.reference for platform in platform_images.DEPLOYED), *sorted(estate)]


def pin(where: str = "") -> str:
    """The file of what is published, asked for once: digests for this machine's processor."""
    node, _, digest = ways.KIND.partition("@")
    rows = [(node, f"{_at(node, where)}@{digest}"), *((name, _asked(name, where)) for name in published())]
    lines = [f'"{name}" = "{found}"' if found else f"# {name}: not there, made here" for name, found in rows]
    return "\n".join([f"# made by: {answering.PIN}", *lines])


def _at(reference: str, where: str) -> str:
    return registry.home(reference, where) if where else oci.repository(reference)


def _asked(reference: str, where: str) -> str:
    """The image there by its digest; "" where there is none."""
    there, tag = _at(reference, where), reference.rpartition(":")[2]
    platform = f"--platform=linux/{architecture.here().name}"
    try:
        told = shell.run(
            [build.binary("crane"), "digest", platform, f"{there}:{tag}"], what=f"asking for {there}:{tag}"
        )
    except HarnessError as error:
        if not answering.absent(str(error)):
            raise
        say(f"{error}; it will be made here")
        return ""
    return f"{there}@{told.strip()}"


def main(arguments: list[str]) -> int:
    """The command line; see the top of this file."""
    parser = argparse.ArgumentParser(prog="harness.upstream", description=__doc__)
    verb = parser.add_subparsers(dest="verb", required=True).add_parser("pin")
    verb.add_argument("registry", nargs="?", default="", metavar="REGISTRY", help="HOST[:PORT][/PATH] of a mirror")
    where = parser.parse_args(arguments).registry
    print(pin(ways.checked(where) if where else ""))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except HarnessError as problem:
        sys.exit(f"upstream: {problem}")
