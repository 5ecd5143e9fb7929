"""Trivy's JSON report, believed only when it is whole and of the schema this was written for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from garrison.findings import Severity, ordered
from garrison_supply.scan.model import Finding, Kind, ScanError

SCHEMA = 2
CLASSES = {"os-pkgs", "lang-pkgs", "config", "secret", "license", "license-file"}
Entry = Mapping[str, Any]
Reader = Callable[[Entry, Entry], dict[str, Any]]  # one entry and the result it stands in -> the fields of a Finding
IN_FILES = {"lang-pkgs", "config", "secret"}  # classes whose target is a file: a lock, a Dockerfile, a key


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
    found = {*_findings(whole, target, unknown), *_end_of_life(whole, target), *_root(whole, target)}
    return Report(findings=ordered(sorted(found, key=lambda one: (one.kind, one.path))), packages=packages)


def _saw_an_image(whole: Entry, results: Sequence[Entry], packages: int, target: str) -> None:
    """No findings among no packages is not clean: the package database of the image may be missing or unread."""
    system = whole["Metadata"].get("OS")
    if system and not any(result["Class"] == "os-pkgs" and result.get("Packages") for result in results):
        name = f"{system['Family']} {system.get('Name', '')}".strip()
        raise ScanError(f"{target}: an image of {name} without one package: nothing can be said; keep dpkg's status")
    if not packages:
        raise ScanError(f"{target}: no package was recognised, so none was judged; keep package metadata in the image")


def _findings(whole: Entry, target: str, unknown: Severity) -> Iterator[Finding]:
    in_folder = whole["ArtifactType"] == "filesystem"
    for result in whole.get("Results") or ():
        inside = result["Target"] if in_folder and result["Class"] in IN_FILES else ""
        for key, (kind, reader) in _READERS.items():
            for entry in result.get(key) or ():
                if entry.get("Status") == "PASS":
                    continue
                word = entry.get("Severity") or "UNKNOWN"
                severity = unknown if word == "UNKNOWN" else Severity[word]
                line = int(entry.get("StartLine") or 0) if inside else 0
                fields = reader(entry, result)
                yield Finding(file=target, inside=inside, line=line, kind=kind, severity=severity, **fields)


def _end_of_life(whole: Entry, target: str) -> Iterator[Finding]:
    """A system nobody writes advisories for has no known vulnerabilities; that is not good news."""
    system = whole.get("Metadata", {}).get("OS") or {}
    if system.get("EOSL"):
        yield Finding(
            file=target,
            kind=Kind.VULNERABILITY,
            rule="end-of-life",
            path=f"{system['Family']} {system['Name']}",
            severity=Severity.HIGH,
            message="the system gets no security updates any more",
            remedy="build on a release that gets them",
        )


def _root(whole: Entry, target: str) -> Iterator[Finding]:
    """Trivy judges the user by the build history, and is silent about an image without one (CIS Docker 4.1)."""
    if whole["ArtifactType"] != "container_image":
        return
    user = str((whole["Metadata"]["ImageConfig"].get("config") or {}).get("User", "")).partition(":")[0]
    if user in ("", "root") or (user.isdigit() and int(user) == 0):
        yield Finding(
            file=target,
            kind=Kind.MISCONFIGURATION,
            rule="root-user",
            path="User",
            severity=Severity.HIGH,
            message="the image runs as root",
            remedy="set its user to a number above 0",
        )


def _vulnerability(entry: Entry, _result: Entry) -> dict[str, Any]:
    installed, fixed = entry["InstalledVersion"], entry.get("FixedVersion", "")
    remedy = f"by {fixed}" if fixed else "by something else, or accept it for a time: there is no fix yet"
    return {
        "rule": entry["VulnerabilityID"],
        "path": entry["PkgName"],
        "installed": installed,
        "fixed": fixed,
        "message": entry.get("Title") or "a known vulnerability",
        "remedy": f"replace {installed} {remedy}",
    }


def _secret(entry: Entry, result: Entry) -> dict[str, Any]:
    # Never the match itself: a report is no place for a secret, not even for its masked form.
    return {
        "rule": entry["RuleID"],
        "path": f"{result['Target']}:{entry['StartLine']}",
        "message": entry["Title"],
        "remedy": "revoke it, then take it out",
    }


def _misconfiguration(entry: Entry, result: Entry) -> dict[str, Any]:
    remedy = (entry.get("Resolution") or "mend it as the check's page says").rstrip(".")
    return {"rule": entry["ID"], "path": result["Target"], "message": entry["Title"], "remedy": remedy}


def _licence(entry: Entry, result: Entry) -> dict[str, Any]:
    where = entry.get("PkgName") or entry.get("FilePath") or result["Target"]
    category = f"licence category {entry['Category']}"
    return {"rule": entry["Name"], "path": where, "message": category, "remedy": "do without it, or have it accepted"}


_READERS: Mapping[str, tuple[Kind, Reader]] = {
    "Vulnerabilities": (Kind.VULNERABILITY, _vulnerability),
    "Secrets": (Kind.SECRET, _secret),
    "Misconfigurations": (Kind.MISCONFIGURATION, _misconfiguration),
    "Licenses": (Kind.LICENCE, _licence),
}
