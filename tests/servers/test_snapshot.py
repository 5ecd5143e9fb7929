"""A snapshot of the store, as docs/upgrade.md takes one, comes back in an empty server that has the same unseal key."""

from __future__ import annotations

import subprocess
from pathlib import Path

import hvac
import pytest
import requests

from garrison.deployment.platform.store_config import BREAK_GLASS
from harness import build
from servers.bao import Bao, serving
from servers.proxies import eventually

PATH = "psp/api-key"
SEALED = 503


def raft(bao: Bao, *words: str) -> None:
    env = {"BAO_ADDR": bao.address, "BAO_CACERT": bao.ca_file, "BAO_TOKEN": bao.user(BREAK_GLASS).token}
    command = [str(build.binary("bao")), "operator", "raft", "snapshot", *words]
    subprocess.run(command, env=env, capture_output=True, check=True)


def read(bao: Bao) -> str:
    kept = bao.user(BREAK_GLASS).secrets.kv.v2.read_secret_version(PATH, raise_on_deleted_version=True)
    value: str = kept["data"]["data"]["value"]
    return value


def health(bao: Bao) -> int:
    return requests.get(f"{bao.address}/v1/sys/health", verify=bao.ca_file, timeout=5).status_code


def test_it_comes_back_with_the_same_key_and_with_no_other(tmp_path: Path) -> None:
    snapshot = str(tmp_path / "openbao.snap")
    for name in ("first", "second", "foreign"):
        (tmp_path / name).mkdir()
    with serving(tmp_path / "first") as bao:
        bao.user(BREAK_GLASS).secrets.kv.v2.create_or_update_secret(PATH, {"value": "kept"})
        raft(bao, "save", snapshot)
    with serving(tmp_path / "second", key=(tmp_path / "first" / "key").read_bytes()) as bao:
        with pytest.raises(hvac.exceptions.InvalidPath):
            read(bao)
        raft(bao, "restore", "-force", snapshot)
        assert read(bao) == "kept"
    with serving(tmp_path / "foreign") as bao:
        raft(bao, "restore", "-force", snapshot)
        eventually(lambda: health(bao) == SEALED, "what it cannot open stays closed")
