"""Every rule on its own examples: the good one passes, the bad one breaks this rule at the place it names."""

from __future__ import annotations

import pytest

from garrison_policies.language.rule import Rule
from garrison_policies.rules import RULES
from policies.fixtures import findings, objects

CASES = [pytest.param(rule, id=rule.id) for rule in RULES]


@pytest.mark.parametrize("rule", CASES)
def test_good_passes_and_bad_fails_where_the_rule_says(rule: Rule) -> None:
    good, bad = objects(rule.good), objects(rule.bad)
    assert good
    assert findings([rule], good) == []
    found = findings([rule], bad)
    assert {one.rule for one in found} == {rule.id}
    if rule.checks:
        ends = tuple(check.at or "]" for check in rule.checks)
        assert all(one.path.endswith(ends) for one in found), [one.path for one in found]


@pytest.mark.parametrize("rule", CASES)
def test_a_finding_is_complete(rule: Rule) -> None:
    (one, *_) = findings([rule], objects(rule.bad))
    assert one.object is not None
    assert one.message.startswith(f"required: {rule.title}") or rule.look
    assert one.remedy == rule.remedy
    assert rule.references
    assert rule.admission or rule.why_not_admission or rule.look, "say why the door stays open"


def test_ids_are_unique() -> None:
    ids = [rule.id for rule in RULES]
    assert len(ids) == len(set(ids))
