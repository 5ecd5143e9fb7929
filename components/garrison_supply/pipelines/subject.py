"""What a pipeline is about: one commit and the images that its lock names. Every report carries both."""

from __future__ import annotations

import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from garrison_supply.pipelines.errors import PipelineError

LOCK = Path("stacks/images.lock")
_PINNED = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Subject:
    """A commit ("-dirty" behind it when tracked files differ from it) and its images, name to NAME@DIGEST."""

    commit: str
    images: dict[str, str]


def current(lock: Path = LOCK) -> Subject:
    """What is checked out here."""
    return Subject(_commit(), images(lock))


def _commit() -> str:
    dirty = "-dirty" if _git("status", "--porcelain", "--untracked-files=no") else ""
    return _git("rev-parse", "HEAD") + dirty


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise PipelineError(f"git cannot be started ({error.strerror}); install it, reports name a commit") from None
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise PipelineError(f"git {arguments[0]}: {words[0] if words else 'failed'}; run this in the checkout")
    return done.stdout.strip()


def images(lock: Path) -> dict[str, str]:
    """The images of a lock; a tag in it is refused, because it names no bytes."""
    try:
        found = tomllib.loads(lock.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PipelineError(f'{lock}: cannot be read ({error}); it holds NAME = "IMAGE@sha256:DIGEST"') from None
    for name, image in found.items():
        if not isinstance(image, str) or not _PINNED.match(image):
            raise PipelineError(f"{lock}: {name} = {image!r} is no image by digest; write IMAGE@sha256:DIGEST")
    if not found:
        raise PipelineError(f"{lock}: names no image; there is nothing to deploy")
    return found
