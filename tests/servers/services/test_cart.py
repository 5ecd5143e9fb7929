"""The laws of carts on a real Redis, started as the estate starts it: from its own image, with its settings."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from cart.resp import Failed, Redis, Unavailable
from cart.store import Store
from common.cart_pb2 import AddRequest, GetRequest, Line, Lines
from common.rpc import Remote
from garrison.declare.program import load
from harness import apt, assembly, paths, rootfs, shell
from harness.carts import running
from harness.ports import free_port
from servers.proxies import eventually, wait_for
from unit.services.keeping import Laws, cart

__all__ = ["cart"]
(REDIS,) = [one for one in load(paths.REPO / "stacks/estate.py").graph().services if one.name == "redis"]


@dataclass
class Server:
    """Redis in a folder, which may be started again."""

    folder: Path
    port: int
    before: tuple[str, ...] = ()  # words of the loader
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        base = assembly.base("redis").root
        loader = [*rootfs.loader(base), *self.before, str(base / "usr/local/bin/redis-server")]
        ((_, settings),) = REDIS.container.files
        ((data, _),) = REDIS.container.volumes
        moved = settings.replace(f"port {REDIS.port}", f"port {self.port}").replace(f"dir {data}", f"dir {self.folder}")
        assert moved.count(str(self.port)) == moved.count(str(self.folder)) == 1
        (self.folder / "redis.conf").write_text(moved)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*loader, str(self.folder / "redis.conf")], stdout=log, stderr=log, env={})
        wait_for(self.port, self.process, self.folder / "log")
        eventually(self._has_read, "it has read what it kept")

    def _has_read(self) -> bool:
        with kept(self) as store, suppress(Failed):
            return store.ready()
        return False

    def kill(self) -> None:
        """As a node that loses its power does."""
        assert self.process
        self.process.kill()
        self.process.wait(10)


@contextmanager
def kept(server: Server) -> Iterator[Store]:
    made = Store(Redis("127.0.0.1", server.port), days=1)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("redis"), free_port())
    server.start()
    yield server
    server.kill()


@pytest.fixture
def store(redis: Server) -> Iterator[Store]:
    with kept(redis) as made:
        yield made


class TestRedis(Laws):
    pass


def test_many_at_once_lose_nothing(store: Store, cart: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: store.add(cart, "nails", 1), range(200)))
    assert store.lines(cart) == [("nails", 200)]


def test_a_cart_that_nobody_uses_ends(store: Store, redis: Server, cart: str) -> None:
    asking = Redis("127.0.0.1", redis.port)
    store.add(cart, "nails", 1)
    store.take(cart, "o-1")
    store.clear(cart, "o-1")
    keys = asking.do("KEYS", f"cart:{cart}*")
    assert isinstance(keys, list)
    assert len(keys) == 2, "the emptied cart is gone"
    for key in keys:
        assert isinstance(key, bytes)
        left = asking.do("TTL", key.decode())
        assert isinstance(left, int)
        assert 86_000 < left <= 86_400
    asking.close()


def test_after_a_crash_carts_and_orders_are_there(redis: Server, store: Store, cart: str) -> None:
    """What is acknowledged is in the kernel before; the kernel outlives the process."""
    with running(store) as address:
        remote = Remote(address)
        remote.call("/shop.Cart/Add", AddRequest(cart=cart, line=Line(item="nails", quantity=2)), Lines)
        assert remote.call("/shop.Cart/Get", GetRequest(cart=cart, order="o"), Lines).lines
        redis.kill()
        with pytest.raises(Unavailable):
            store.ready()
        redis.start()
        assert store.ready(), "a connection of before is not used again"
        for order in ("", "o"):
            (line,) = remote.call("/shop.Cart/Get", GetRequest(cart=cart, order=order), Lines).lines
            assert (line.item, line.quantity) == ("nails", 2)
        remote.close()


SLOW = """
#include <unistd.h>
int fdatasync(int file) { (void)file; usleep(500000); return 0; }
"""


@pytest.fixture
def on_a_slow_disk(tmp_path: Path) -> Iterator[Server]:
    apt.need("gcc", "gcc", "libc6-dev")
    source, library = tmp_path / "slow.c", tmp_path / "slow.so"
    source.write_text(SLOW)
    shell.run(["gcc", "-shared", "-fPIC", "-o", library, source], what="compiling a slow disk")
    server = Server(tmp_path, free_port(), ("--preload", str(library)))
    server.start()
    yield server
    server.kill()


def test_a_crash_while_a_sync_takes_its_time_loses_nothing(on_a_slow_disk: Server, cart: str) -> None:
    """Redis that syncs in the background answers before it writes, as long as the sync before goes on."""
    put = ["anvil", "hammer", "nails"]
    with kept(on_a_slow_disk) as before:
        for item in put:
            before.add(cart, item, 1)
    on_a_slow_disk.kill()
    on_a_slow_disk.start()
    with kept(on_a_slow_disk) as after:
        assert after.lines(cart) == [(item, 1) for item in put]


def test_what_redis_refuses_is_its_own_word(redis: Server) -> None:
    asking = Redis("127.0.0.1", redis.port)
    with pytest.raises(Failed, match="unknown command"):
        asking.do("NOTHING")
    assert asking.do("PING") == b"PONG"
    assert asking.do("GET", "no-such-key") is None
    asking.close()
