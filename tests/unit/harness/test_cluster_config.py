"""The generated kind configuration says what can only be said when a cluster is made."""

from __future__ import annotations

import base64
import json
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import entrance, environment, kindconfig, paths, stack

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


def test_upstream_s_node_image_is_given_what_ours_has_inside_and_keeps_its_own_versions() -> None:
    def files(node: dict[str, Any]) -> dict[str, Path]:
        return {mount["containerPath"]: Path(mount["hostPath"]) for mount in node.get("extraMounts", ())}

    found = kindconfig.config("demo", 2, STATE, upstream=True)
    told = [json.loads(text) for text in found["kubeadmConfigPatches"]]
    first, worker = map(files, found["nodes"])
    assert first.keys() - files(kindconfig.config("demo", 2, STATE)["nodes"][0]).keys() == {
        "/kind/patches",
        "/kind/audit-policy.yaml",
    }
    assert worker.keys() == {next(one for one in told if one["kind"] == "JoinConfiguration")["patches"]["directory"]}
    assert all(first[place].exists() for place in ("/kind/patches", "/kind/audit-policy.yaml"))
    kinds = {one["kind"]: one for one in told}
    assert "KubeletConfiguration" not in kinds and "dns" not in kinds["ClusterConfiguration"]
    assert "imageTag" not in kinds["ClusterConfiguration"]["etcd"]["local"]
    assert kinds["ClusterConfiguration"]["apiServer"] == patch("ClusterConfiguration")["apiServer"]
    assert (
        patch("KubeletConfiguration")["cgroupDriver"] and "imageTag" in patch("ClusterConfiguration")["etcd"]["local"]
    )


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


@pytest.mark.parametrize(("nodes", "where"), [(1, "control-plane"), (2, "worker"), (3, "worker")])
def test_the_edge_is_reached_on_loopback_at_one_node_that_takes_pods(nodes: int, where: str) -> None:
    found = kindconfig.config("garrison", nodes, STATE)["nodes"]
    (node,) = (node for node in found if "extraPortMappings" in node)
    assert node["role"] == where
    (port,) = node["extraPortMappings"]
    assert (port["listenAddress"], port["hostPort"], port["containerPort"]) == ("127.0.0.1", 8443, 30443)


def test_a_cluster_without_an_estate_takes_no_port() -> None:
    assert all("extraPortMappings" not in node for node in kindconfig.config("demo", 2, STATE)["nodes"])


def test_the_settings_of_both_clusters_say_the_ports_that_lead_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients see the port in every URL, and tokens name it."""
    text = (paths.REPO / "stacks/Pulumi.kind.yaml").read_text()
    monkeypatch.setenv("GARRISON_STATE", str(tmp_path))
    for cluster in (environment.MAIN, environment.TEST):
        config = yaml.safe_load(stack._of(cluster, text))["config"]
        (port,) = entrance.mappings(cluster)
        assert config["garrison:edgePort"] == str(port["hostPort"])
        assert config["garrison:edgeNodePort"] == str(port["containerPort"])


def test_a_port_is_free_until_somebody_listens() -> None:
    with socket.socket() as taken:
        taken.bind((entrance.ADDRESS, 0))
        taken.listen()
        assert not entrance.free(taken.getsockname()[1])
    assert entrance.free(taken_before := _unused()), taken_before


def _unused() -> int:
    with socket.socket() as one:
        one.bind((entrance.ADDRESS, 0))
        return int(one.getsockname()[1])
