"""kind's docker: the real one, or the wrapper where this machine cannot give every capability."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness import docker, loading, paths
from harness.oci import Image

SHIM = paths.HARNESS / "node" / "shim" / "docker"


@pytest.mark.parametrize(("bounding", "lacking"), [("000001ffffffffff", False), ("000001fffeffffff", True)])
def test_the_missing_capability_is_seen(bounding: str, lacking: bool) -> None:
    assert docker.lacks_sys_resource(f"Name:\tpython\nCapBnd:\t{bounding}\n") is lacking


def shim(tmp_path: Path, *arguments: str) -> list[str]:
    real = tmp_path / "real"
    real.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    real.chmod(0o755)
    environment = {**os.environ, "GARRISON_DOCKER": str(real)}
    return subprocess.run([SHIM, *arguments], env=environment, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )[:-1]


def test_privileged_runs_ask_for_every_other_capability(tmp_path: Path) -> None:
    told = shim(tmp_path, "run", "--privileged", "--name", "node", "image")
    assert told[:3] == ["run", "--cap-add=ALL", "--cap-drop=SYS_RESOURCE"]
    assert "a *:* rwm" in told
    assert told[-3:] == ["--name", "node", "image"]
    assert "--privileged" not in told


def test_privileged_execs_are_plain(tmp_path: Path) -> None:
    assert shim(tmp_path, "exec", "--privileged", "-i", "node", "sh", "-c", "a b") == [
        "exec", "-i", "node", "sh", "-c", "a b",
    ]  # fmt: skip


def test_everything_else_passes_unchanged(tmp_path: Path) -> None:
    assert shim(tmp_path, "ps", "--filter", "a=b c") == ["ps", "--filter", "a=b c"]


def test_an_image_is_loaded_unless_both_its_names_are_there_with_its_digest(tmp_path: Path) -> None:
    image = Image("garrison.example/orders:1", "sha256:aa", tmp_path)
    names = {image.reference: image.digest, image.pinned: image.digest}
    assert loading.missing([image], names) == []
    for absent in names:
        assert loading.missing([image], {name: d for name, d in names.items() if name != absent}) == [image]
    assert loading.missing([image], {**names, image.reference: "sha256:older"}) == [image]
