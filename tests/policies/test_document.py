"""docs/policies.md is what the rules say."""

from __future__ import annotations

from garrison_policies import document
from garrison_policies.rules import RULES
from harness.paths import REPO


def test_the_page_is_written_from_the_rules() -> None:
    """Renewed with `python -m garrison_policies.document > docs/policies.md`."""
    assert (REPO / "docs" / "policies.md").read_text() == document.page()


def test_every_rule_stands_in_one_family() -> None:
    listed = [rule.id for _, own in document.families() for rule in own]
    assert sorted(listed) == sorted(rule.id for rule in RULES)


def test_the_page_says_why_a_rule_is_not_at_admission() -> None:
    page = document.page()
    for rule in RULES:
        assert f"| `{rule.id}` |" in page
        if not rule.at_admission:
            text = page.split(f"<code>{rule.id}</code>")[1].split("</details>")[0]
            assert "Not at admission:" in text
