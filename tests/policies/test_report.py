"""What is printed: the fields of each format, and that a file cannot write to the reader's terminal."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from garrison.findings import printable
from garrison_policies.exceptions.file import PolicyException
from garrison_policies.language import own
from garrison_policies.language.evaluate import finding
from garrison_policies.language.objects import Object
from garrison_policies.report.sarif import as_sarif
from garrison_policies.report.table import Report, as_json, as_table, ordered

TODAY = datetime.date(2026, 6, 1)
WEB = Object(
    {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}, "a b.yaml"
)
OPEN = finding(own.CHANGED, WEB, "spec.replicas", "is 2")
COVERED = finding(own.EXTRA, WEB, "", "is extra")
ALLOWED = PolicyException(
    rule=own.EXTRA.id, kind="Deployment", namespace="shop", name="web", owner="ops", reason="soon", expires=TODAY
)


def report(**more: Any) -> Report:
    return Report(findings=(OPEN,), covered=((COVERED, ALLOWED),), objects=3, lines={WEB: 7}, today=TODAY, **more)


def test_json_has_the_fields_that_are_promised() -> None:
    assert json.loads(as_json(report())) == [
        {
            "rule": "estate-changed",
            "controls": ["garrison.estate"],
            "severity": "high",
            "file": "a b.yaml",
            "object": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"},
            "path": "spec.replicas",
            "message": "is 2",
            "remedy": own.CHANGED.remedy,
        }
    ]


def test_what_is_covered_is_shown_when_asked_for() -> None:
    rows = json.loads(as_json(report(show_covered=True)))
    assert rows[1]["exception"] == {"owner": "ops", "reason": "soon", "expires": "2026-06-01", "daysLeft": 0}
    assert "covered" not in as_table(report()).splitlines()[0]
    assert "ops, 0 days left: soon" in as_table(report(show_covered=True))


def test_table() -> None:
    assert as_table(report()).splitlines() == [
        "HIGH  estate-changed  Deployment shop/web  spec.replicas",
        f"      a b.yaml:7: is 2; {own.CHANGED.remedy}",
        "1 finding (1 high) in 3 objects, 1 covered by exceptions",
    ]


def test_sarif() -> None:
    run = json.loads(as_sarif(report(), own.RULES))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == ["estate-changed", "estate-extra"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "a%20b.yaml"}, "region": {"startLine": 7}}
    assert [bool(result.get("suppressions")) for result in run["results"]] == [False, True]
    prints = [result["partialFingerprints"]["garrison/v1"] for result in run["results"]]
    assert len(set(prints)) == 2


def test_the_worst_first_then_as_written() -> None:
    first, second = Object({}, "x"), Object({}, "x")
    low = finding(own.EXTRA, second, "", "b")
    high = finding(own.MISSING, second, "", "c")
    assert ordered([low, finding(own.EXTRA, first, "", "a"), high], {first: 1, second: 2}) == (
        high,
        finding(own.EXTRA, first, "", "a"),
        low,
    )


@pytest.mark.parametrize(
    ("text", "shown"), [("a\x1b[2Jb", "a\\x1b[2Jb"), ("a\nHIGH", "a\\nHIGH"), ("a\u202eb", "a\\u202eb"), ("ä b", "ä b")]
)
def test_names_cannot_move_the_cursor_or_forge_a_line(text: str, shown: str) -> None:
    assert printable(text) == shown
    item = Object({"kind": "Pod", "metadata": {"name": text}})
    bad = Report(findings=(finding(own.EXTRA, item, text, text),), today=TODAY)
    assert shown in as_table(bad)
    assert len(as_table(bad).splitlines()) == 3
