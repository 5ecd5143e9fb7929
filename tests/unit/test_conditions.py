"""A condition means the same to everybody who evaluates it: the service's CEL, Envoy's own, and a reading by hand."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import cel
import pytest
from cel_expr_python import cel as cpp
from hypothesis import given, settings
from hypothesis import strategies as st

from common import decision
from garrison.derive import tokens
from garrison.model import conditions
from unit.conditions import OPERATION, Request, condition, holds, request

VARIABLES = ("claim", "path", "query", "data", "caller")
ENVIRONMENT = cpp.NewEnv(variables=dict.fromkeys(VARIABLES, cpp.Type.DYN))


def known(asked: Request) -> dict[str, Any]:
    """As the service has it."""
    return {
        "claim": decision.numbers(asked.claims),
        "path": decision.path_values(str(OPERATION), asked.path),
        "query": decision.query_values(asked.query),
        "data": decision.numbers(asked.data),
        "caller": "",
    }


def in_service(text: str, asked: Request) -> bool:
    return decision.holds(cel.compile(text), known(asked))


def in_cpp(text: str, asked: Request) -> bool:
    """cel-cpp, which is in Envoy."""
    result = ENVIRONMENT.compile(text).eval(data=known(asked))
    return result.type() == cpp.Type.BOOL and result.value() is True


@pytest.mark.parametrize("evaluated", [in_service, in_cpp])
@settings(max_examples=400)
@given(pick=st.randoms(use_true_random=False))
def test_the_text_means_what_the_condition_says(evaluated: Callable[[str, Request], bool], pick: random.Random) -> None:
    meant = request(pick)
    where = condition(pick, meant)
    text = tokens.text(where)
    for asked in (meant, *(request(pick) for _ in range(3))):
        assert evaluated(text, asked) == holds(where, asked), (conditions.words(where), text, asked)


def test_what_is_drawn_holds_and_fails_often_enough_to_tell() -> None:
    pick = random.Random(9)
    meant = [request(pick) for _ in range(500)]
    outcomes = [holds(condition(pick, one), one) for one in meant]
    assert 0.3 < sum(outcomes) / len(outcomes) < 0.9
