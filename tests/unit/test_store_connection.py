"""One login for many things at a store: when it is used, when another is made, what happens where it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import hvac
import pytest
from hvac.exceptions import VaultDown

from garrison.deployment.vault import connection
from garrison.deployment.vault.connection import IDLE_SECONDS, KEPT_SECONDS, Kept, StoreConnection, shared


@dataclass
class Store:
    """Counts logins."""

    now: float = 0.0
    logins: int = 0
    open: list[int] = field(default_factory=list)

    @contextmanager
    def client(self, _: StoreConnection) -> Iterator[int]:
        self.logins += 1
        mine = self.logins
        self.open.append(mine)
        yield mine
        self.open.remove(mine)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store()
    monkeypatch.setattr(connection, "client", made.client)
    return made


def login(client: hvac.Client) -> object:
    return client


def test_many_things_are_done_with_one_login_which_is_gone_afterwards(store: Store) -> None:
    kept = Kept(StoreConnection(), clock=lambda: store.now)
    assert [kept.do(login) for _ in range(5)] == [1] * 5
    assert store.open == [1]
    kept.close()
    assert store.open == []


def test_an_old_login_is_not_used(store: Store) -> None:
    kept = Kept(StoreConnection(), clock=lambda: store.now)
    kept.do(login)
    store.now = KEPT_SECONDS
    assert kept.do(login) == 1
    store.now += 1
    assert kept.do(login) == 2
    assert store.open == [2]


def test_what_fails_is_done_with_a_login_of_its_own_and_then_with_a_new_one(store: Store) -> None:
    kept = Kept(StoreConnection(), clock=lambda: store.now)
    seen = list[object]()

    def fails_at_first(client: hvac.Client) -> object:
        seen.append(client)
        if len(seen) == 1:
            raise VaultDown("gone")
        return client

    assert kept.do(fails_at_first) == 2
    assert seen == [1, 2]
    assert store.open == []
    assert kept.do(login) == 3


def test_an_error_of_the_thing_itself_goes_through_and_the_login_stays(store: Store) -> None:
    kept = Kept(StoreConnection(), clock=lambda: store.now)
    with pytest.raises(ZeroDivisionError):
        kept.do(lambda _: 1 / 0)
    assert kept.do(login) == 1


class Alarm:
    """A timer that goes off when the test says so."""

    set: ClassVar[list[Alarm]] = []

    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        self.seconds, self.act, self.daemon = seconds, act, False
        self.set.append(self)

    def start(self) -> None:
        assert self.daemon, "nobody waits for it"

    def cancel(self) -> None:
        self.set.remove(self)


@pytest.fixture
def alarms(monkeypatch: pytest.MonkeyPatch) -> list[Alarm]:
    monkeypatch.setattr(Alarm, "set", [])
    monkeypatch.setattr(threading, "Timer", Alarm)
    return Alarm.set


def test_a_shared_login_is_given_back_after_the_last_thing(
    store: Store, alarms: list[Alarm], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_SHARED", {})
    assert [shared(StoreConnection()).do(login) for _ in range(3)] == [1, 1, 1]
    assert shared(StoreConnection(service="users")).do(login) == 2, "of another server"
    assert [alarm.seconds for alarm in alarms] == [IDLE_SECONDS, IDLE_SECONDS], "each set anew with each thing"
    alarms[0].act()
    assert store.open == [2]
    assert shared(StoreConnection()).do(login) == 3


def test_without_a_login_there_is_nothing_to_give_back(store: Store, alarms: list[Alarm]) -> None:
    def fails_at_first(client: hvac.Client) -> object:
        if store.logins == 1:
            raise VaultDown("gone")
        return client

    Kept(StoreConnection(), idle=1.0).do(fails_at_first)
    assert (store.open, alarms) == ([], [])
