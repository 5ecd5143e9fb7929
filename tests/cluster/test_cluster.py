"""The cluster the harness makes: encrypted at rest, audited, admission and storage in force, reached locally only."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from cluster import live
from harness import loading, platform_images

NAMESPACE = "harness-probe"
HELPER = "docker.io/library/busybox:1.36"


@pytest.fixture(scope="module", autouse=True)
def namespace() -> Iterator[None]:
    live.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    yield
    live.kubectl("delete", "namespace", NAMESPACE)


def pod(name: str, *command: str, image: str = HELPER, **container: Any) -> dict[str, Any]:
    """A pod that runs one command; `volumes` belong to it, the other settings to its container."""
    volumes = container.pop("volumes", [])
    main = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": command}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"restartPolicy": "Never", "containers": [main | container], "volumes": volumes},
    }


def finished(name: str) -> str:
    """The log of a pod that has run to its end."""
    live.kubectl("wait", f"pod/{name}", "-n", NAMESPACE, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    return live.kubectl("logs", name, "-n", NAMESPACE)


def test_kubernetes_is_the_version_of_the_toolchain() -> None:
    versions = {node["status"]["nodeInfo"]["kubeletVersion"] for node in live.get("nodes")["items"]}
    assert versions == {"v1.36.3"}


def test_the_api_listens_on_this_machine_only() -> None:
    server = yaml.safe_load(live.KUBECONFIG.read_text())["clusters"][0]["cluster"]["server"]
    assert urlsplit(server).hostname == "127.0.0.1"


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_etcd_holds_no_plain_text(kind: str) -> None:
    planted, control = secrets.token_hex(16), secrets.token_hex(16)
    name = f"planted-{kind.lower()}"
    field = "stringData" if kind == "Secret" else "data"
    meta = {"name": name, "namespace": NAMESPACE}
    live.apply({"apiVersion": "v1", "kind": kind, "metadata": meta, field: {"value": planted}})
    # The control: what is not to be encrypted is found by the same search.
    live.apply(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {**meta, "annotations": {"control": control}},
        }
    )
    assert in_etcd(control)
    assert in_etcd(f"k8s:enc:aescbc:v1:key1:\\|/registry/{kind.lower()}s/{NAMESPACE}/{name}")
    assert not in_etcd(planted)


def in_etcd(pattern: str) -> bool:
    search = f"grep --recursive --text --quiet -e '{pattern}' /var/lib/etcd/member && echo found || echo absent"
    return live.on_node(live.nodes()[0], "sh", "-c", search).strip() == "found"


def test_the_encryption_key_is_256_bits_and_private() -> None:
    file = live.STATE / "encryption.yaml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "aescbc" in json.loads(file.read_text())["resources"][0]["providers"][0]


def test_the_audit_log_is_readable_here_and_tells_of_secrets_without_their_content() -> None:
    value = secrets.token_hex(16)
    name = f"audited-{secrets.token_hex(4)}"
    live.kubectl("create", "secret", "generic", name, "-n", NAMESPACE, f"--from-literal=value={value}")
    live.kubectl("get", "secret", name, "-n", NAMESPACE)
    log = live.STATE / "audit" / "audit.log"

    def events() -> set[tuple[str, str]]:
        lines = [json.loads(line) for line in log.read_text().splitlines() if name in line]
        return {(event["verb"], event["level"]) for event in lines}

    live.eventually(lambda: {("create", "Metadata"), ("get", "Metadata")} <= events(), "the two audit events")
    assert value not in log.read_text()


def test_pod_security_refuses_what_its_level_forbids() -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    privileged = pod("privileged", "true", securityContext={"privileged": True})
    live.apply(pod("allowed-before", "true", securityContext={"privileged": True}))
    live.kubectl("label", "namespace", NAMESPACE, label)
    try:
        with pytest.raises(Exception, match="violates PodSecurity"):
            live.apply(privileged)
    finally:
        live.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce-")


def test_admission_policies_are_available() -> None:
    told = live.kubectl("api-resources", "--api-group=admissionregistration.k8s.io", "-o", "name")
    assert "validatingadmissionpolicies.admissionregistration.k8s.io" in told.split()


def test_a_volume_keeps_its_data_for_the_next_pod() -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "kept", "namespace": NAMESPACE},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}},
    }
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "kept"}}
    mount: dict[str, Any] = {"volumeMounts": [{"name": "data", "mountPath": "/data"}], "volumes": [volume]}
    live.apply(claim, pod("writer", "sh", "-c", "echo kept > /data/file", **mount))
    finished("writer")
    live.apply(pod("reader", "cat", "/data/file", **mount))
    assert finished("reader") == "kept\n"


@pytest.mark.parametrize("naming", ["tag", "digest", "tag and digest"])
def test_a_loaded_image_runs_by_every_name_and_is_never_pulled(naming: str) -> None:
    helper = next(found for found in platform_images.NODE if found.reference == HELPER)
    image = platform_images.image(helper)
    loading.load(live.CLUSTER, [image])
    reference = {
        "tag": image.reference,
        "digest": image.pinned,
        "tag and digest": f"{image.reference}@{image.digest}",
    }[naming]
    name = f"by-{naming.replace(' ', '-')}"
    live.apply(pod(name, "echo", naming, image=reference))
    assert finished(name) == f"{naming}\n"


def test_loading_again_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    images = platform_images.node_images()
    loading.load(live.CLUSTER, images)
    capsys.readouterr()
    loading.load(live.CLUSTER, images)
    assert capsys.readouterr().err == ""
