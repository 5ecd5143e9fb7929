"""Both readings of a check say the same: Python on files, CEL at admission, on every example and every fixture."""

from __future__ import annotations

import functools
from typing import Any

import cel
import pytest
from hypothesis import HealthCheck, given, settings

from garrison_policies.language.objects import Object
from garrison_policies.language.rule import Check, Rule
from garrison_policies.rules import RULES
from policies.anypod import pods
from policies.everything import everything

CHECKS = [pytest.param(check, id=f"{rule.id}-{number}") for rule in RULES for number, check in enumerate(rule.checks)]


def looked_at(check: Check) -> list[Object]:
    """The objects a policy with this check is for: of its kinds, and with a template where it looks at one."""
    return [
        item
        for item in everything()
        if item.known_as in check.subject.kinds and (item.template is not None or not check.subject.pod)
    ]


def python(check: Check, item: Object) -> bool:
    return all(check.require.holds(part, whole) for _, part, whole in check.subject.looks_at(item))


@functools.cache
def compiled(check: Check) -> cel.Program:
    return cel.compile(check.cel())


def context(item: Object) -> dict[str, Any]:
    return {"object": item.body, "variables": {"pod": item.template}}


@pytest.mark.parametrize("check", CHECKS)
def test_python_and_cel_agree(check: Check) -> None:
    program = compiled(check)
    wrong = [
        f"{item.file} {item}" for item in looked_at(check) if program.execute(context(item)) is not python(check, item)
    ]
    assert wrong == []


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.id) for rule in RULES if rule.checks])
def test_a_rule_is_seen_to_pass_and_to_fail(rule: Rule) -> None:
    """Else agreeing would say little."""
    assert {python(check, item) for check in rule.checks for item in looked_at(check)} == {True, False}


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(pod=pods())
def test_python_and_cel_agree_on_any_pod(pod: dict[str, Any]) -> None:
    item = Object(pod)
    wrong = [
        rule.id
        for rule in RULES
        for check in rule.checks
        if "Pod" in check.subject.kinds and compiled(check).execute(context(item)) is not python(check, item)
    ]
    assert wrong == []
