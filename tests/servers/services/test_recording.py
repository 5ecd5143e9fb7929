"""The laws of orders, claims and goods on a real PostgreSQL, and what only a database is held to: rights, leases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from catalog.store import Catalogue
from claims.store import Register, reserve
from common.pool import Connection
from common.problem import Problem
from harness.postgres import Server
from orders.store import Orderbook
from servers.services.databases import Database
from unit.services.recording import WANTED, ClaimsLaws, GoodsLaws, OrdersLaws, decided


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("leases")


@pytest.fixture(scope="module")
def orderbook(server: Server, folder: Path) -> Database:
    return Database.make(server, "orderbook", folder)


@pytest.fixture(scope="module")
def register(server: Server, folder: Path) -> Database:
    return Database.make(server, "register", folder)


@pytest.fixture(scope="module")
def catalogue(server: Server, folder: Path) -> Database:
    return Database.make(server, "catalogue", folder, role="reader")


@pytest.fixture
def orders(orderbook: Database) -> Iterator[Orderbook]:
    with closing(Orderbook(orderbook.lease_file)) as store:
        yield store


@pytest.fixture
def claims(register: Database) -> Iterator[Register]:
    with closing(Register(register.lease_file)) as store:
        yield store


@pytest.fixture
def goods(catalogue: Database) -> Iterator[Catalogue]:
    with closing(Catalogue(catalogue.lease_file)) as store:
        yield store


class TestOrders(OrdersLaws):
    pass


class TestClaims(ClaimsLaws):
    pass


class TestGoods(GoodsLaws):
    pass


def test_what_is_withdrawn_is_sold_no_more(goods: Catalogue, catalogue: Database) -> None:
    assert goods.item("tongs")
    with catalogue.admin() as admin:
        admin.execute("UPDATE catalogue.item SET withdrawn = now() WHERE id = 'tongs'")
        assert (goods.item("tongs"), "tongs" in {item.id for item in goods.items(100)}) == (None, False)
        admin.execute("UPDATE catalogue.item SET withdrawn = NULL")


REFUSED = {
    "orderbook_writer": (
        "UPDATE orderbook.placed SET customer = 'eve'",
        "DELETE FROM orderbook.placed",
        "UPDATE orderbook.request SET decision = '{}'",
        "TRUNCATE orderbook.line",
    ),
    "orderbook_reader": ("SELECT FROM orderbook.request", "INSERT INTO orderbook.request VALUES ('k', 'f', '{}')"),
    "register_writer": ("UPDATE register.reserved SET amount = 1", "DELETE FROM register.settled"),
    "register_reader": ("SELECT FROM register.request", "DELETE FROM register.reserved"),
    "catalogue_reader": (
        "INSERT INTO catalogue.item VALUES ('a', 'b', 1, 'EUR')",
        "DELETE FROM catalogue.item",
    ),
    "catalogue_writer": ("SELECT FROM catalogue.item",),
}
GRANTED = {
    "orderbook_writer": "INSERT INTO orderbook.request VALUES ('granted', 'f', '{}')",
    "orderbook_reader": "SELECT FROM orderbook.placed, orderbook.line",
    "register_writer": "DELETE FROM register.reserved WHERE key = 'none'",
    "register_reader": "SELECT FROM register.settled, register.reserved",
    "catalogue_reader": "SELECT FROM catalogue.item",
}


@pytest.mark.parametrize("role", REFUSED)
def test_a_role_may_do_what_its_service_needs_and_no_more(role: str, request: pytest.FixtureRequest) -> None:
    database: Database = request.getfixturevalue(role.partition("_")[0])
    for statement in (GRANTED[role],) if role in GRANTED else ():
        with database.admin() as admin:
            admin.execute(f"SET ROLE {role}")
            admin.execute(statement)
    for statement in REFUSED[role]:
        with database.admin() as admin, pytest.raises(psycopg.errors.InsufficientPrivilege):
            admin.execute(f"SET ROLE {role}")
            admin.execute(statement)


def test_the_stores_follow_their_leases(orders: Orderbook, orderbook: Database) -> None:
    old = orderbook.lease()
    assert orders.begin("before", WANTED, decided()) == decided()
    new = orderbook.lease()
    orderbook.revoke(old)
    assert orders.begun("before", WANTED) == decided()
    orderbook.revoke(new)
    with pytest.raises(Problem, match="the orderbook is not available"):
        orders.ready()
    orderbook.lease()
    orders.ready()


def test_claims_on_one_cover_wait_for_each_other(claims: Register, register: Database) -> None:
    first, second = (ClaimsLaws().claim(3000, "one-cover") for _ in range(2))
    for case in (first, second):
        claims.begin(*case)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as threads:

        def spoken_for(connection: Connection) -> Future[None]:
            reserve(connection, *first)
            other = threads.submit(claims.reserve, *second)
            while not other.done() and register.rows(waiting) == [(0,)]:
                pass
            return other

        other = claims.pool.run(spoken_for)
        with pytest.raises(Problem, match="beyond the limit"):
            other.result()
