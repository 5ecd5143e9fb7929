"""docs/scanning.md is true: its settings are accepted, its commands exist, and the repository's own settings load."""

from __future__ import annotations

import datetime
import re
import tomllib
from pathlib import Path

import pytest

from garrison.errors import Problem
from garrison_supply.outdated import command as outdated
from garrison_supply.scan import command as scan
from garrison_supply.scan.settings import load, parse
from harness.documents import blocks

REPO = Path(__file__).parents[3]
PAGE = (REPO / "docs/scanning.md").read_text()
TODAY = datetime.date(2026, 11, 1)  # the day the dates on the page are seen from


@pytest.mark.parametrize("block", blocks(PAGE, "toml"))
def test_the_settings_on_the_page_are_accepted(block: str) -> None:
    problems: list[Problem] = []
    parse(tomllib.loads(block), REPO, problems, TODAY)
    assert problems == []


def test_the_commands_on_the_page_exist() -> None:
    shell = "".join(blocks(PAGE, "sh"))
    lines = re.findall(r"^garrison (scan|outdated) ?(.*?)(?: +#.*)?$", shell, re.MULTILINE)
    assert len(lines) >= 7
    for verb, arguments in lines:
        parser = {"scan": scan.parser, "outdated": outdated.parser}[verb]()
        parser.parse_args(arguments.split())


def test_the_settings_of_the_repository_load() -> None:
    settings = load(REPO / "scan.toml", today=TODAY)
    assert settings.signatures.required
    # of what is deployed, nothing is accepted: these are the test cluster's own parts
    assert {one.where for one in settings.ignores} == {f"*manifests/default-{part}.yaml" for part in ("cni", "storage")}
