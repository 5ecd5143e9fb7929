"""Type tokens: any kind, also under components; clear words for what is not one object."""

from __future__ import annotations

import pytest

from harness.plugin import configuration, settings, tokens
from harness.plugin.errors import PluginError
from harness.plugin.values import UNKNOWN, Secret

PREFIX = "urn:pulumi:kind::estate::"


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("kubernetes:core/v1:Secret", ("v1", "Secret", False)),
        ("my:component:X$kubernetes:apps/v1:Deployment", ("apps/v1", "Deployment", False)),
        ("kubernetes:cert-manager.io/v1:Issuer", ("cert-manager.io/v1", "Issuer", False)),
        ("kubernetes:apps/v1:DeploymentPatch", ("apps/v1", "Deployment", True)),
    ],
)
def test_tokens_name_an_api_version_and_a_kind(kinds: str, expected: tuple[str, str, bool]) -> None:
    token = tokens.of_urn(f"{PREFIX}{kinds}::name::x", {})
    assert (token.api_version, token.kind, token.patch) == expected
    assert token.name == "name::x"
    assert tokens.completed({"spec": {}}, token)["kind"] == expected[1]


def test_a_kind_that_ends_in_patch_by_itself_is_no_patch() -> None:
    inputs = {"kind": "EnvoyPatch"}
    assert tokens.of_urn(f"{PREFIX}kubernetes:a/v1:EnvoyPatch::x", inputs).kind == "EnvoyPatch"


@pytest.mark.parametrize(
    ("kind", "inputs", "message"),
    [
        ("helm.sh/v3:Release", {}, "render the chart"),
        ("core:Pod", {}, "does not name a group"),
        ("core/v1:PodList", {"kind": "PodList", "items": []}, "register its items"),
    ],
)
def test_what_is_no_object_is_refused(kind: str, inputs: dict[str, object], message: str) -> None:
    with pytest.raises(PluginError, match=message):
        tokens.of_urn(f"{PREFIX}kubernetes:{kind}::x", inputs)


def test_arguments_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_K8S_ENABLE_SECRET_MUTABLE", "true")
    monkeypatch.setenv("PULUMI_K8S_ENABLE_PATCH_FORCE", "true")
    found = settings.read({"enablePatchForce": "false", "kubeconfig": Secret("/path")})
    assert (found.secret_mutable, found.patch_force, found.kubeconfig) == (True, False, "/path")
    assert settings.read({"kubeconfig": UNKNOWN}).unknown


def test_arguments_that_cannot_be_honoured_are_refused() -> None:
    assert settings.refused({"enableServerSideApply": "false"}) == ["enableServerSideApply=false"]
    assert settings.refused({"renderYamlToDirectory": "/x"}) == ["renderYamlToDirectory"]
    assert settings.refused({"enableServerSideApply": "true", "namespace": "x"}) == []


def _config(server: str) -> str:
    return (
        "current-context: c\ncontexts: [{name: c, context: {cluster: a}}]\n"
        f"clusters: [{{name: a, cluster: {{server: '{server}'}}}}]\n"
    )


def test_only_another_cluster_replaces_the_provider() -> None:
    here, also_here = _config("https://a.example"), _config("https://a.example") + "users: []\n"
    away = _config("https://b.example")
    compare = configuration.compare
    assert compare({"kubeconfig": here}, {"kubeconfig": also_here}) == (["kubeconfig"], [])
    assert compare({"kubeconfig": here}, {"kubeconfig": away}) == (["kubeconfig"], ["kubeconfig"])
    old, new = {"clusterIdentifier": "x"}, {"clusterIdentifier": "x", "kubeconfig": away}
    assert compare({**old, "kubeconfig": here}, new) == (["kubeconfig"], [])
