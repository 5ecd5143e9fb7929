"""From findings to one verdict: thresholds, then ignores; said as text for people and as JSON for machines."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields

from garrison.findings import printable
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


def judge(
    findings: Iterable[Finding], settings: Settings, *, targets: Mapping[str, int], today: datetime.date
) -> Verdict:
    """The verdict on `findings` from `targets`, in each of which so many packages were looked at."""
    valid = [ignore for ignore in settings.ignores if not ignore.expired(today)]
    failing, below, ignored = [], [], []
    for finding in sorted(findings):
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


def text(verdict: Verdict) -> str:
    """The verdict for people: what fails first, the rest as counts."""
    return "".join(f"{printable(line)}\n" for line in _lines(verdict))


def _lines(verdict: Verdict) -> Iterator[str]:
    for finding in verdict.failing:
        versions = f" {finding.installed} -> {finding.fixed or 'no fix yet'}" if finding.installed else ""
        place = f"{finding.target}: {finding.where}{versions}"
        yield f"{str(finding.severity).upper():8} {finding.kind:16} {finding.id}  {place}  {finding.title}".rstrip()
    for ignore in verdict.expired:
        yield f"EXPIRED  ignore           {ignore}: renew it with a reason, or mend what it hides"
    for finding, ignore in verdict.ignored:
        place = f"{finding.target}: {finding.where}"
        yield f"ignored  {finding.kind:16} {finding.id}  {place}  {ignore.reason} ({ignore.owner})"
    for ignore in verdict.unused:
        yield f"unused   ignore           {ignore}: nothing it covers was found; remove it"
    counts = (
        f"{len(verdict.failing)} failing, {len(verdict.below)} below the thresholds, {len(verdict.ignored)} ignored"
    )
    scanned = f"{len(verdict.targets)} scanned, {sum(verdict.targets.values())} packages"
    yield f"{'clean' if verdict.clean else 'not clean'}: {counts}; {scanned}"


def as_json(verdict: Verdict) -> str:
    """The verdict for machines; every finding with its severity in words."""

    def row(finding: Finding) -> dict[str, str]:
        return {field.name: str(getattr(finding, field.name)) for field in fields(finding)}

    said = {
        "clean": verdict.clean,
        "targets": dict(verdict.targets),
        "failing": [row(finding) for finding in verdict.failing],
        "below": [row(finding) for finding in verdict.below],
        "ignored": [
            {**row(finding), "owner": ignore.owner, "reason": ignore.reason} for finding, ignore in verdict.ignored
        ],
        "expired": [str(ignore) for ignore in verdict.expired],
        "unused": [str(ignore) for ignore in verdict.unused],
    }
    return json.dumps(said, indent=2) + "\n"
