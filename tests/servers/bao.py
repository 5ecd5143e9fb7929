"""A real OpenBao server on loopback, with the very configuration the platform gives it, for one test module.

The server initialises and unseals itself, as on a cluster. What differs is who may enter: a test has no API server to
vouch for it, so a user with the policy of `garrison-admin`, and one with that of break-glass, log in by password.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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
from unit.authority import Authority

PASSWORD = secrets.token_urlsafe()


@dataclass
class Bao:
    folder: Path
    port: int
    root: Authority
    process: subprocess.Popen[bytes] | None = None

    @property
    def ca_file(self) -> str:
        return str(self.folder / "tls" / "ca.pem")

    @property
    def address(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def where(self) -> StoreConnection:
        return StoreConnection(address=self.address, ca_file=self.ca_file)

    def start(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            command = [str(build.binary("bao")), "server", f"-config={self.folder / 'server.json'}"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not self._active():
            assert self.process.poll() is None, self.log()
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


@contextmanager
def serving(folder: Path) -> Iterator[Bao]:
    """A server that has initialised itself; killed at the end."""
    bao = Bao(folder, free_port(), Authority.fresh())
    bao.root.issue(folder / "tls", dns="localhost")
    (folder / "data").mkdir()
    (folder / "key").write_bytes(os.urandom(32))
    (folder / "server.json").write_text(json.dumps(_config(bao)))
    try:
        bao.start()
        yield bao
    finally:
        bao.stop()


def _config(bao: Bao) -> dict[str, object]:
    folder = bao.folder
    reviewer = {"kubernetes_host": "https://localhost:1", "disable_local_ca_jwt": True}
    reviewer["kubernetes_ca_cert"] = (folder / "tls" / "ca.pem").read_text()
    users = [Request("users", "sys/auth/userpass", {"type": "userpass"})]
    for name in (ADMIN, BREAK_GLASS):
        body = {"password": PASSWORD, "token_policies": [name]}
        users.append(Request(f"user-{name}", f"auth/userpass/users/{name}", body))
    return server_config(
        files=Files(str(folder / "data"), str(folder / "tls"), str(folder / "key")),
        address=f"127.0.0.1:{bao.port}",
        cluster_address=f"127.0.0.1:{free_port()}",
        public_host="localhost",
        reload_every="5s",
        requests=(*initial_requests("1h", reviewer), *users),
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
