"""Two workers on one cluster: files that do not mind share it, any other has it alone. A lock sees to it, no clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster import company
from cluster.live import STATE
from harness import lock


@pytest.fixture(scope="module", autouse=True)
def cluster_at_hand(request: pytest.FixtureRequest) -> Iterator[None]:
    """The cluster for one file of tests."""
    file = request.path.name
    if file in company.OWN_CLUSTER:
        yield
        return
    with lock.held(STATE / "tests.lock", shared=company.shared(file)):
        yield
