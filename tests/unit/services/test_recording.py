"""The keepers in memory, which every test without a database stands on, keep the laws of those that have one."""

from __future__ import annotations

import pytest

from harness import books
from unit.services.recording import ClaimsLaws, GoodsLaws, OrdersLaws


@pytest.fixture
def orders() -> books.Orders:
    return books.Orders()


@pytest.fixture
def claims() -> books.Claims:
    return books.Claims()


@pytest.fixture
def goods() -> books.Goods:
    return books.Goods.sown()


class TestOrders(OrdersLaws):
    pass


class TestClaims(ClaimsLaws):
    pass


class TestGoods(GoodsLaws):
    pass
