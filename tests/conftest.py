"""Order: what is quick and needs no cluster first, so that a mistake is known before the long part begins."""

from __future__ import annotations

from pathlib import Path

import pytest

RINGS = ("unit", "golden", "contract", "images", "engine", "plugin", "cluster")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    items.sort(key=lambda item: RINGS.index(item.path.relative_to(here).parts[0]))
