"""A small vulnerability database, made by Trivy's own trivy-db from advisories written here.

The numbers are real ones, so that a reader can look them up; what makes a finding is the version in the image.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from harness import build

# Debian's security tracker: CVE, source package, release, the version that mends it, urgency.
DEBIAN = (
    ("CVE-2022-0778", "openssl", "bookworm", "3.0.2-1", "high"),
    ("CVE-2022-37434", "zlib", "bookworm", "1:1.2.11.dfsg-4.1", "high"),
)
# GitHub's advisories on PyPI: id, CVE, package, the version that mends it, severity.
PYPI = (("GHSA-462w-v97r-4m45", "CVE-2019-10906", "jinja2", "2.10.1", "HIGH"),)


def database(folder: Path, *more: tuple[str, str, str, str, str], without: str = "") -> Path:
    """The folder with trivy.db and metadata.json, made below `folder` a moment ago.

    more: further rows like those of DEBIAN. without: a package of DEBIAN to say nothing about.
    """
    tracker = folder / "lists/vuln-list-debian/tracker"
    for name in ("CVE", "DLA", "DSA", "source", "updates-source"):
        (tracker / name).mkdir(parents=True)
    _write(tracker / "distributions.json", {"bookworm": {"major-version": "12", "support": "security", "contact": ""}})
    for cve, package, release, fixed, urgency in [*(row for row in DEBIAN if row[1] != without), *more]:
        _write(tracker / f"CVE/{cve}.json", _tracked(cve, package, release, fixed, urgency))
    reviewed = folder / "lists/ghsa/advisories/github-reviewed"
    (folder / "lists/cocoapods-specs/Specs").mkdir(parents=True)
    for ghsa, cve, package, fixed, severity in PYPI:
        _write(reviewed / ghsa / f"{ghsa}.json", _reviewed(ghsa, cve, package, fixed, severity))
    made = folder / "db"
    lists: list[str | Path] = ["--cache-dir", folder / "lists", "--output-dir", made]
    command = [build.binary("trivy-db"), "build", *lists, "--only-update", "debian", "--only-update", "ghsa"]
    subprocess.run(command, check=True, capture_output=True)
    return made


def _tracked(cve: str, package: str, release: str, fixed: str, urgency: str) -> dict[str, Any]:
    note = {"Type": "package", "Package": package, "Kind": "fixed", "Version": fixed}
    return {
        "Header": {"ID": cve, "Description": f"({package} before {fixed})"},
        "Annotations": [{**note, "Severity": urgency}, {**note, "Release": release}],
    }


def _reviewed(ghsa: str, cve: str, package: str, fixed: str, severity: str) -> dict[str, Any]:
    events = [{"introduced": "0"}, {"fixed": fixed}]
    affected = {
        "package": {"ecosystem": "PyPI", "name": package},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    return {
        "id": ghsa,
        "aliases": [cve],
        "summary": f"{package} before {fixed}",
        "affected": [affected],
        "database_specific": {"severity": severity},
    }


def _write(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
