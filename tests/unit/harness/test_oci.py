"""Image archives: the same files are the same bytes, and what is inside is what was put in."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest

from harness import oci


def tree(root: Path, *, umask: int, when: int, backwards: bool) -> Path:
    """One set of files, made in different circumstances."""
    before = os.umask(umask)
    root.mkdir()
    names = ["b/z", "b/a", "a", "c"]
    for name in reversed(names) if backwards else names:
        path = root / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(name)
        path.chmod(0o755 if name == "c" else 0o644)
        os.utime(path, (when, when))
    (root / "b").chmod(0o755)
    (root / "link").symlink_to("/nowhere/at all")
    os.umask(before)
    return root


def test_the_same_files_are_the_same_layer(tmp_path: Path) -> None:
    one = oci.layer_from_dir(tree(tmp_path / "one", umask=0o022, when=1, backwards=False), tmp_path / "out1")
    two = oci.layer_from_dir(tree(tmp_path / "two", umask=0o077, when=2**30, backwards=True), tmp_path / "out2")
    assert (one.digest, one.diff_id, one.size) == (two.digest, two.diff_id, two.size)
    (tmp_path / "two/a").chmod(0o600)
    assert oci.layer_from_dir(tmp_path / "two", tmp_path / "out3").digest != one.digest


def test_a_layer_keeps_modes_and_links_and_no_owner(tmp_path: Path) -> None:
    layer = oci.layer_from_dir(tree(tmp_path / "one", umask=0o022, when=1, backwards=False), tmp_path)
    with tarfile.open(layer.path) as tar:
        found = {member.name: member for member in tar}
    assert list(found) == ["a", "b", "b/a", "b/z", "c", "link"]
    assert (found["c"].mode, found["a"].mode, found["link"].linkname) == (0o755, 0o644, "/nowhere/at all")
    assert {(m.uid, m.gid, m.mtime, m.uname) for m in found.values()} == {(0, 0, 0, "")}
    assert layer.digest == oci.file_digest(layer.path)


def made(folder: Path, reference: str = "garrison.example/x:1") -> oci.Image:
    layer = oci.layer_from_dir(tree(folder / "root", umask=0o022, when=1, backwards=False), folder)
    return oci.write_image(reference, [layer], entrypoint=["/a"], user="1:1", env={"K": "v"}, out=folder)


def test_an_archive_is_an_oci_layout_with_its_name(tmp_path: Path) -> None:
    image = made(tmp_path)
    with tarfile.open(image.path) as tar:
        index = json.load(tar.extractfile("index.json"))  # type: ignore[arg-type]
        manifest = oci.manifest_of(image.path)
        config = json.load(tar.extractfile(f"blobs/sha256/{manifest['config']['digest'][7:]}"))  # type: ignore[arg-type]
    (entry,) = index["manifests"]
    assert entry["annotations"]["io.containerd.image.name"] == "garrison.example/x:1"
    assert entry["digest"] == manifest["digest"] == image.digest
    assert image.pinned == f"garrison.example/x@{image.digest}"
    assert config["config"]["User"] == "1:1"
    assert "K=v" in config["config"]["Env"]
    assert image.path.name == f"x-{image.digest[7:19]}.tar"


def test_a_damaged_archive_is_noticed(tmp_path: Path) -> None:
    image = made(tmp_path)
    oci.manifest_of(image.path)
    data = bytearray(image.path.read_bytes())
    data[data.index(b"\x1f\x8b\x08") + 30] ^= 1
    image.path.write_bytes(data)
    with pytest.raises(ValueError, match="does not match its digest"):
        oci.manifest_of(image.path)


@pytest.mark.parametrize(
    ("reference", "name"),
    [("a.b/c:1", "a.b/c"), ("a.b:5000/c", "a.b:5000/c"), ("a.b:5000/c:1", "a.b:5000/c"), ("a/c@sha256:0", "a/c")],
)
def test_a_repository_is_a_reference_without_tag(reference: str, name: str) -> None:
    assert oci.repository(reference) == name


def test_what_cannot_be_in_an_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    os.mkfifo(tmp_path / "root/pipe")
    with pytest.raises(ValueError, match="neither a file"):
        oci.layer_from_dir(tmp_path / "root", tmp_path)
