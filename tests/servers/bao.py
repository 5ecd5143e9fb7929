"""A real OpenBao server on loopback, with the very configuration the platform gives it, for one test module.

The server initialises and unseals itself, as on a cluster. What differs is who may enter: a test has no API server to
vouch for it, so a user with the policy of `garrison-admin`, and one with that of break-glass, log in by password.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hvac
import requests

from garrison.deployment.platform.store_config import (
    ADMIN,
    BREAK_GLASS,
    Files,
    Request,
    initial_requests,
    server_config,
)
from garrison.deployment.vault import StoreConnection
from harness import build
from harness.ports import free_port
from unit.authority import Authority

Json = dict[str, Any]
PASSWORD = secrets.token_urlsafe()


@dataclass
class Bao:
    folder: Path
    port: int
    root: Authority
    host: str = "127.0.0.1"
    within: tuple[str, ...] = ()
    """A command that runs the server, where it is to see another machine than this one."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def ca_file(self) -> str:
        return str(self.folder / "tls" / "ca.pem")

    @property
    def address(self) -> str:
        return f"https://{'localhost' if self.host == '127.0.0.1' else self.host}:{self.port}"

    @property
    def program(self) -> str:
        return str(build.binary("bao"))

    @property
    def where(self) -> StoreConnection:
        return StoreConnection(address=self.address, ca_file=self.ca_file)

    def start(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            command = [*self.within, self.program, "server", f"-config={self.folder / 'server.json'}"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self.until(self._active)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what the running server will come to; its log says why it did not."""
        deadline = time.monotonic() + 60
        while not holds():
            assert self.process and self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)

    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def user(self, name: str) -> hvac.Client:
        client = hvac.Client(url=self.address, verify=self.ca_file)
        client.auth.userpass.login(name, PASSWORD)
        return client

    def _active(self) -> bool:
        try:
            answer = requests.get(f"{self.address}/v1/sys/health", verify=self.ca_file, timeout=5)
        except requests.RequestException:
            return False
        return answer.status_code == 200


Config = Callable[..., dict[str, Any]]


@contextmanager
def serving(
    folder: Path,
    config: Config = server_config,
    requests: Callable[[Json], tuple[Request, ...]] | None = None,
    names: tuple[str, ...] = (ADMIN, BREAK_GLASS),
    reviewer: Json | None = None,
    root: Authority | None = None,
    host: str = "127.0.0.1",
    within: tuple[str, ...] = (),
    key: bytes | None = None,
) -> Iterator[Bao]:
    """A server that has initialised itself; killed at the end. `names` log in by password, with the policy so named."""
    bao = Bao(folder, free_port(), root or Authority.fresh(), host=host, within=within)
    bao.root.issue(folder / "tls", dns=("localhost", "users.users.svc"), ip=host)
    (folder / "data").mkdir()
    (folder / "key").write_bytes(key or os.urandom(32))
    first = (requests or secrets_requests)(reviewer or _nobody(bao))
    (folder / "server.json").write_text(json.dumps(config(**_places(bao), requests=(*first, *_users(names)))))
    try:
        bao.start()
        yield bao
    finally:
        bao.stop()


def secrets_requests(reviewer: Json) -> tuple[Request, ...]:
    return Request("users", "sys/auth/userpass", {"type": "userpass"}), *initial_requests("1h", reviewer)


def _nobody(bao: Bao) -> Json:
    """No API server vouches for anybody."""
    ca = (bao.folder / "tls" / "ca.pem").read_text()
    return {"kubernetes_host": "https://localhost:1", "disable_local_ca_jwt": True, "kubernetes_ca_cert": ca}


def _users(names: tuple[str, ...]) -> Iterator[Request]:
    for name in names:
        body = {"password": PASSWORD, "token_policies": [name]}
        yield Request(f"user-{name}", f"auth/userpass/users/{name}", body)


def _places(bao: Bao) -> Json:
    folder = bao.folder
    return {
        "files": Files(str(folder / "data"), str(folder / "tls"), str(folder / "key")),
        "address": f"{bao.host}:{bao.port}",
        "cluster_address": f"127.0.0.1:{free_port()}",
        "public_host": "localhost",
        "reload_every": "5s",
    }
