"""A world in which a scan comes out clean: an image, a database, settings and a stand-in for Trivy that obeys."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import oci
from unit.verbs import scan as main

Json = dict[str, Any]
OS_PACKAGES: Json = {"Target": "debian", "Class": "os-pkgs", "Packages": [{"Name": "openssl"}]}
VULNERABLE: Json = {
    "VulnerabilityID": "CVE-2022-0778",
    "PkgName": "openssl",
    "InstalledVersion": "3.0.0-1",
    "FixedVersion": "3.0.2-1",
    "Severity": "HIGH",
    "Title": "Infinite loop",
}


def report(*results: Json, kind: str = "container_image") -> Json:
    """A report of Trivy's as it looks when all is well; by default on an image of Debian with one package."""
    return {
        "SchemaVersion": 2,
        "ArtifactName": "x",
        "ArtifactType": kind,
        "Metadata": {"OS": {"Family": "debian", "Name": "12.9"}, "ImageConfig": {"config": {"User": "65532"}}},
        "Results": list(results or [OS_PACKAGES]),
    }


@dataclass
class World:
    folder: Path

    def __post_init__(self) -> None:
        self.answers = {"--version": "Version: 0.69.3\n"}
        self.says(sbom=report({**OS_PACKAGES, "Vulnerabilities": [VULNERABLE]}, kind="cyclonedx"), image=report())
        self.behaves("")
        self.made(datetime.datetime.now(datetime.UTC))
        self.settings()
        root = self.folder / "root"
        root.mkdir()
        (root / "hello").write_text("hello\n")
        layer = oci.layer_from_dir(root, self.folder)
        self.image = oci.write_image("shop.example/x:1", [layer], entrypoint=["/hello"], out=self.folder)

    @property
    def scanner(self) -> Path:
        return self.folder / "trivy"

    def says(self, **answers: Json | str) -> None:
        """What the stand-in prints for a verb."""
        for verb, answer in answers.items():
            (self.folder / f"{verb}.out").write_text(answer if isinstance(answer, str) else json.dumps(answer))

    def behaves(self, script: str) -> None:
        """Lines of shell that the stand-in runs before it answers a scan; its checksum becomes the accepted one."""
        self.scanner.write_text(
            "#!/bin/sh\n"
            f'echo "$@" >> {self.folder}/calls; env > {self.folder}/environment; ls -A > {self.folder}/listing\n'
            '[ "$1" = --version ] && { echo "Version: 0.69.3"; exit 0; }\n'
            f'[ "$1" = sbom ] || {{ :\n{script}\n}}\n'
            f'exec cat {self.folder}/"$1".out\n'
        )
        self.scanner.chmod(0o755)
        self.sha256 = hashlib.sha256(self.scanner.read_bytes()).hexdigest()

    def made(self, updated: datetime.datetime, *, version: int = 2, content: str = "x") -> None:
        """A database of that age."""
        (self.folder / "trivy.db").write_text(content)
        said = {"Version": version, "UpdatedAt": updated.isoformat()}
        (self.folder / "metadata.json").write_text(json.dumps(said))

    def settings(self, more: str = "", *, timeout: int = 60) -> None:
        """The settings file, with `more` below it."""
        (self.folder / "scan.toml").write_text(
            f'[scanner]\nversion = "0.69.3"\npath = "{self.scanner}"\nsha256 = ["{self.sha256}"]\n'
            f'timeout-seconds = {timeout}\n[cosign]\nversion = "3.1.3"\n'
            f'[database]\nfolder = "."\nmax-age-days = 3\n[signature]\nrequired = false\n{more}'
        )

    def scan(self, what: Path | None = None, *more: str) -> int:
        """The exit code of `garrison scan`."""
        return main([str(what or self.image.path), "--settings", str(self.folder / "scan.toml"), *more])

    @property
    def calls(self) -> Sequence[str]:
        """How the stand-in was called, since the last time it was asked."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines
