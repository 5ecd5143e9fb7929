"""What several tests on real servers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from servers.proxies import Bench, stand


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Two sidecars, one for each module of tests."""
    with stand(tmp_path_factory.mktemp("mesh")) as made:
        yield made
