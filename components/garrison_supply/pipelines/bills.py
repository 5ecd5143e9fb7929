"""`garrison ci bills`: what the build says is in each image, for the gate to hold a scanner's word against."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from garrison_supply.pipelines import subject
from garrison_supply.pipelines.errors import PipelineError

# Packages of the system: every scanner sees them, since it only has to read the package database.
SYSTEM = ("pkg:deb/", "pkg:apk/", "pkg:rpm/")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--images", type=Path, required=True, help="the folder with archives and bills of materials")
    parser.add_argument("--lock", type=Path, default=subject.LOCK, help="the images (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print, for each image of the lock, how many system packages its bill of materials lists."""
    found = dict(count(options.images, subject.images(options.lock)))
    json.dump(found, sys.stdout, indent=2)
    print()
    return 0


def count(folder: Path, images: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name, image and number of packages; an image without a bill is an error."""
    bills = {_about(bill): bill for bill in map(_read, sorted(folder.rglob("*.cdx.json")))}
    for name, image in images.items():
        bill = bills.get(image.partition("@")[2])
        if bill is None:
            raise PipelineError(f"{folder}: no bill of materials (*.cdx.json) of {image}; write it when you build")
        packages = {str(part.get("purl")) for part in bill.get("components", []) if _system(part)}
        yield name, {"image": image, "packages": len(packages)}


def _read(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise PipelineError(f"{file}: is no CycloneDX document ({error}); build again") from None
    if not isinstance(found, dict) or found.get("bomFormat") != "CycloneDX":
        raise PipelineError(f"{file}: is no CycloneDX document; build again")
    return found


def _about(bill: Mapping[str, Any]) -> str:
    """The digest of the image a bill is about, however its maker writes it down: version, bom-ref or purl."""
    component = bill.get("metadata", {}).get("component", {})
    texts = [str(component.get(key, "")).replace("%3A", ":") for key in ("version", "bom-ref", "purl")]
    found = next((text for text in texts if "sha256:" in text), "")
    return "sha256:" + found.partition("sha256:")[2][:64]


def _system(part: Mapping[str, Any]) -> bool:
    return str(part.get("purl") or "").startswith(SYSTEM)
