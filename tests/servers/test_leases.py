"""A lease that is over is out, whatever its holder granted, owned or left open: real leases of a real OpenBao.

Each test is an attack on the end of a lease. Its control is in `revoke`: before the end the holder was inside.
"""

# ruff: noqa: F811 the fixtures imported here are arguments below
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import hvac
import psycopg
import pytest
from hvac.exceptions import VaultError
from psycopg.errors import InsufficientPrivilege

from garrison.derive.secrets import StoreObject
from servers.test_database import Server, programs, ready, server, wait  # noqa: F401
from servers.test_vault import LEASES, _login, bao, breaker, ledger  # noqa: F401

Session = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Holder:
    """Who holds a lease, and does with it what it likes."""

    server: Server
    id: str
    user: str
    password: str

    def session(self) -> Session:
        return self.server.connect(self.user, password=self.password)

    def is_in(self) -> bool:
        try:
            self.session().close()
        except psycopg.OperationalError:
            return False
        return True


Take = Callable[[], Holder]


@pytest.fixture
def lease(breaker: hvac.Client, ledger: list[StoreObject], server: Server) -> Take:
    def take() -> Holder:
        answer: Any = breaker.read(LEASES)
        return Holder(server, answer["lease_id"], answer["data"]["username"], answer["data"]["password"])

    return take


def revoke(store: hvac.Client, holder: Holder) -> None:
    """End a lease as the store does; the holder was inside before and is outside afterwards."""
    assert holder.is_in(), "the control"
    store.write_data("sys/leases/revoke", data={"lease_id": holder.id, "sync": True})
    assert not holder.is_in()


@contextmanager
def superuser(server: Server) -> Iterator[Session]:
    with psycopg.connect(host=str(server.folder), port=server.port, user="postgres", dbname="ledger") as db:
        yield db


def known(server: Server, holder: Holder) -> bool:
    with superuser(server) as db:
        return db.execute("select from pg_roles where rolname = %s", [holder.user]).fetchone() is not None


def test_sessions_end_with_the_lease(breaker: hvac.Client, lease: Take, server: Server) -> None:
    one = lease()
    idle, busy = one.session(), one.session()
    busy.execute("begin")
    revoke(breaker, one)
    for session in (idle, busy):
        with pytest.raises(psycopg.OperationalError):
            session.execute("select 1")
    assert not known(server, one)


def test_a_lock_on_its_own_role_does_not_hold_the_end_up(breaker: hvac.Client, lease: Take) -> None:
    """`ALTER ROLE` of the store waited for the holder's open transaction, for ever."""
    one = lease()
    session = one.session()
    session.execute("begin")
    session.execute(f"alter role \"{one.user}\" password 'mine'")
    revoke(breaker, one)


def test_what_it_granted_by_default_does_not_hold_the_end_up(
    breaker: hvac.Client,
    lease: Take,
    server: Server,
) -> None:
    one, two = lease(), lease()
    with one.session() as session:
        session.execute("alter default privileges grant select on tables to public")
        session.execute(f'alter default privileges grant all on sequences to "{two.user}"')
        session.execute(f'alter default privileges for role ledger_writer grant all on tables to "{one.user}"')
    for holder in (two, one):
        revoke(breaker, holder)
        assert not known(server, holder)


def test_another_lease_that_holds_a_lock_does_not_keep_it_in(breaker: hvac.Client, lease: Take) -> None:
    """The name may stay until the lock is gone; nobody gets in with it, and the revocation ends."""
    one, two = lease(), lease()
    session = two.session()
    session.execute("begin")
    session.execute(f'alter default privileges for role ledger_writer grant all on tables to "{one.user}"')
    revoke(breaker, one)
    session.execute("rollback")
    assert two.is_in()


def test_who_reconnects_all_the_time_is_out(breaker: hvac.Client, lease: Take) -> None:
    one, over = lease(), Event()
    kept: list[Session] = []

    def again() -> None:
        while not over.is_set():
            try:
                kept.append(one.session())
                kept[-1].execute("begin")
                kept[-1].execute(f"alter role \"{one.user}\" password 'mine'")
            except psycopg.Error:
                continue

    other = Thread(target=again)
    other.start()
    wait(lambda: kept)
    breaker.write_data("sys/leases/revoke", data={"lease_id": one.id, "sync": True})
    over.set()
    other.join()
    for session in kept:
        with pytest.raises(psycopg.Error):
            session.execute("select 1")
    assert not one.is_in()


