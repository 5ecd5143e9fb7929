"""Trivy's JSON report, believed only when it is whole and of the schema this was written for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from garrison_supply.scan.model import Finding, Kind, ScanError, Severity

SCHEMA = 2
CLASSES = {"os-pkgs", "lang-pkgs", "config", "secret", "license", "license-file"}
Entry = Mapping[str, Any]
Reader = Callable[[Entry, Entry], dict[str, str]]  # one entry and the result it stands in -> the fields of a Finding


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one run of Trivy found, and how many packages it looked at."""

    findings: tuple[Finding, ...]
    packages: int


def read(text: str, target: str, *, unknown: Severity) -> Report:
    """The findings of a report; a ScanError when it is not one, is cut off, or saw nothing.

    unknown: what a finding without a severity counts as.
    """
    try:
        whole = json.loads(text)
    except ValueError:
        what = "is cut off or no JSON" if text.strip() else "is empty"
        raise ScanError(f"{target}: Trivy's report {what}; scan again") from None
    if not isinstance(whole, dict) or whole.get("SchemaVersion") != SCHEMA:
        said = whole.get("SchemaVersion") if isinstance(whole, dict) else None
        raise ScanError(f"{target}: Trivy's report has schema {said}, known is {SCHEMA}; use the Trivy of scan.toml")
    try:
        return _checked(whole, target, unknown)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ScanError(f"{target}: Trivy's report is not of schema {SCHEMA}: {error!r}") from None


def _checked(whole: Entry, target: str, unknown: Severity) -> Report:
    results = whole.get("Results") or []
    if odd := [result["Class"] for result in results if result["Class"] not in CLASSES]:
        raise ValueError(f"result of class {odd[0]!r}")
    packages = sum(len(result.get("Packages") or ()) for result in results)
    if whole["ArtifactType"] == "container_image":
        _saw_an_image(whole, results, packages, target)
    elif not results:
        raise ScanError(f"{target}: Trivy recognised nothing in it; name a folder with packages or configuration")
    found = {*_findings(results, target, unknown), *_end_of_life(whole, target), *_root(whole, target)}
    return Report(findings=tuple(sorted(found)), packages=packages)


def _saw_an_image(whole: Entry, results: Sequence[Entry], packages: int, target: str) -> None:
    """No findings among no packages is not clean: the package database of the image may be missing or unread."""
    system = whole["Metadata"].get("OS")
    if system and not any(result["Class"] == "os-pkgs" and result.get("Packages") for result in results):
        name = f"{system['Family']} {system.get('Name', '')}".strip()
        raise ScanError(f"{target}: an image of {name} without one package: nothing can be said; keep dpkg's status")
    if not packages:
        raise ScanError(f"{target}: no package was recognised, so none was judged; keep package metadata in the image")


def _findings(results: Sequence[Entry], target: str, unknown: Severity) -> Iterator[Finding]:
    for result in results:
        for key, (kind, reader) in _READERS.items():
            for entry in result.get(key) or ():
                if entry.get("Status") == "PASS":
                    continue
                word = entry.get("Severity") or "UNKNOWN"
                severity = Severity[word] or unknown
                yield Finding(target=target, kind=kind, severity=severity, **reader(entry, result))


def _end_of_life(whole: Entry, target: str) -> Iterator[Finding]:
    """A system nobody writes advisories for has no known vulnerabilities; that is not good news."""
    system = whole.get("Metadata", {}).get("OS") or {}
    if system.get("EOSL"):
        where = f"{system['Family']} {system['Name']}"
        title = "the system gets no security updates any more"
        yield Finding(
            target=target, kind=Kind.VULNERABILITY, id="end-of-life", where=where, severity=Severity.HIGH, title=title
        )


def _root(whole: Entry, target: str) -> Iterator[Finding]:
    """Trivy judges the user by the build history, and is silent about an image without one (CIS Docker 4.1)."""
    if whole["ArtifactType"] != "container_image":
        return
    user = str((whole["Metadata"]["ImageConfig"].get("config") or {}).get("User", "")).partition(":")[0]
    if user in ("", "root") or (user.isdigit() and int(user) == 0):
        title = "the image runs as root; set its user to a number above 0"
        yield Finding(
            target=target, kind=Kind.MISCONFIGURATION, id="root-user", where="User", severity=Severity.HIGH, title=title
        )


def _vulnerability(entry: Entry, _result: Entry) -> dict[str, str]:
    return {
        "id": entry["VulnerabilityID"],
        "where": entry["PkgName"],
        "installed": entry["InstalledVersion"],
        "fixed": entry.get("FixedVersion", ""),
        "title": entry.get("Title", ""),
    }


def _secret(entry: Entry, result: Entry) -> dict[str, str]:
    # Never the match itself: a report is no place for a secret, not even for its masked form.
    return {"id": entry["RuleID"], "where": f"{result['Target']}:{entry['StartLine']}", "title": entry["Title"]}


def _misconfiguration(entry: Entry, result: Entry) -> dict[str, str]:
    return {"id": entry["ID"], "where": result["Target"], "title": entry["Title"]}


def _licence(entry: Entry, result: Entry) -> dict[str, str]:
    where = entry.get("PkgName") or entry.get("FilePath") or result["Target"]
    return {"id": entry["Name"], "where": where, "title": f"licence category {entry['Category']}"}


_READERS: Mapping[str, tuple[Kind, Reader]] = {
    "Vulnerabilities": (Kind.VULNERABILITY, _vulnerability),
    "Secrets": (Kind.SECRET, _secret),
    "Misconfigurations": (Kind.MISCONFIGURATION, _misconfiguration),
    "Licenses": (Kind.LICENCE, _licence),
}
