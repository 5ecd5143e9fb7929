"""What is taken out of a tar stays where it is put."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from garrison_supply.scan.unpacked import take
from harness.packing import put


@pytest.mark.parametrize("name", ["../out", "/out", "in/../../out"])
def test_what_is_taken_out_of_a_tar_stays_in_its_folder(name: str, tmp_path: Path) -> None:
    """Also with the Python of Debian 12, whose tarfile does not know how."""
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        put(tar, "./in/file", b"good")
        link = tarfile.TarInfo("in/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with tarfile.open(tmp_path / "x.tar") as tar:
        take(tar, tmp_path / "good")
    assert [path.name for path in (tmp_path / "good").rglob("*")] == ["in", "file"]
    with tarfile.open(tmp_path / "y.tar", "w") as tar:
        put(tar, name, b"bad")
    with tarfile.open(tmp_path / "y.tar") as tar, pytest.raises(tarfile.ExtractError, match="is outside of it"):
        take(tar, tmp_path / "a/b")
    assert not list(tmp_path.rglob("out"))
