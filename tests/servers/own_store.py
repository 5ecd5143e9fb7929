"""Somebody else's store for one test module: a real OpenBao with other mounts, a namespace and a prefix.

With GARRISON_VAULT it is that HashiCorp Vault, without a namespace.

Its administrator does what `garrison store policies --cluster` says, with the real command line. What is played is the
API server that vouches for accounts.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hvac

from garrison.cluster import Store
from garrison.deployment.platform.store_config import BREAK_GLASS
from garrison.deployment.store_command import set_up
from garrison.deployment.vault import StoreConnection
from servers import hashicorp
from servers.bao import Bao, serving
from servers.reviewing import Reviewer, reviewing
from unit.authority import Authority

TENANT = "" if hashicorp.PROGRAM else "team-a"  # namespaces are of Vault's enterprise edition
SETTINGS: dict[str, Any] = {
    "storeRanges": ["10.1.2.3/32"],
    "storeKv": "kv-shop",
    "storeDatabase": "pg-shop",
    "storeAuth": "k8s/prod",
    "storePrefix": "prod/",
    **({"storeNamespace": TENANT} if TENANT else {}),
}


@dataclass(frozen=True)
class Place:
    bao: Bao
    reviewer: Reviewer

    @property
    def store(self) -> Store:
        return self.of("prod")

    def of(self, prefix: str, **more: Any) -> Store:
        """As the cluster of that prefix describes it."""
        layout = {"kv": "kv-shop", "database": "pg-shop", "auth": "k8s/prod", "tenant": TENANT}
        ca = Path(self.bao.ca_file).read_text()
        return Store(address=self.bao.address, ca=ca, ranges=("10.1.2.3/32",), prefix=prefix, **{**layout, **more})

    def where(self, prefix: str = "prod") -> StoreConnection:
        return StoreConnection.at(self.of(prefix), None, self.bao.ca_file)

    @property
    def keeper(self) -> hvac.Client:
        """The administrator, in the namespace."""
        token = self.bao.user(BREAK_GLASS).token
        return hvac.Client(url=self.bao.address, verify=self.bao.ca_file, token=token, namespace=TENANT or None)

    @property
    def settings(self) -> dict[str, Any]:
        return {**SETTINGS, "storeAddress": self.bao.address, "storeCa": self.bao.ca_file}


@contextmanager
def standing(folder: Path) -> Iterator[Place]:
    """The store with all that its administrator makes once, and the policy and login of two clusters."""
    root = Authority.fresh("somebody else's root")
    (folder / "bao").mkdir()
    store = hashicorp.serving if hashicorp.PROGRAM else serving
    with reviewing(folder / "api", root) as reviewer, store(folder / "bao", root=root) as bao:
        place = Place(bao, reviewer)
        if TENANT:
            bao.user(BREAK_GLASS).write_data(f"sys/namespaces/{TENANT}", data={})
        keeper = place.keeper
        keeper.write_data("sys/mounts/kv-shop", data={"type": "kv", "options": {"version": "2"}})
        keeper.write_data("sys/mounts/pg-shop", data={"type": "database"})
        keeper.write_data("sys/auth/k8s/prod", data={"type": "kubernetes"})
        keeper.write_data("auth/k8s/prod/config", data=reviewer.config)
        for prefix in ("prod", "stage"):
            administer(place, set_up(place.of(prefix)))
        yield place


def administer(place: Place, script: str) -> None:
    """What the administrator types, in a shell."""
    known = {"ADDR": place.bao.address, "CACERT": place.bao.ca_file, "TOKEN": place.keeper.token}
    program = Path(place.bao.program)
    script = re.sub(r"^bao\b", program.name, script, flags=re.MULTILINE)  # as its first line says
    env = {f"{program.name.upper()}_{name}": value for name, value in known.items()}
    env["PATH"] = f"{program.parent}:{os.environ['PATH']}"
    done = subprocess.run(["sh", "-e"], input=script, text=True, env={**os.environ, **env}, capture_output=True)
    assert done.returncode == 0, done.stderr


def described(place: Place, folder: Path, **more: Any) -> Path:
    """A stack's file."""
    settings = {"installCertManager": False, "installTrustManager": False, "issuer": "corporate"}
    settings |= {"installOpenbao": False, **place.settings, **more}
    file = folder / "Pulumi.x.yaml"
    file.write_text(json.dumps({"config": {f"garrison:{key}": value for key, value in settings.items()}}))
    return file
