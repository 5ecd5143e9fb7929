"""The policy pack in the real engine: what breaks a rule is not made, whoever declared it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.paths import REPO
from harness.plugin.testing.apiserver import ControlPlane
from harness.plugin.testing.stack import Declared, Failed, Make, Outcome

pytest_plugins = ["harness.plugin.testing.fixtures"]
PACK = [str(REPO / "policies" / "pack")]
EXCEPTION = """\
exceptions:
  - rule: privileged-container
    object: {{kind: Pod, namespace: {namespace}, name: app}}
    owner: platform team
    reason: a test of exceptions
    expires: {expires}
"""


def pod(namespace: str, name: str = "app", **security: Any) -> Declared:
    context = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
        **security,
    }
    bounds = {"cpu": "10m", "memory": "16Mi"}
    container = {
        "name": "app",
        "image": f"registry.example/app@sha256:{'0' * 64}",
        "securityContext": context,
        "resources": {"requests": bounds, "limits": bounds},
    }
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "annotations": {"pulumi.com/skipAwait": "true"}},
        "spec": {"automountServiceAccountToken": False, "serviceAccountName": "app", "containers": [container]},
    }
    return Declared(name, manifest)


def closed(one: Declared) -> Declared:
    """What every namespace needs, or its workloads are open to all."""
    manifest = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "closed", "namespace": one.manifest["metadata"]["namespace"]},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }
    return Declared("closed", manifest)


CREATED = {"app": "create", "closed": "create"}
BAD: dict[str, Any] = {"privileged": True, "allowPrivilegeEscalation": True}


@pytest.fixture
def previewed(make_stack: Make) -> Any:
    def run(one: Declared, *, exceptions: Path | None = None, verb: str = "preview") -> Outcome:
        stack = make_stack(GARRISON_EXCEPTIONS=str(exceptions or REPO / "policies" / "exceptions.yaml"))
        outcome: Outcome = getattr(stack, verb)(one, closed(one), policy_packs=PACK)
        if verb == "up":
            stack.destroy()
        return outcome

    return run


def test_what_keeps_the_rules_is_made(previewed: Any, namespace: str) -> None:
    assert previewed(pod(namespace), verb="up").operations == CREATED


def test_what_breaks_a_rule_stops_the_preview_by_name(previewed: Any, namespace: str) -> None:
    with pytest.raises(Failed, match="privileged-container: .* remove securityContext.privileged"):
        previewed(pod(namespace, **BAD))


def test_up_stops_before_the_cluster_hears_of_it(previewed: Any, namespace: str, plane: ControlPlane) -> None:
    with pytest.raises(Failed, match="privileged-container"):
        previewed(pod(namespace, **BAD), verb="up")
    assert plane.api.find(pod(namespace).manifest) is None


def test_an_exception_opens_the_way_for_its_object_alone(previewed: Any, namespace: str, tmp_path: Path) -> None:
    allowed = tmp_path / "exceptions.yaml"
    allowed.write_text(EXCEPTION.format(namespace=namespace, expires="2099-12-31"))
    excused: dict[str, Any] = {"privileged": True}
    with pytest.raises(Failed, match="privileged-container"):  # the sibling, with everything else the same
        previewed(pod(namespace, "app-two", **excused), exceptions=allowed)
    outcome = previewed_rules(previewed, pod(namespace, **excused), exceptions=allowed)
    assert "privileged-container" not in outcome


def test_an_expired_exception_stops_the_preview(previewed: Any, namespace: str, tmp_path: Path) -> None:
    expired = tmp_path / "exceptions.yaml"
    expired.write_text(EXCEPTION.format(namespace=namespace, expires="2020-01-31"))
    assert previewed(pod(namespace)).operations == CREATED
    with pytest.raises(Failed, match="exception-expired"):
        previewed(pod(namespace), exceptions=expired)


def previewed_rules(previewed: Any, one: Declared, exceptions: Path) -> str:
    """All that a preview says, whether it passes or not."""
    try:
        outcome: Outcome = previewed(one, exceptions=exceptions)
    except Failed as failed:
        return str(failed)
    return outcome.said
