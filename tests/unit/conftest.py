"""What the pure tests share: one small estate, and hypothesis without a database in the checkout."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.database import InMemoryExampleDatabase

from garrison import App, Graph
from unit.estates import shop_app

settings.register_profile("garrison", database=InMemoryExampleDatabase(), deadline=None, max_examples=40)
settings.load_profile("garrison")


@pytest.fixture
def app() -> App:
    return shop_app()


@pytest.fixture
def graph() -> Graph:
    return shop_app().graph()
