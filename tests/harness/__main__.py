"""The command line behind the Makefile: `python -m harness VERB`."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType

from harness import build, check, cleaning, doctor, environment, order, paths, stack, steps
from harness.environment import MAIN, TEST
from harness.errors import HarnessError
from harness.parts import PARTS, part


def main() -> int:
    """Run one verb; errors for users are one line, an interruption leaves everything resumable."""
    signal.signal(signal.SIGTERM, _interrupt)
    options = _arguments()
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except HarnessError as error:
        print(f"{options.verb}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 130


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="harness", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)

    def verb(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text)
        added.set_defaults(run=run)
        return added

    verb("doctor", lambda _: doctor.report(), "what is here, what is missing, where it comes from")
    verb("check", lambda _: check.run(), "everything that needs no cluster")
    verb("build", _build, "make parts of the toolchain").add_argument("parts", nargs="*")
    verb("images", _images, "make the container images")
    up = verb("up", lambda o: steps.up(MAIN, o.nodes), "the running, proven estate")
    up.add_argument("--nodes", type=int, default=1, choices=(1, 2, 3), help="1 by default")
    verb("order", lambda o: order.place(MAIN), "an order placed in the running estate, and its way through it")
    verb("down", _down, "remove the clusters and what was started for them")
    clean = verb("clean", lambda o: cleaning.clean(remove=o.yes, old=o.old), "what the cache holds, and its removal")
    clean.add_argument("--old", action="store_true", help="only what this checkout no longer uses; clusters may run")
    clean.add_argument("--yes", action="store_true", help="remove it; without, only say so")
    verb("env", _env, "write env.sh and print its path").add_argument("--cluster", default=MAIN)
    verb("test", _test, "all tests, on a cluster of their own")
    verb("prove", lambda o: steps.prove(MAIN, o.rest), "the probes")
    # pytest and the probes have options of their own, which argparse must not try to read.
    options, rest = parser.parse_known_args()
    if rest and options.verb not in ("test", "prove"):
        parser.error(f"{options.verb} does not understand {' '.join(rest)}")
    return argparse.Namespace(rest=rest, **vars(options))


def _build(options: argparse.Namespace) -> int:
    known = {row.name for row in PARTS}
    if unknown := [name for name in options.parts if name not in known]:
        raise HarnessError(f"no part is called {unknown[0]!r}; known: {', '.join(sorted(known))}")
    build.obtain_all([part(name) for name in options.parts] or PARTS)
    print(build.links())
    return 0


def _images(options: argparse.Namespace) -> int:
    from harness import images, platform_images

    platform_images.settle()
    for image in images.service_images() + platform_images.platform_images():
        print(image.reference, image.digest)
    return 0


def _down(options: argparse.Namespace) -> int:
    steps.down((MAIN, TEST))
    return 0


def _env(options: argparse.Namespace) -> int:
    stack.select(options.cluster)
    print(environment.write(options.cluster))
    return 0


def _test(options: argparse.Namespace) -> int:
    steps.prepare(TEST, parts=PARTS)  # the scanners and the public fixtures, too
    steps.deploy(TEST)
    # Three workers on two cores: the cluster's tests mostly wait, the others compute (tests/conftest.py).
    whole = ["-n", "3", "--no-loadscope-reorder", "--durations", "25", "tests"]
    command = [sys.executable, "-m", "pytest", *(options.rest or whole)]
    return subprocess.run(command, cwd=paths.REPO, env=environment.full(TEST), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
