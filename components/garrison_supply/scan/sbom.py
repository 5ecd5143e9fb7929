"""Bills of materials of an image beside each other, under names that depend on the image alone."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from garrison_supply.scan.model import ScanError
from garrison_supply.scan.target import Target

# Trivy's name of the format -> the end of the file's name, as the formats' own conventions have it.
FORMATS = {"cyclonedx": "cdx.json", "spdx-json": "spdx.json"}


class Biller(Protocol):
    """What can list what is in an image."""

    def bill(self, layout: Path, form: str) -> str:
        """The bill of the image in an OCI layout folder."""


def write(scanner: Biller, layout: Path, target: Target, folder: Path) -> list[Path]:
    """Both bills of `target` in `folder`, all or none: sha256-<digest>.cdx.json and .spdx.json."""
    texts = {end: scanner.bill(layout, form) for form, end in FORMATS.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for end, text in texts.items():
            path = folder / f"{target.digest.replace(':', '-')}.{end}"
            path.write_text(text)
            written.append(path)
    except OSError as error:
        raise ScanError(f"{folder}: the bill of materials cannot be written: {error.strerror}") from None
    return written
