"""The runs of Trivy: what is asked, always offline, always whole."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from garrison_supply.scan import database, report
from garrison_supply.scan.binary import Binary
from garrison_supply.scan.model import ScanError
from garrison_supply.scan.report import Report
from garrison_supply.scan.settings import Settings

# Nothing is fetched while scanning: what a scan knows was there before it began, and no one learns what is scanned.
OFFLINE = ("--offline-scan", "--skip-db-update", "--skip-java-db-update",
           "--skip-vex-repo-update", "--skip-version-check", "--disable-telemetry")  # fmt: skip
SCANNERS = ("--scanners", "vuln,secret,misconfig,license", "--skip-check-update", "--list-all-pkgs")
# Errors in Trivy's log that take nothing away: its checks are the ones it was built with, as asked; and an image that
# keeps no build history has no Dockerfile to rebuild (report.py looks at its user itself).
HARMLESS = ("Falling back to embedded checks", "file with no instructions")
# Known vulnerable since 2022: a scanner or a database that finds nothing here finds nothing anywhere.
CANARY = "pkg:deb/debian/openssl@3.0.0-1?arch=amd64&distro=debian-12"


@dataclass(frozen=True)
class Trivy:
    """A verified Trivy with a database that is fresh enough."""

    binary: Binary
    database: Path
    settings: Settings

    def image(self, layout: Path, target: str) -> Report:
        """All findings in an image, given as an OCI layout folder."""
        configured = ("--image-config-scanners", "misconfig,secret")
        return self._report(["image", "--input", layout, *configured, *SCANNERS], target)

    def folder(self, path: Path, target: str) -> Report:
        """All findings in a folder of sources, locks and configuration."""
        patterns = [word for one in self.settings.file_patterns for word in ("--file-patterns", one)]
        return self._report(["filesystem", path, *patterns, *SCANNERS], target)

    def prove(self) -> None:
        """Refuse a scanner that misses what every database knows: the positive control of all that follows."""
        with tempfile.TemporaryDirectory(prefix="garrison-canary-") as folder:
            bill = Path(folder, "canary.cdx.json")
            bill.write_text(json.dumps(_canary()))
            found = self._report(["sbom", bill, "--scanners", "vuln", "--list-all-pkgs"], "canary").findings
        if not found:
            raise ScanError(f"{self.database}: it finds nothing in openssl 3.0.0, so it would find nothing; renew it")

    def bill(self, layout: Path, form: str) -> str:
        """The bill of materials of an image, as "cyclonedx" or "spdx-json"."""
        with self._cache() as common:
            text = self.binary.run(["image", "--input", layout, "--format", form, *common]).output
        try:
            json.loads(text)
        except ValueError:
            raise ScanError(f"{layout}: Trivy's bill of materials is cut off; run it again") from None
        return text

    def _report(self, arguments: list[str | Path], target: str) -> Report:
        with self._cache() as common:
            said = self.binary.run([*arguments, "--format", "json", *common])
        _without_errors(said.errors, target)
        return report.read(said.output, target, unknown=self.settings.unknown)

    @contextmanager
    def _cache(self) -> Iterator[list[str | Path]]:
        with tempfile.TemporaryDirectory(prefix="garrison-trivy-") as folder:
            database.linked(self.database, Path(folder, "cache"))
            limit = f"{self.binary.tool.timeout}s"
            yield [
                "--cache-dir",
                Path(folder, "cache"),
                "--cache-backend",
                "memory",
                "--timeout",
                limit,
                "--no-progress",
                *OFFLINE,
            ]


def _without_errors(log: str, target: str) -> None:
    """Trivy ends with 0 after a file it could not read; what it could not read was not judged."""
    for line in log.splitlines():
        _, marked, text = line.partition("\tERROR\t")
        if marked and not any(harmless in text for harmless in HARMLESS):
            raise ScanError(f"{target}: Trivy could not judge all of it: {' '.join(text.split())[:300]}")


def _canary() -> dict[str, object]:
    system = {"type": "operating-system", "bom-ref": "os", "name": "debian", "version": "12"}
    package = {"type": "library", "bom-ref": CANARY, "name": "openssl", "version": "3.0.0-1", "purl": CANARY}
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [system, package]}
