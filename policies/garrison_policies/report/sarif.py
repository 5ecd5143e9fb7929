"""Findings as SARIF 2.1.0 (OASIS), which code-scanning services read: GitHub, GitLab, Azure DevOps and editors."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from typing import Any

from garrison.findings import Severity
from garrison.version import VERSION
from garrison_policies.language.rule import Finding, Rule
from garrison_policies.report.table import Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Severity.LOW: "note", Severity.MEDIUM: "warning", Severity.HIGH: "error", Severity.CRITICAL: "error"}
# GitHub sorts alerts by a number like CVSS's: the middle of each of its bands.
SCORES = {Severity.LOW: "2.0", Severity.MEDIUM: "5.5", Severity.HIGH: "8.0", Severity.CRITICAL: "9.5"}


def as_sarif(report: Report, rules: Iterable[Rule]) -> str:
    """One run. What an exception covers is in it as a suppressed result, which is what SARIF has for it."""
    known = {rule.id: rule for rule in rules}
    used = sorted({finding.rule for finding in (*report.findings, *(finding for finding, _ in report.covered))})
    results = [_result(report, finding, used) for finding in report.findings]
    for finding, exception in report.covered:
        suppression = {"kind": "external", "justification": f"{exception.owner}: {exception.reason}"}
        results.append({**_result(report, finding, used), "suppressions": [suppression]})
    driver = {"name": "garrison", "version": VERSION, "rules": [_rule(known[name]) for name in used]}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "help": {"text": f"{rule.remedy}. Sources: {', '.join(rule.references)}."},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {"security-severity": SCORES[rule.severity], "tags": ["security", *rule.controls]},
    }


def _result(report: Report, finding: Finding, used: list[str]) -> dict[str, Any]:
    item = str(finding.object or "").strip()
    same = json.dumps([finding.rule, finding.file, item, finding.path])
    return {
        "ruleId": finding.rule,
        "ruleIndex": used.index(finding.rule),
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.message}; {finding.remedy}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(finding.file)},
                    "region": {"startLine": report.line(finding)},
                },
                "logicalLocations": [
                    {"fullyQualifiedName": " ".join(filter(None, [item, finding.path])), "kind": "object"}
                ],
            }
        ],
        "partialFingerprints": {"garrison/v1": hashlib.sha256(same.encode()).hexdigest()},
    }


def _uri(file: str) -> str:
    from urllib.parse import quote  # here alone: the other formats start without it

    return quote(os.fsencode({"": "exceptions", "-": "stdin"}.get(file, file)))
