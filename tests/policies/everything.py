"""All objects that any test of the rules shows, for tests that want every reading of a rule to say the same of each."""

from __future__ import annotations

import functools

from garrison_policies.language.objects import Object
from garrison_policies.rules import RULES
from policies import field_cases, pairs, shared, trivy
from policies.fixtures import objects, pod_security


@functools.cache
def everything() -> tuple[Object, ...]:
    """Examples of the rules, pairs, public fixtures, and what a workspace adds."""
    own = (item for rule in RULES for text in (rule.good, rule.bad) for item in objects(text, rule.id))
    public = (item for example in trivy.examples() for item in example.found)
    reported = (item for case in field_cases.CASES if case.readable for item in objects(case.text, case.id))
    return (*own, *pairs.shown(), *reported, *public, *(case.pod for case in pod_security()), *shared.everything())
