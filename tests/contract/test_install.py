"""docs/install.md says what the code does: ranges of versions, the container, the variables."""

from __future__ import annotations

import json
import re
from importlib import metadata
from typing import Any

from harness import prerequisites, tools, ways
from harness.paths import REPO

PAGE = (REPO / "docs/install.md").read_text()


def test_the_page_has_the_ranges_of_the_table() -> None:
    for tool in {tool.asks[0]: tool for tool in tools.COMPATIBLE.values()}.values():
        (row,) = re.findall(rf"^\| {tool.asks[0]}\b.*$", PAGE, re.MULTILINE)
        assert tool.range in row
    assert f"| {metadata.version('pulumi-kubernetes')} or newer, below 5" in PAGE


def test_the_container_is_debian_12_with_the_go_that_is_needed_in_both_places() -> None:
    image = f"golang:{prerequisites.go_needed()}-bookworm"
    assert _container()["image"] == image
    assert f"{image} make up" in PAGE


def test_folders_have_one_name_inside_and_outside() -> None:
    """The engine mounts files of theirs into nodes: another name would be another folder of the machine."""
    container = _container()
    mounts = [dict(re.findall(r"(source|target)=([^,]+)", mount)) for mount in container["mounts"]]
    mounts.append(dict(re.findall(r"(source|target)=([^,]+)", container["workspaceMount"])))
    assert all(mount["source"] == mount["target"] for mount in mounts)
    assert {*container["containerEnv"].values()} < {mount["source"] for mount in mounts}
    (line,) = re.findall(r"^docker run .*$", PAGE, re.MULTILINE)
    volumes = re.findall(r'-v "?(\S+?):([^":\s]+)"?(?= )', line)
    assert len(volumes) == 4 and all(outside == inside for outside, inside in volumes)
    for variable in ("GARRISON_CACHE", "GARRISON_STATE"):
        (value,) = re.findall(rf'-e {variable}="(\S+)"', line)
        assert (value, value) in volumes
        assert container["containerEnv"][variable] == value.replace("$HOME", "${localEnv:HOME}")


def test_the_variables_of_the_page_are_those_that_are_read() -> None:
    for variable in (ways.NODE, ways.REGISTRY, ways.UPSTREAM):
        assert f"export {variable}=" in PAGE


def _container() -> dict[str, Any]:
    text = (REPO / ".devcontainer/devcontainer.json").read_text()
    found: dict[str, Any] = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    return found
