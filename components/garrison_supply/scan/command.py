"""The command `garrison scan`: 0 clean, 1 findings at or above the thresholds, 2 could not be scanned."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from garrison.findings import Severity
from garrison.report import FORMATS, show
from garrison_supply.scan import binary, database, sbom, signature, target, verdict
from garrison_supply.scan.binary import Binary
from garrison_supply.scan.model import Finding, Kind
from garrison_supply.scan.report import Report
from garrison_supply.scan.settings import FILE, Settings, load
from garrison_supply.scan.target import Target
from garrison_supply.scan.trivy import Trivy

DESCRIPTION = "Scan images, folders or a whole stack: 0 clean, 1 findings at or above the thresholds, 2 not scanned."


def main(arguments: Sequence[str]) -> int:
    """Scan what is named and print one verdict."""
    return _scan(parser().parse_args(arguments), os.environ)


def parser() -> argparse.ArgumentParser:
    """Its options."""
    made = argparse.ArgumentParser(prog="garrison scan", description=DESCRIPTION)
    made.add_argument("what", type=Path, help="an OCI image (folder or tar), a folder, or a stack's images.lock")
    made.add_argument("--settings", type=Path, default=FILE, help="thresholds, tools, ignores (default: %(default)s)")
    made.add_argument("--images", type=Path, help="where the archives of an images.lock lie")
    made.add_argument("--database", type=Path, help="a folder with trivy.db, instead of the one in the settings")
    made.add_argument("--signatures", type=Path, help="where signatures lie, instead of the folder in the settings")
    made.add_argument("--key", type=Path, action="append", help="a public key, instead of the ones in the settings")
    made.add_argument("--sbom", type=Path, help="write each image's bill of materials there, CycloneDX and SPDX")
    made.add_argument("--format", choices=FORMATS, default="table", help="default: %(default)s")
    return made


def _scan(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    now = datetime.datetime.now(datetime.UTC)
    settings = _with(options, load(options.settings, today=now.date()))
    trivy = binary.verified(settings.trivy, environ)
    scanner = Trivy(trivy, database.prepare(settings.database, trivy, environ, now=now), settings)
    cosign = binary.verified(settings.cosign, environ) if settings.signatures.required else None
    targets = target.resolve(options.what, options.images)
    scanner.prove()
    reports = [_one(scanner, each, options.sbom) for each in targets]
    findings = [finding for report in reports for finding in report.findings]
    if cosign is not None:
        findings += [found for each in targets if each.digest for found in _unsigned(cosign, each, settings)]
    judged = verdict.judge(
        findings,
        settings,
        targets={each.name: report.packages for each, report in zip(targets, reports, strict=True)},
        today=now.date(),
    )
    show(verdict.report(judged, str(options.settings), today=now.date()), options.format)
    for ignore in judged.unused:
        print(f"garrison: unused ignore {ignore}: nothing it covers was found; remove it", file=sys.stderr)
    return 0 if judged.clean else 1


def _with(options: argparse.Namespace, settings: Settings) -> Settings:
    """The settings with what the command line says instead; it can name other places, never weaker limits."""
    base, signatures = settings.database, settings.signatures
    if options.database:
        base = replace(base, folder=options.database, repository="")
    if options.signatures:
        signatures = replace(signatures, folder=options.signatures)
    if options.key:
        signatures = replace(signatures, keys=tuple(options.key))
    return replace(settings, database=base, signatures=signatures)


def _one(scanner: Trivy, each: Target, bills: Path | None) -> Report:
    if not each.digest:
        return scanner.folder(each.path.resolve(), each.name)
    with target.layout(each) as layout:
        report = scanner.image(layout, each.name)
        if bills is not None:
            sbom.write(scanner, layout, each, bills)
    return report


def _unsigned(cosign: Binary, each: Target, settings: Settings) -> Iterator[Finding]:
    wanted = settings.signatures
    why = signature.problem(cosign, each.image, keys=wanted.keys, folder=wanted.folder)
    if why:
        yield Finding(
            file=each.name,
            kind=Kind.SIGNATURE,
            rule="unsigned",
            path=each.image,
            severity=Severity.CRITICAL,
            message=why,
            remedy="sign what was built and reviewed (docs/scanning.md)",
        )
