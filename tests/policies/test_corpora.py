"""The rules on public examples with known verdicts; where none can be had, pairs of our own stand for them."""

from __future__ import annotations

import pytest

from garrison_policies.rules import RULES
from policies.fixtures import findings, pod_security
from policies.pairs import PAIRS
from policies.trivy import CONTROLS, OTHERS, Example, examples

CASES = [pytest.param(example, id=example.id) for example in examples() if example.check not in OTHERS]
# What a level of Pod Security asks; Kubernetes' own fixtures are cases of these (test_podsecurity.py).
POD_SECURITY = "pss."


@pytest.mark.parametrize("example", CASES)
def test_the_verdict_is_the_public_one(example: Example) -> None:
    control = CONTROLS[example.check]
    assert any(control in one.controls for one in findings(RULES, example.found)) is example.fails


def test_every_check_of_the_module_is_ours_or_said_not_to_be() -> None:
    """Positive control: the module brings examples of both kinds, each with an object in it."""
    assert {example.check for example in examples()} == CONTROLS.keys() | OTHERS.keys()
    assert {example.fails for example in examples()} == {True, False}
    assert all(example.found for example in examples())


def test_every_control_has_a_case_that_needs_no_folder_beside_the_checkout() -> None:
    controls = {control for rule in RULES for control in rule.controls}
    shown = {control for control, *_ in PAIRS} | {CONTROLS[case.check] for case in examples() if case.check in CONTROLS}
    assert pod_security()
    assert {control for control in controls - shown if not control.startswith(POD_SECURITY)} == set()
