"""The list of hashes: says nothing of a good folder, and what is wrong with any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "tool").write_bytes(b"content")
    manifest.write(tmp_path)
    return tmp_path


def test_a_good_folder_has_no_problem(folder: Path) -> None:
    assert manifest.problem(folder) == ""


def test_changed_content_is_found(folder: Path) -> None:
    (folder / "sub" / "tool").write_bytes(b"c0ntent")
    assert manifest.problem(folder) == "sub/tool has changed since it was built"


def test_a_missing_file_is_found(folder: Path) -> None:
    (folder / "sub" / "tool").unlink()
    assert manifest.problem(folder) == "sub/tool is missing or was added"


def test_an_added_file_is_found(folder: Path) -> None:
    (folder / "extra").touch()
    assert manifest.problem(folder) == "extra is missing or was added"


def test_a_torn_manifest_is_found(folder: Path) -> None:
    (folder / manifest.NAME).write_text('{"sub/to')
    assert manifest.problem(folder) == "its manifest is missing or unreadable"
