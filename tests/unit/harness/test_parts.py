"""The table of parts: keys follow content, names are unique, nothing names a host."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness import parts, paths
from harness.architecture import KNOWN
from harness.parts import PARTS, Go, Part, Wheel


def hashes(digit: str) -> dict[str, str]:
    return dict.fromkeys(KNOWN, digit * 64)


def test_a_key_is_the_same_every_time() -> None:
    assert [row.key for row in PARTS] == [row.key for row in PARTS]


def test_keys_tell_all_parts_apart() -> None:
    assert len({row.key for row in PARTS}) == len(PARTS)


@pytest.mark.parametrize("change", [{"version": "v9"}, {"source": Wheel("other", hashes("0"), {"a": "b"})}])
def test_a_key_follows_version_and_source(change: dict[str, object]) -> None:
    row = Part("tool", "v1", "role", Wheel("tool", hashes("f"), {"a": "b"}), 1)
    changed = replace(row, **change)  # type: ignore[arg-type]
    assert row.key != changed.key


def test_a_key_ignores_role_and_estimate() -> None:
    row = Part("tool", "v1", "role", Wheel("tool", hashes("f"), {"a": "b"}), 1)
    assert row.key == replace(row, role="other", seconds=99).key


def test_a_key_follows_the_committed_sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "GO_FOLDER", tmp_path)
    (tmp_path / "tool").mkdir()
    sums = tmp_path / "tool" / "go.sum"
    sums.write_text("one")
    row = Part("tool", "v1", "role", Go("example.org/tool"), 1)
    before = row.key
    sums.write_text("two")
    assert row.key != before


def test_a_key_follows_every_source_also_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "GO_FOLDER", tmp_path)
    row = Part("tool", "v1", "role", Go("example.org/tool"), 1)
    mains = [tmp_path / "tool" / name / "main.go" for name in ("first", "second")]
    for main in mains:
        main.parent.mkdir(parents=True)
        main.write_text("one")
    keys = {row.key}
    for main in mains:
        main.write_text("two")
        keys.add(row.key)
    assert len(keys) == 3


def test_every_output_comes_from_one_part() -> None:
    commands = [name for row in PARTS if row.name != "charts" for name in row.outputs]
    assert sorted(commands) == sorted(set(commands))


def test_go_parts_pin_every_module() -> None:
    folders = [paths.GO_FOLDER / row.name for row in PARTS if isinstance(row.source, Go)]
    assert folders
    assert [f.name for f in folders if not ((f / "go.mod").is_file() and (f / "go.sum").stat().st_size)] == []


def test_the_version_of_the_table_is_the_one_required() -> None:
    wrong = []
    for row in PARTS:
        if isinstance(row.source, Go) and row.name != "charts":
            text = (paths.GO_FOLDER / row.name / "go.mod").read_text()
            if not re.search(rf"{re.escape(row.source.module)} {re.escape(row.version)}\b", text):
                wrong.append(row.name)
    assert wrong == []


def test_an_unknown_part_is_named_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"no part called 'kynd'; known: kind"):
        parts.part("kynd")
