"""Images by short name, as a lock file has them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

PINS = ("image-digest", "image-tag")  # of all images, and so said in the lock file
PIN_ME = "pin-me"  # in the place of a digest, as `images()` of a program reads it
ROLES = ("envoy", "openbao")  # Garrison's own images, which every program needs
_DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")


class Images:
    """Short names for images, each image once."""

    def __init__(self, references: Sequence[str]) -> None:
        self.lock: dict[str, str] = {}
        taken = Counter(_short(one) for one in {*references})
        seen: Counter[str] = Counter()
        for one in dict.fromkeys(references):
            name = _short(one)
            seen[name] += 1
            if taken[name] > 1 or name in ROLES:
                name = f"{name}-{seen[name]}"
            self.lock[name] = one
        self._names = {one: name for name, one in self.lock.items()}

    def name(self, reference: str) -> str:
        return self._names[reference]


def _short(reference: str) -> str:
    last = reference.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", last).strip("-") or "image"


def pinned(reference: str) -> bool:
    """Whether an image is named by its digest."""
    return bool(_DIGEST.fullmatch(reference))
