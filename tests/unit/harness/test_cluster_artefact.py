"""An assembled thing is in the cache whole and verified, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness import artefact


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "images" / "thing-0123"


def writer(text: str) -> Callable[[Path], None]:
    def make(scratch: Path) -> None:
        (scratch / "thing").write_text(text)

    return make


def test_it_is_made_once(place: Path) -> None:
    artefact.made(place, "thing", writer("first"))
    assert (artefact.made(place, "thing", writer("second")) / "thing").read_text() == "first"


def test_a_failed_run_leaves_nothing_that_looks_finished(place: Path) -> None:
    def fail(scratch: Path) -> None:
        (scratch / "half").write_text("half")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        artefact.made(place, "thing", fail)
    assert not place.exists()
    assert (artefact.made(place, "thing", writer("whole")) / "thing").read_text() == "whole"
    assert not (place / "half").exists()
    assert [path.name for path in place.parent.iterdir() if path.name != ".locks"] == [place.name]


@pytest.mark.parametrize("damage", ["changed", "removed", "added", "list"])
def test_a_damaged_one_is_made_again(place: Path, damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    artefact.made(place, "thing", writer("good"))
    match damage:
        case "changed":
            (place / "thing").write_text("evil")
        case "removed":
            (place / "thing").unlink()
        case "added":
            (place / "more").write_text("evil")
        case "list":
            (place / "manifest.json").write_text("{")
    artefact._verified.cache_clear()
    artefact.made(place, "thing", writer("again"))
    assert (place / "thing").read_text() == "again"
    assert "making it again" in capsys.readouterr().err


def test_the_key_depends_on_every_input_and_on_nothing_else() -> None:
    assert artefact.key("a", ["b"], {"x": 1, "y": 2}) == artefact.key("a", ["b"], {"y": 2, "x": 1})
    assert artefact.key("a", ["b"]) != artefact.key("a", ["c"])
