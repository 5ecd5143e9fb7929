"""Label selectors as Kubernetes reads them, and the indexes that answer like the plain comparison."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrison_policies.language import selectors
from garrison_policies.language.selectors import Labelled, Selectors, selects

KEYS, VALUES, PLACES = st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from(("shop", "bank"))
LABELS = st.dictionaries(KEYS, VALUES)
EXPRESSIONS = st.fixed_dictionaries(
    {"key": KEYS, "operator": st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist"))},
    optional={"values": st.lists(VALUES, min_size=1)},
)
SELECTORS = st.fixed_dictionaries(
    {}, optional={"matchLabels": LABELS, "matchExpressions": st.lists(EXPRESSIONS, max_size=2)}
)


def expression(operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": "app", "operator": operator, **({"values": [*values]} if values else {})}]}


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        ({}, {}, True),
        ({"matchLabels": {"app": "web", "tier": "front"}}, {"app": "web", "tier": "front", "x": "y"}, True),
        ({"matchLabels": {"app": "web", "tier": "front"}}, {"app": "web"}, False),
        (expression("In", "web", "api"), {"app": "api"}, True),
        (expression("In", "web", "api"), {}, False),
        (expression("NotIn", "web"), {"app": "api"}, True),
        (expression("NotIn", "web"), {}, True),
        (expression("NotIn", "web"), {"app": "web"}, False),
        (expression("Exists"), {"app": ""}, True),
        (expression("Exists"), {}, False),
        (expression("DoesNotExist"), {}, True),
        (expression("DoesNotExist"), {"app": "web"}, False),
        (expression("Like", "w*"), {"app": "web"}, False),
    ],
)
def test_a_selector_is_read_as_kubernetes_reads_it(selector: Any, labels: Any, expected: bool) -> None:
    assert selects(selector, labels) is expected


@given(st.lists(st.tuples(PLACES, LABELS)), PLACES, SELECTORS)
def test_looking_up_by_selector_is_comparing_with_each(items: Any, place: str, selector: Any) -> None:
    index = Labelled((where, labels, number) for number, (where, labels) in enumerate(items))
    plain = [n for n, (where, labels) in enumerate(items) if where == place and selects(selector, labels)]
    assert list(index.matching(place, selector)) == plain


@given(st.lists(st.tuples(PLACES, SELECTORS)), PLACES, LABELS)
def test_looking_up_by_labels_is_comparing_with_each(items: Any, place: str, labels: Any) -> None:
    index = Selectors((where, selector, number) for number, (where, selector) in enumerate(items))
    plain = [n for n, (where, selector) in enumerate(items) if where == place and selects(selector, labels)]
    assert sorted(index.matching(place, labels)) == plain


@pytest.mark.parametrize("count", [200, 2000])
def test_the_work_grows_with_the_objects_and_not_with_their_square(count: int, monkeypatch: Any) -> None:
    """Comparisons are counted, not seconds. All share one label, as a team's do, and each has one of its own."""
    tried: list[Any] = []

    def counted(selector: Any, labels: Any) -> bool:
        tried.append(selector)
        return selects(selector, labels)

    monkeypatch.setattr(selectors, "selects", counted)
    own = [{"team": "shop", "app": f"app-{n}"} for n in range(count)]
    pods = Labelled(("shop", labels, n) for n, labels in enumerate(own))
    policies = Selectors(("shop", {"matchLabels": labels}, n) for n, labels in enumerate(own))
    for number, labels in enumerate(own):
        assert list(pods.matching("shop", {"matchLabels": labels})) == [number]
        assert list(policies.matching("shop", labels)) == [number]
    assert len(tried) <= 4 * count
