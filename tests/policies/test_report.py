"""What is printed: the fields of each format, and that a file cannot write to the reader's terminal."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest

from garrison.findings import Finding, Severity, ordered, printable, tally
from garrison.report import Report, show
from garrison_policies.exceptions.file import PolicyException
from garrison_policies.language import own
from garrison_policies.language.evaluate import finding
from garrison_policies.language.objects import Object

TODAY = datetime.date(2026, 6, 1)
WEB = Object(
    {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}, "a b.yaml", 7
)
OPEN = finding(own.CHANGED, WEB, "spec.replicas", "is 2")
COVERED = finding(own.EXTRA, WEB, "", "is extra")
ALLOWED = PolicyException(
    rule=own.EXTRA.id, kind="Deployment", namespace="shop", name="web", owner="ops", reason="soon", expires=TODAY
)


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def out(form: str, **other: Any) -> str:
        fields = {"name": "check", "findings": [OPEN], "covered": [(COVERED, ALLOWED)], "summary": "1 finding"}
        show(Report(**{**fields, "today": TODAY, "show_covered": False, **other}), form, rules=own.RULES)
        said = capsys.readouterr()
        assert ("1 finding" in said.err) is (form != "table"), "a program reads nothing but the report"
        return said.out

    return out


def test_json_says_what_it_is_and_has_the_fields_that_are_promised(shown: Callable[..., str]) -> None:
    assert json.loads(shown("json")) == {
        "report": "check",
        "findings": [
            {
                "rule": "estate-changed",
                "controls": ["garrison.estate"],
                "severity": "high",
                "file": "a b.yaml",
                "line": 7,
                "object": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"},
                "path": "spec.replicas",
                "message": "is 2",
                "remedy": own.CHANGED.remedy,
            }
        ],
    }


def test_what_is_covered_is_shown_when_asked_for(shown: Callable[..., str]) -> None:
    rows = json.loads(shown("json", show_covered=True))["findings"]
    assert rows[1]["exception"] == {"owner": "ops", "reason": "soon", "expires": "2026-06-01", "daysLeft": 0}
    assert "covered" not in shown("table")
    assert "ops, 0 days left: soon" in shown("table", show_covered=True)


def test_table(shown: Callable[..., str]) -> None:
    assert shown("table").splitlines() == [
        "HIGH  estate-changed  Deployment shop/web  spec.replicas",
        f"      a b.yaml:7: is 2; {own.CHANGED.remedy}",
        "1 finding",
    ]


def test_a_column_that_is_empty_is_left_out(shown: Callable[..., str]) -> None:
    plain = Finding(rule="r", severity=Severity.LOW, file="f", message="m", remedy="d")
    assert shown("table", findings=[plain]).splitlines() == ["LOW  r", "     f: m; d", "1 finding"]
    lines = shown("table", findings=[plain, OPEN]).splitlines()
    assert lines[0] == "LOW   r               -"
    assert lines[2] == "HIGH  estate-changed  Deployment shop/web  spec.replicas"


def test_sarif(shown: Callable[..., str]) -> None:
    run = json.loads(shown("sarif"))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == ["estate-changed", "estate-extra"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "a%20b.yaml"}, "region": {"startLine": 7}}
    assert [bool(result.get("suppressions")) for result in run["results"]] == [False, True]
    prints = [result["partialFingerprints"]["garrison/v1"] for result in run["results"]]
    assert len(set(prints)) == 2


def test_sarif_of_a_rule_that_only_a_scanner_knows_has_the_weight_of_its_worst(shown: Callable[..., str]) -> None:
    found = [
        Finding(rule="CVE-1", severity=level, file=str(level), message=f"is {level}", remedy="take 2")
        for level in (Severity.LOW, Severity.CRITICAL)
    ]
    run = json.loads(shown("sarif", findings=found, covered=[]))["runs"][0]
    assert [result["level"] for result in run["results"]] == ["note", "error"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert (rule["shortDescription"]["text"], rule["help"]["text"]) == ("is critical", "take 2.")
    assert rule["properties"]["security-severity"] == "9.5"
    assert "logicalLocations" not in run["results"][0]["locations"][0], "SARIF has no empty name"


def test_the_worst_first_then_as_written() -> None:
    first, second = Object({}, "x", 1), Object({}, "x", 2)
    low = finding(own.EXTRA, second, "", "b")
    high = finding(own.MISSING, second, "", "c")
    assert ordered([low, finding(own.EXTRA, first, "", "a"), high]) == (high, finding(own.EXTRA, first, "", "a"), low)


def test_a_tally_names_the_weights_that_there_are() -> None:
    assert tally([]) == "0 findings"
    assert tally([OPEN, OPEN, COVERED]) == "3 findings (3 high)"
    assert tally([finding(own.MISSING, WEB, "", ""), OPEN]) == "2 findings (1 critical, 1 high)"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [("a\x1b[2Jb", "a\\x1b[2Jb"), ("a\nHIGH", "a\\nHIGH"), ("a\u202eb", "a\\u202eb"), ("ä b", "ä b")],
)
def test_names_cannot_move_the_cursor_or_forge_a_line(text: str, escaped: str, shown: Callable[..., str]) -> None:
    assert printable(text) == escaped
    item = Object({"kind": "Pod", "metadata": {"name": text}})
    table = shown("table", findings=[finding(own.EXTRA, item, text, text)])
    assert escaped in table
    assert len(table.splitlines()) == 3
