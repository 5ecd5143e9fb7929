"""Automatic names: only where the program gives none, and kept from then on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness.plugin import naming
from harness.plugin.errors import PluginError
from harness.plugin.values import UNKNOWN

Obj = dict[str, Any]


def complete(obj: Obj, old: Obj | None = None, *, proposed: str = "", off: bool = False) -> Obj:
    return naming.complete(obj, old or {}, "web", b"seed", proposed, off=off)


@pytest.mark.parametrize("name", ["chosen", UNKNOWN])
def test_a_chosen_name_stays_also_when_it_is_known_only_later(name: Any) -> None:
    obj = {"metadata": {"name": name}}
    assert complete(obj) == obj


def test_a_missing_name_is_made_of_the_pulumi_name_and_marked() -> None:
    made = complete({"metadata": {"labels": {"a": "b"}}})
    assert re.fullmatch(r"web-[0-9a-f]{8}", made["metadata"]["name"])
    assert naming.is_autonamed(made)
    assert made["metadata"]["labels"] == {"a": "b"}
    assert complete({})["metadata"]["name"] == made["metadata"]["name"]


def test_an_automatic_name_is_kept_on_update() -> None:
    old = complete({})
    assert complete({"spec": {}}, old)["metadata"] == old["metadata"]


def test_the_engines_proposal_is_taken() -> None:
    assert complete({}, proposed="from-config")["metadata"]["name"] == "from-config"


def test_where_automatic_names_are_off_one_must_be_given() -> None:
    assert complete({"metadata": {"name": "a"}}, off=True)["metadata"]["name"] == "a"
    with pytest.raises(PluginError, match="autonaming is disabled"):
        complete({}, off=True)


def test_generate_name_is_refused_as_server_side_apply_cannot_do_it() -> None:
    with pytest.raises(PluginError, match="generateName"):
        complete({"metadata": {"generateName": "x-"}})
