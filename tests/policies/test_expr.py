"""The predicates one by one, where Python and CEL could part: absent fields, types, the end of a text, odd keys."""

from __future__ import annotations

from typing import Any

import cel
import pytest

from garrison_policies.language.expr import (
    Between,
    Entries,
    Every,
    Is,
    Matches,
    Not,
    OnlyKeys,
    Predicate,
    Present,
    Some,
    Whole,
)

KEY = ("metadata", "labels", "example.org/team")
LABELLED = {"metadata": {"labels": {"example.org/team": "shop"}}}


@pytest.mark.parametrize(
    ("test", "it", "holds"),
    [
        (Present("a.b"), {"a": {"b": 0}}, True),
        (Present("a.b"), {"a": {}}, False),
        (Present("a.b"), {}, False),
        (Present(KEY), LABELLED, True),
        (Present(KEY), {"metadata": {"labels": {"team": "shop"}}}, False),
        (Is("a", (0,)), {"a": 0}, True),
        (Is("a", (0,)), {"a": False}, False),
        (Is("a", (False,)), {"a": 0}, False),
        (Is("a", (False,)), {"a": "false"}, False),
        (Is("a", (1, 2)), {"a": 2}, True),
        (Is("a", (1,)), {}, False),
        (Is("a", (1,), absent=True), {}, True),
        (Is("a.b.c", (1,), absent=True), {"a": {"b": {}}}, True),
        (Is(KEY, ("shop",)), LABELLED, True),
        (Not(Is("a", (1,))), {}, True),
        (Matches("a", "^x$"), {"a": "x"}, True),
        (Matches("a", "^x$"), {"a": "x\n"}, False),
        (Matches("a", "(x|y)$|z"), {"a": "x\n"}, False),
        (Matches("a", r"x\$$"), {"a": "x$"}, True),
        (Matches("a", "(?i)^all$"), {"a": "All"}, True),
        (Matches("a", "1"), {"a": 1}, False),
        (Matches("a", '"'), {"a": 'say "x"'}, True),
        (Between("a", 1, 3), {"a": 3}, True),
        (Between("a", 1, 3), {"a": 4}, False),
        (Between("a", 1, 3), {"a": "2"}, False),
        (Between("a", 0, 3), {"a": False}, False),
        (Every("a", Is("b", (1,))), {"a": [{"b": 1}, {"b": 2}]}, False),
        (Every("a", Is("b", (1,))), {"a": []}, True),
        (Every("a", Is("b", (1,))), {}, True),
        (Some("a", Is("", ("x",))), {"a": ["y", "x"]}, True),
        (Some("a", Is("", ("x",))), {}, False),
        (Some("a", Every("b", Is("", (1,)))), {"a": [{"b": [2]}, {"b": [1]}]}, True),
        (Entries("a", "^k", Is("", (1,))), {"a": {"k1": 1, "x": 2}}, True),
        (Entries("a", "^k", Is("", (1,))), {"a": {"k1": 1, "k2": 2}}, False),
        (Entries("a", "^k"), {"a": {"k1": 1}}, False),
        (Entries("a", "^k"), {}, True),
        (OnlyKeys("a", ("x", "y")), {"a": {"x": 1}}, True),
        (OnlyKeys("a", ("x", "y")), {"a": {"x": 1, "z": 1}}, False),
        (OnlyKeys("a", ("x",)), {}, True),
        (Some("a", Whole(Is("b", (1,)))), {"a": [{}], "b": 1}, True),
        (Some("a", Whole(Is("b", (1,)))), {"a": [{"b": 1}]}, False),
    ],
)
def test_a_predicate_has_one_meaning(test: Predicate, it: dict[str, Any], holds: bool) -> None:
    assert test.holds(it, it) is holds
    assert cel.compile(test.cel("object", "object")).execute({"object": it}) is holds
