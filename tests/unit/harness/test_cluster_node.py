"""The node's files fit together: images named are images built, placeholders are filled, secrets stay unlogged."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from harness import kindconfig, node, paths, platform_images
from harness.parts import PARTS

FILES = paths.HARNESS / "node"
MANIFESTS = sorted((FILES / "manifests").glob("*.yaml"))


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.name)
def test_every_image_a_manifest_names_is_in_the_node_image(manifest: Path) -> None:
    named = set(re.findall(r"[a-z0-9.]+\.io/[\w./-]+:[\w.-]+", manifest.read_text()))
    assert named
    assert named <= {platform.reference for platform in platform_images.NODE}


def test_the_versions_kubeadm_is_told_are_those_built() -> None:
    built = {platform.reference for platform in platform_images.NODE}
    configuration = kindconfig._patches()[0]
    assert f"registry.k8s.io/etcd:{configuration['etcd']['local']['imageTag']}" in built
    assert f"registry.k8s.io/coredns/coredns:{configuration['dns']['imageTag']}" in built
    assert f"registry.k8s.io/kube-apiserver:{node.KUBERNETES}" in built


def test_every_binary_of_an_image_comes_from_the_toolchain() -> None:
    outputs = {output for row in PARTS for output in row.outputs} | {"pause", ""}
    wanted = {platform.binary for platform in (*platform_images.NODE, *platform_images.DEPLOYED)}
    assert wanted <= outputs


def test_the_entrypoint_fills_every_placeholder_of_the_rules() -> None:
    placeholders = set(re.findall(r"@[A-Z0-9_]+@", (FILES / "guard.nft").read_text()))
    filled = set(re.findall(r"@[A-Z0-9_]+@", (FILES / "entrypoint").read_text()))
    assert placeholders
    assert placeholders == filled


def test_the_entrypoint_and_the_configuration_agree_on_the_pod_range() -> None:
    assert f"GARRISON_POD_RANGE:-{kindconfig.POD_RANGE}" in (FILES / "entrypoint").read_text()
    assert f"--service-cluster-ip-range={kindconfig.SERVICE_RANGE}" in (MANIFESTS[0]).read_text()


def test_the_audit_log_never_holds_the_content_of_secrets_configuration_or_tokens() -> None:
    policy = yaml.safe_load((FILES / "audit-policy.yaml").read_text())
    for sensitive in ("secrets", "configmaps", "serviceaccounts/token"):
        first = next(
            rule["level"]
            for rule in policy["rules"]
            if not rule.keys() & {"users", "userGroups", "nonResourceURLs"}
            and any(sensitive in named.get("resources", [sensitive]) for named in rule.get("resources", [{}]))
        )
        assert first == "Metadata"


def test_the_name_of_the_node_image_is_stable() -> None:
    assert node.reference() == node.reference()
    assert node.reference().startswith(f"garrison.local/node:{node.KUBERNETES}-")
