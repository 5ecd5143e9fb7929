"""The list of the images whose signatures were verified: one reader, for stack settings, admission and the policy pack.

`garrison scan` or `make up` verifies and writes it; whoever reads it lets in nothing else from the same folders.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from garrison.errors import GarrisonError, Problem

VARIABLE: Final = "GARRISON_SIGNED_IMAGES"
_IMAGE = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")


class VerifiedError(GarrisonError, ValueError):
    """The list of verified images cannot be used as one."""


def images(path: Path) -> tuple[str, ...]:
    """NAME@sha256:DIGEST of every image in a JSON list, sorted; raises VerifiedError.

    An empty list is none: as a rule it would let in whatever is unsigned.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    good = isinstance(found, list) and all(isinstance(image, str) and _IMAGE.fullmatch(image) for image in found)
    if not found or not good:
        what = "is no list of verified images, each NAME@sha256:DIGEST"
        raise VerifiedError([Problem(str(path), what, "verify the images again")])
    return tuple(sorted(found))
