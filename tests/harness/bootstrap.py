"""Makes the pinned Python environment when it is missing, then runs the given command in it.

This is the only module that runs on the machine's own Python, so it uses nothing but the standard
library. The environment lives in the cache under the hash of requirements.lock: a changed lock is
a new environment, and one that a killed run left half made has no mark of completion.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

_OLDEST = (3, 11)


def main(arguments: list[str]) -> None:
    """Replace this process by the environment's Python running `arguments`."""
    if sys.version_info < _OLDEST:
        wanted, found = ".".join(map(str, _OLDEST)), sys.version.split()[0]
        sys.exit(f"Python {wanted} or newer is needed, python3 is {found}: install it, put it first in PATH")
    from harness import prerequisites  # only now is it certain that they can be read
    from harness.errors import HarnessError

    try:
        prerequisites.at_the_door(arguments)
        python = ensure()
    except HarnessError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command again to go on")
    os.execve(python, [str(python), *arguments], environment(python))


def environment(python: Path) -> dict[str, str]:
    """This process's environment with the virtual one in front."""
    from harness.paths import REPO

    roots = [str(REPO / name) for name in ("components", "policies", "tests", "services")]
    path = os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(roots), "PATH": path}


def folder() -> Path:
    """Where the environment of this lock and this Python lives."""
    from harness.paths import REPO, cache

    lock = (REPO / "requirements.lock").read_bytes()
    version = ".".join(map(str, sys.version_info[:3]))
    key = hashlib.sha256(lock + version.encode()).hexdigest()[:12]
    return cache() / "venv" / key


def ensure() -> Path:
    """The environment's Python, installed from the lock on first use."""
    from harness.lock import held

    place = folder()
    python, complete = place / "bin" / "python3", place / "complete"
    if complete.exists():
        return python
    with held(place.parent / "venv.lock"):
        if not complete.exists():
            _make(place, python)
            complete.touch()
    return python


def _make(place: Path, python: Path) -> None:
    from harness.paths import REPO
    from harness.progress import say

    say("making the Python environment from requirements.lock (about 0:40)")
    shutil.rmtree(place, ignore_errors=True)
    if importlib.util.find_spec("ensurepip") is None:
        _install_venv()
    _run([sys.executable, "-m", "venv", str(place)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", "--no-deps", "-r", str(REPO / "requirements.lock")])


def _install_venv() -> None:
    from harness import apt
    from harness.errors import HarnessError

    if not apt.can_install():
        raise HarnessError("python3 has no venv module: install python3-venv (or run as root on Debian)")
    _run(["apt-get", "update", "-qq"])
    _run(["apt-get", "install", "-y", "-qq", "python3-venv"])


def _run(command: list[str]) -> None:
    from harness.errors import HarnessError

    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise HarnessError(f"the Python environment could not be made: {words}")


if __name__ == "__main__":
    main(sys.argv[1:])
