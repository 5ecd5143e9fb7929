"""Findings as SARIF 2.1.0 (OASIS), which code-scanning services read: GitHub, GitLab, Azure DevOps and editors."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from garrison.findings import Accepted, Finding, Severity, ordered
from garrison.version import VERSION

if TYPE_CHECKING:
    from garrison.report import Known

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Severity.LOW: "note", Severity.MEDIUM: "warning", Severity.HIGH: "error", Severity.CRITICAL: "error"}
# GitHub sorts alerts by a number like CVSS's: the middle of each of its bands.
SCORES = {Severity.LOW: "2.0", Severity.MEDIUM: "5.5", Severity.HIGH: "8.0", Severity.CRITICAL: "9.5"}


def as_sarif(
    findings: Iterable[Finding], covered: Iterable[tuple[Finding, Accepted]] = (), rules: Iterable[Known] = ()
) -> str:
    """One run. What somebody answers for is in it as a suppressed result, which is what SARIF has for it.

    A rule nobody knows here, such as a scanner's, is described by the worst of its findings.
    """
    given, accepted = list(findings), list(covered)
    first: dict[str, Finding] = {}
    for finding in ordered([*given, *(finding for finding, _ in accepted)]):
        first.setdefault(finding.rule, finding)
    used = {name: index for index, name in enumerate(sorted(first))}
    known = {rule.id: rule for rule in rules}
    results = [_result(finding, used) for finding in given]
    for finding, one in accepted:
        suppression = {"kind": "external", "justification": f"{one.owner}: {one.reason}"}
        results.append({**_result(finding, used), "suppressions": [suppression]})
    described = [_rule(first[name], known.get(name)) for name in used]
    driver = {"name": "garrison", "version": VERSION, "rules": described}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(worst: Finding, rule: Known | None) -> dict[str, Any]:
    severity = rule.severity if rule else worst.severity
    sources = f" Sources: {', '.join(rule.references)}." if rule and rule.references else ""
    return {
        "id": worst.rule,
        "shortDescription": {"text": rule.title if rule else worst.message},
        "help": {"text": f"{rule.remedy if rule else worst.remedy}.{sources}"},
        "defaultConfiguration": {"level": LEVELS[severity]},
        "properties": {"security-severity": SCORES[severity], "tags": ["security", *worst.controls]},
    }


def _result(finding: Finding, used: Mapping[str, int]) -> dict[str, Any]:
    same = json.dumps([finding.rule, finding.file, finding.subject, finding.path])
    place: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(finding.source)},
            "region": {"startLine": finding.line or 1},  # a service shows no result that has no line
        }
    }
    if name := " ".join(filter(None, [finding.subject, finding.path])):
        place["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "object"}]
    return {
        "ruleId": finding.rule,
        "ruleIndex": used[finding.rule],
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.message}; {finding.remedy}"},
        "locations": [place],
        "partialFingerprints": {"garrison/v1": hashlib.sha256(same.encode()).hexdigest()},
    }


def _uri(file: str) -> str:
    return quote(os.fsencode({"": "exceptions", "-": "stdin"}.get(file, file)))
