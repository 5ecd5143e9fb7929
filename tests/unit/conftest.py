"""What the pure tests share: one small estate."""

from __future__ import annotations

import pytest

from garrison import App, Graph
from unit.estates import shop_app


@pytest.fixture
def app() -> App:
    return shop_app()


@pytest.fixture
def graph() -> Graph:
    return shop_app().graph()
