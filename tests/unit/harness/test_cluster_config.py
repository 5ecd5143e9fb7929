"""The generated kind configuration says what can only be said when a cluster is made."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from harness import kindconfig

STATE = Path("/state/demo")


def patch(kind: str) -> dict[str, Any]:
    patches = [json.loads(text) for text in kindconfig.config("demo", 1, STATE)["kubeadmConfigPatches"]]
    return next(found for found in patches if found["kind"] == kind)


def test_the_api_listens_on_loopback_only() -> None:
    assert kindconfig.config("demo", 1, STATE)["networking"]["apiServerAddress"] == "127.0.0.1"


@pytest.mark.parametrize(("nodes", "roles"), [(1, ["control-plane"]), (3, ["control-plane", "worker", "worker"])])
def test_one_control_plane_and_the_rest_are_workers(nodes: int, roles: list[str]) -> None:
    found = kindconfig.config("demo", nodes, STATE)["nodes"]
    assert [node["role"] for node in found] == roles


def test_the_key_and_the_audit_log_are_on_the_control_plane_only() -> None:
    control_plane, worker = kindconfig.config("demo", 2, STATE)["nodes"]
    mounted = {mount["hostPath"] for mount in control_plane["extraMounts"]}
    assert mounted == {str(STATE / "encryption.yaml"), str(STATE / "audit")}
    assert "extraMounts" not in worker


def test_every_file_the_api_server_is_told_of_is_given_to_it() -> None:
    api = patch("ClusterConfiguration")["apiServer"]
    told = [argument["value"] for argument in api["extraArgs"] if argument["value"].startswith("/")]
    given = [volume["mountPath"] for volume in api["extraVolumes"]]
    assert told
    assert all(any(path == place or path.startswith(f"{place}/") for place in given) for path in told)


def test_only_the_audit_log_is_writable_for_the_api_server() -> None:
    volumes = patch("ClusterConfiguration")["apiServer"]["extraVolumes"]
    assert [volume["name"] for volume in volumes if not volume["readOnly"]] == ["audit-log"]


def test_encryption_uses_a_fresh_256_bit_key() -> None:
    keys = {
        provider["aescbc"]["keys"][0]["secret"]
        for _ in range(3)
        for provider in kindconfig.encryption()["resources"][0]["providers"]
    }
    assert len(keys) == 3
    assert {len(base64.b64decode(key)) for key in keys} == {32}


def test_encryption_covers_secrets_and_configuration_and_never_falls_back_to_plain_text() -> None:
    (rule,) = kindconfig.encryption()["resources"]
    assert rule["resources"] == ["secrets", "configmaps"]
    assert [list(provider) for provider in rule["providers"]] == [["aescbc"]]
