"""Runs other people's commands: quiet when they work, one line with their last words when they do not."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError
from harness.progress import clock, say


def run(
    command: Sequence[str | Path],
    *,
    what: str,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float | None = None,
) -> str:
    """Run `command` and return what it printed; `what` names the deed in the error."""
    argv = [str(word) for word in command]
    try:
        done = subprocess.run(
            argv,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        raise HarnessError(f"{what}: {argv[0]} is not installed; see `make doctor`") from None
    except subprocess.TimeoutExpired:
        raise HarnessError(f"{what}: no answer from {argv[0]} in {timeout:.0f} s") from None
    if done.returncode:
        raise HarnessError(f"{what}: {last_words(done.stderr or done.stdout)}")
    return done.stdout


def succeeds(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> bool:
    """Whether `command` ends well; a missing program does not."""
    try:
        run(command, what="check", env=env)
    except HarnessError:
        return False
    return True


def last_words(output: str) -> str:
    """The end of a command's output as one line."""
    lines = [line.strip() for line in output.strip().splitlines() if line.strip()]
    return " | ".join(lines[-3:]) or "it failed and said nothing"


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what begins, and how long it took when it worked."""
    say(what)
    start = time.monotonic()
    yield
    say(f"      done after {clock(time.monotonic() - start)}")
