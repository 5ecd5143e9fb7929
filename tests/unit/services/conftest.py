"""What a service logs while a test runs."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from common.log import JsonLines, logger

Logged = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def logged() -> Iterator[Logged]:
    """Every line so far, read back."""
    stream, before = io.StringIO(), logger.level
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines("test"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)
    logger.setLevel(before)
