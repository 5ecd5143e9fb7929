"""No two declared things meet under one name in the secret store, whatever they are called."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrison.cluster import Layout
from garrison.deployment.platform.store_config import ADMIN, BREAK_GLASS
from garrison.derive.secrets import lease_role
from garrison.model.graph import Use
from garrison.words import Ref

LABELS = st.from_regex(r"[ab]([-ab]{0,4}[ab])?", fullmatch=True)
REFS = st.builds(Ref, LABELS, LABELS)
ROLES = st.sampled_from(("reader", "writer"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Ref("a", "b-c"), Ref("a-b", "c")),
        (Ref("shop", "eu-cart"), Ref("shop-eu", "cart")),
    ],
)
def test_a_dash_is_no_border(one: Ref, other: Ref) -> None:
    assert Layout().of(one) != Layout().of(other)


@given(st.lists(REFS, min_size=2, unique=True))
def test_two_services_have_two_names(refs: list[Ref]) -> None:
    assert all(Layout().of(one) != Layout().of(other) for one, other in combinations(refs, 2))


@given(st.lists(st.builds(Use, service=REFS, database=REFS, role=ROLES), min_size=2))
def test_two_roles_of_two_databases_have_two_names(uses: list[Use]) -> None:
    meant = {(use.database, use.role) for use in uses}
    assert len({lease_role(use) for use in uses}) == len(meant)


@pytest.mark.parametrize("taken", [ADMIN, BREAK_GLASS])
def test_no_service_takes_the_name_of_a_login_of_the_platform(taken: str) -> None:
    """`garrison/admin` was one once."""
    namespace, _, name = taken.partition("-")
    assert Layout().of(Ref(namespace, name)) != taken
