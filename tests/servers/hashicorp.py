"""A real HashiCorp Vault on loopback, set up as somebody else's: by hand, with none of what OpenBao does by itself.

Its size keeps it out of the toolchain. Who has the program names it in GARRISON_VAULT, and the tests of a store of
one's own are then about it; docs/secret-store.md says which version was tried.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hvac
import requests

from garrison.deployment.platform.store_config import BREAK_GLASS, BREAK_GLASS_POLICY
from harness.ports import free_port
from servers.bao import PASSWORD, Bao
from unit.authority import Authority

PROGRAM = os.environ.get("GARRISON_VAULT", "")


class Vault(Bao):
    """Answers before it is initialised; what it logs of requests goes where OpenBao's does."""

    @property
    def program(self) -> str:
        return PROGRAM

    def _active(self) -> bool:
        try:
            requests.get(f"{self.address}/v1/sys/health", verify=self.ca_file, timeout=5)
        except requests.RequestException:
            return False
        return True


@contextmanager
def serving(folder: Path, root: Authority) -> Iterator[Vault]:
    """A server with an administrator who logs in by password; killed at the end."""
    vault = Vault(folder, free_port(), root)
    root.issue(folder / "tls", dns=("localhost",), ip=vault.host)
    (folder / "data").mkdir()
    tcp = {"address": f"{vault.host}:{vault.port}", "cluster_address": f"127.0.0.1:{free_port()}"}
    tcp |= {"tls_cert_file": str(folder / "tls" / "tls.crt"), "tls_key_file": str(folder / "tls" / "tls.key")}
    config = {
        "disable_mlock": True,
        "log_format": "json",
        "api_addr": vault.address,
        "cluster_addr": "https://localhost:1",
        "storage": {"raft": {"path": str(folder / "data"), "node_id": "vault-0"}},
        "listener": [{"tcp": tcp}],
    }
    (folder / "server.json").write_text(json.dumps(config))
    try:
        vault.start()
        _set_up(vault)
        yield vault
    finally:
        vault.stop()


def _set_up(vault: Vault) -> None:
    keeper = hvac.Client(url=vault.address, verify=vault.ca_file)
    made: Any = keeper.write_data("sys/init", data={"secret_shares": 1, "secret_threshold": 1})
    keeper.token = made["root_token"]
    keeper.write_data("sys/unseal", data={"key": made["keys"][0]})
    vault.until(super(Vault, vault)._active)
    keeper.write_data("sys/audit/stdout", data={"type": "file", "options": {"file_path": "stdout"}})
    keeper.write_data("sys/auth/userpass", data={"type": "userpass"})
    keeper.write_data(f"sys/policies/acl/{BREAK_GLASS}", data={"policy": BREAK_GLASS_POLICY})
    user = {"password": PASSWORD, "token_policies": [BREAK_GLASS]}
    keeper.write_data(f"auth/userpass/users/{BREAK_GLASS}", data=user)
