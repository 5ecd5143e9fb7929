"""From findings to one verdict: thresholds, then ignores."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from garrison import findings
from garrison.findings import Severity, ordered
from garrison.report import Report
from garrison_supply.scan.ignores import Ignore
from garrison_supply.scan.model import Finding
from garrison_supply.scan.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was scanned and what came of it. Expired ignores fail even where they would cover nothing."""

    targets: Mapping[str, int]  # and how many packages were looked at in each
    failing: tuple[Finding, ...]
    below: tuple[Finding, ...]
    ignored: tuple[tuple[Finding, Ignore], ...]
    expired: tuple[Ignore, ...]
    unused: tuple[Ignore, ...]

    @property
    def clean(self) -> bool:
        """Nothing at or above a threshold, save what is ignored with an owner, a reason and days left."""
        return not self.failing and not self.expired


def judge(found: Iterable[Finding], settings: Settings, *, targets: Mapping[str, int], today: datetime.date) -> Verdict:
    """The verdict on what was found in `targets`, in each of which so many packages were looked at."""
    valid = [ignore for ignore in settings.ignores if not ignore.expired(today)]
    failing, below, ignored = [], [], []
    for finding in ordered(found):
        cover = next((ignore for ignore in valid if ignore.covers(finding)), None)
        if cover is not None:
            ignored.append((finding, cover))
        elif finding.severity >= settings.thresholds[finding.kind]:
            failing.append(finding)
        else:
            below.append(finding)
    used = {ignore for _, ignore in ignored}
    return Verdict(
        targets=targets,
        failing=tuple(failing),
        below=tuple(below),
        ignored=tuple(ignored),
        expired=tuple(ignore for ignore in settings.ignores if ignore.expired(today)),
        unused=tuple(ignore for ignore in valid if ignore not in used),
    )


def report(verdict: Verdict, settings: str, *, today: datetime.date) -> Report:
    """The verdict for whoever asked: what fails, and what is ignored, with whom to ask. settings: where ignores are."""
    counts = (
        f"{len(verdict.failing)} failing, {len(verdict.below)} below the thresholds, {len(verdict.ignored)} ignored"
    )
    scanned = f"{len(verdict.targets)} scanned, {sum(verdict.targets.values())} packages"
    fields = {
        "clean": verdict.clean,
        "targets": dict(verdict.targets),
        "failing": [_row(finding) for finding in verdict.failing],
        "below": [_row(finding) for finding in verdict.below],
        "ignored": [
            {**_row(finding), "owner": ignore.owner, "reason": ignore.reason} for finding, ignore in verdict.ignored
        ],
        "expired": [str(ignore) for ignore in verdict.expired],
        "unused": [str(ignore) for ignore in verdict.unused],
    }
    return Report(
        name="scan",
        findings=ordered([*verdict.failing, *(_expired(ignore, settings) for ignore in verdict.expired)]),
        covered=verdict.ignored,
        summary=f"{'clean' if verdict.clean else 'not clean'}: {counts}; {scanned}",
        today=today,
        fields=fields,
    )


def _expired(ignore: Ignore, settings: str) -> findings.Finding:
    return findings.Finding(
        rule="ignore-expired",
        severity=Severity.HIGH,  # what it covered is open again, and somebody believes it is covered
        file=settings,
        path=f"{ignore.id} in {ignore.where}",
        message=f"the ignore expired on {ignore.expires}; its owner is {ignore.owner}",
        remedy="mend what it hides and remove it, or have its owner renew it with a reason",
    )


def _row(finding: Finding) -> dict[str, str]:
    """A finding of a scan as JSON has it."""
    return {
        "target": finding.file,
        "kind": finding.kind,
        "id": finding.rule,
        "where": finding.path,
        "severity": str(finding.severity),
        "title": finding.message,
        "installed": finding.installed,
        "fixed": finding.fixed,
    }
