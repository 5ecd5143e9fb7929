"""Finding the cluster: text or path, context and cluster by name, clear words when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.plugin import kubeconfig
from harness.plugin.errors import PluginError


def text(**user: object) -> str:
    return yaml.safe_dump(
        {
            "current-context": "one",
            "contexts": [
                {"name": "one", "context": {"cluster": "a", "user": "u"}},
                {"name": "two", "context": {"cluster": "b", "user": "u", "namespace": "n"}},
            ],
            "clusters": [
                {"name": "a", "cluster": {"server": "https://a.example:6443"}},
                {"name": "b", "cluster": {"server": "https://b.example/"}},
            ],
            "users": [{"name": "u", "user": user or {"token": "t"}}],
        }
    )


def test_the_current_context_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config"
    path.write_text(text())
    monkeypatch.setenv("KUBECONFIG", str(path))
    for given in (text(), str(path), ""):
        found = kubeconfig.load(given)
        assert (found.server, found.namespace) == ("https://a.example:6443", "default")
        assert found.headers == {"authorization": "Bearer t"}


def test_context_and_cluster_can_be_chosen() -> None:
    found = kubeconfig.load(text(), context="two")
    assert (found.server, found.namespace) == ("https://b.example", "n")
    assert kubeconfig.load(text(), cluster="b").server == "https://b.example"


def test_a_credential_plugin_is_asked() -> None:
    answer = '{"status": {"token": "fresh"}}'
    command = {"command": "echo", "args": [answer], "apiVersion": "v1"}
    assert kubeconfig.load(text(exec=command)).headers == {"authorization": "Bearer fresh"}


@pytest.mark.parametrize(
    ("given", "context", "message"),
    [
        (text(), "three", r'no context "three" \(it has: one, two\)'),
        ("/nowhere/config", "", "no kubeconfig at /nowhere/config"),
        ("a: [\nb", "", "not valid YAML"),
        ("just\ntext", "", "not a kubeconfig"),
        (text(exec={"command": "false", "apiVersion": "v1"}), "", "credential plugin false failed"),
    ],
)
def test_a_wrong_kubeconfig_is_said_in_one_line(given: str, context: str, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        kubeconfig.load(given, context)