def test_what_was_taken_away_stays_away_when_the_rest_fails(
    breaker: hvac.Client,
    lease: Take,
    server: Server,
) -> None:
    """Revocation is committed step by step: its second half fails here, and the holder is out all the same."""
    one = lease()
    assert one.is_in()
    with superuser(server) as db:
        db.execute(f'alter role "{one.user}" connection limit 5')  # not committed: the row is locked
        with pytest.raises(VaultError, match="lock timeout"):
            breaker.write_data("sys/leases/revoke", data={"lease_id": one.id, "sync": True})
        assert not one.is_in()
        db.rollback()
    breaker.write_data("sys/leases/revoke", data={"lease_id": one.id, "sync": True})
    assert not known(server, one)


def test_a_role_that_is_gone_already_is_no_error(breaker: hvac.Client, lease: Take, server: Server) -> None:
    one = lease()
    with superuser(server) as db:
        db.execute(f'drop role "{one.user}"')
    breaker.write_data("sys/leases/revoke", data={"lease_id": one.id, "sync": True})


def test_one_lease_cannot_take_every_connection(breaker: hvac.Client, lease: Take) -> None:
    """Else the store could not enter to end it."""
    one = lease()
    sessions: list[Session] = []
    with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
        while len(sessions) < 100:
            sessions.append(one.session())
    assert sessions
    sessions.pop().close()
    revoke(breaker, one)


def test_a_lease_passes_nothing_on(lease: Take) -> None:
    one, two = lease(), lease()
    with one.session() as session:
        session.execute("select 1")
        for attack in (
            f'grant "{one.user}" to "{two.user}"',
            f'grant ledger_writer to "{two.user}" with admin option',
            "select lo_create(0)",
            "select lo_from_bytea(0, 'x')",
            "create table garrison.t (x int)",
            "create temp table t (x int)",
            "select garrison.lease('mine', 'pw', 'infinity', 'writer')",
            "alter role ledger_writer login",
            f"alter role \"{one.user}\" valid until 'infinity'",
            f'alter role "{one.user}" connection limit 99',
        ):
            with pytest.raises(InsufficientPrivilege):
                session.execute(attack)
        with pytest.raises(psycopg.Error, match="prepared transactions are disabled"):
            session.execute("begin; prepare transaction 'left open'")


def test_an_expired_lease_is_put_out_without_the_store(
    programs: Any,
    lease: Take,
    server: Server,
) -> None:
    """The store may be down when a lease ends: the database itself closes what is open."""
    one, two = lease(), lease()
    first, second = one.session(), two.session()
    with superuser(server) as db:
        db.execute(f"alter role \"{one.user}\" valid until '2020-01-01'")
    assert ready(programs, server.folder, server.port)
    with pytest.raises(psycopg.OperationalError):
        first.execute("select 1")
    assert second.execute("select 1").fetchone() == (1,)
    assert not one.is_in()


def test_the_store_itself_can_only_make_and_end_leases(server: Server) -> None:
    with server.store() as store:
        store.execute("select garrison.lease('bounded', 'pw', 'infinity', 'reader')")
        row = store.execute(
            "select rolvaliduntil < now() + interval '62 minutes' from pg_roles where rolname = 'bounded'"
        )
        assert row.fetchone() == (True,), "no lease is longer than declared, whoever asks"
        for attack in (
            "create role other login",
            "grant ledger_owner to openbao",
            "grant pg_execute_server_program to openbao",
            "alter role ledger_owner login password 'x'",
            "set role ledger_owner",
            "drop role ledger_reader",
        ):
            with pytest.raises(InsufficientPrivilege):
                store.execute(attack)
        for standing in ("postgres", "openbao", "ledger_owner", "ledger_reader", "ledger_writer"):
            for end in ("shut", "finish"):
                with pytest.raises(psycopg.Error, match="is not a lease"):
                    store.execute(f"select garrison.{end}(%s)", [standing])
        for role in ("owner", "x", None):
            with pytest.raises(psycopg.Error, match="there are no leases of role"):
                store.execute("select garrison.lease('other', 'pw', 'infinity', %s)", [role])
        store.execute("select garrison.shut('bounded')")
        store.execute("select garrison.finish('bounded')")
