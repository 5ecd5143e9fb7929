"""Tools of the machine's own: taken when their version is compatible, said when it is not the one tested here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import build, tools
from harness.parts import PARTS, part

SAYS = {
    "kind": "kind {} go1.26.8 linux/amd64",
    "kubectl": "Client Version: {}\nKustomize Version: v5.8.1",
    "helm": "{}+g1234567",
    "pulumi": "{}",
}


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    for cached in (tools.installed, tools._say):
        cached.cache_clear()
    yield
    for cached in (tools.installed, tools._say):
        cached.cache_clear()


@pytest.fixture
def has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is first in PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def put(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\ncat <<'E'\n{text}\nE\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("kind", "v0.34.1", ["v0.32.0", "v0.40.0", "of no version"]),
        ("kubectl", "v1.35.4", ["v1.34.9", "v1.38.0", "v1.32.4-dispatcher"]),
        ("helm", "v3.18.0", ["v3.17.9", "v4.0.0"]),
        ("pulumi", "v3.260.0", ["v3.258.9", "v4.0.0"]),
    ],
)
def test_a_compatible_version_is_taken_and_said_once(
    name: str, good: str, bad: list[str], has: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    put(has, name, SAYS[name].format(good))
    assert build.binary(name) == has / name == build.binary(name)
    ours = next(row for row in PARTS if name in row.outputs).version
    (line,) = capfd.readouterr().err.splitlines()
    assert f"{name} {good[1:]} of this machine is used (" in line and line.endswith(f"tested here: {ours}")
    for version in bad:
        put(has, name, SAYS[name].format(version))
        tools.installed.cache_clear()
        assert tools.installed(name) is None, version


def test_the_very_version_is_taken_without_a_word(has: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (has / "kubectl").symlink_to(part("kubernetes").folder / "kubectl")  # the real one
    assert tools.installed("kubectl") == has / "kubectl"
    assert capfd.readouterr().err == ""


def test_the_language_host_comes_with_its_pulumi(has: Path) -> None:
    put(has, "pulumi-language-python", "")
    put(has, "pulumi", "v3.200.0")
    assert tools.installed("pulumi-language-python") is None
    put(has, "pulumi", part("pulumi").version)
    tools.installed.cache_clear()
    assert tools.installed("pulumi-language-python") == has / "pulumi-language-python"


def test_scanners_are_never_the_machine_s_own(has: Path) -> None:
    """What is believed about everything else is pinned by its hash."""
    put(has, "trivy", part("trivy").version)
    assert tools.installed("trivy") is None


def test_every_tool_of_the_table_is_an_output_whose_own_version_is_in_range() -> None:
    for name, tool in tools.COMPATIBLE.items():
        row = next(row for row in PARTS if tool.asks[0] in row.outputs)
        assert name in {output for part in PARTS for output in part.outputs}
        ours = tuple(int(number) for number in row.version.lstrip("v").split("."))
        assert tool.least <= ours < tool.below, name
