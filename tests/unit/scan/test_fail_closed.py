"""Whatever keeps a scan from being complete ends with exit code 2 and is never called clean.

Each test first scans the unbroken world and gets 0, then breaks one thing.
"""

from __future__ import annotations

import datetime
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from garrison_supply.scan.unpacked import take
from unit.scan.world import OS_PACKAGES, VULNERABLE, World, report

NOW = datetime.datetime.now(datetime.UTC)
Break = Callable[[World], object]


def tampered(world: World) -> None:
    world.scanner.write_text(world.scanner.read_text() + "# one line more\n")


def behaves(script: str) -> Break:
    def act(world: World) -> None:
        world.behaves(script)
        world.settings()

    return act


def says(answer: object) -> Break:
    return lambda world: world.says(image=answer)  # type: ignore[arg-type]


NO_PACKAGES = {"Target": "debian", "Class": "os-pkgs", "Packages": []}
BREAKS: dict[str, tuple[Break, str]] = {
    "missing": (lambda w: w.scanner.unlink(), "no such program"),
    "tampered": (tampered, "not run: its SHA-256"),
    "not executable": (lambda w: w.scanner.chmod(0o644), "no such program"),
    "crashes": (behaves("kill -SEGV $$"), "crashed (signal 11)"),
    "fails": (behaves("echo 'FATAL no space left' >&2; exit 1"), "FATAL no space left"),
    "could not read a file": (
        behaves(r"printf '2026\tERROR\t[yaml] Failed to parse\n' >&2"),
        "could not judge all of it: [yaml] Failed",
    ),
    "does not name the user": (says({**report(), "Metadata": {}}), "not of schema 2"),
    "says nothing": (says(""), "is empty"),
    "is cut off": (says('{"SchemaVersion": 2, "Results": [{"Tar'), "is cut off"),
    "no object": (says("[]"), "has schema None"),
    "older schema": (says({**report(), "SchemaVersion": 1}), "has schema 1"),
    "newer schema": (says({**report(), "SchemaVersion": 3}), "has schema 3"),
    "no artefact type": (says({k: v for k, v in report().items() if k != "ArtifactType"}), "not of schema 2"),
    "unknown class": (says(report(OS_PACKAGES, {"Target": "x", "Class": "quantum"})), "not of schema 2"),
    "unknown severity": (
        says(report({**OS_PACKAGES, "Vulnerabilities": [{**VULNERABLE, "Severity": "TERRIBLE"}]})),
        "not of schema 2",
    ),
    "a finding without its id": (says(report({**OS_PACKAGES, "Vulnerabilities": [{}]})), "not of schema 2"),
    "no results": (says({**report(), "Results": []}), "without one package"),
    "no results at all": (says({k: v for k, v in report().items() if k != "Results"}), "without one package"),
    "a system without packages": (says(report(NO_PACKAGES)), "without one package"),
    "no system and no packages": (
        says({**report(NO_PACKAGES), "Metadata": {"ImageConfig": {}}}),
        "no package was recognised",
    ),
    "blind": (lambda w: w.says(sbom=report(OS_PACKAGES, kind="cyclonedx")), "finds nothing in openssl 3.0.0"),
    "no database": (lambda w: (w.folder / "trivy.db").unlink(), "no vulnerability database"),
    "no metadata": (lambda w: (w.folder / "metadata.json").unlink(), "no vulnerability database"),
    "empty database": (lambda w: w.made(NOW, content=""), "0 bytes"),
    "database of another schema": (lambda w: w.made(NOW, version=1), "not a database of schema 2"),
    "old database": (lambda w: w.made(NOW - datetime.timedelta(days=4)), "4 days old, 3 are allowed"),
    "database from the future": (lambda w: w.made(NOW + datetime.timedelta(days=2)), "from the future"),
    "another version": (lambda w: rewrite(w.folder / "scan.toml", "0.69.3", "0.69.2"), "is not trivy 0.69.2"),
    "no checksum": (lambda w: rewrite(w.folder / "scan.toml", w.sha256, "latest"), "is no SHA-256"),
}


def rewrite(file: Path, old: str, new: str) -> None:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


@pytest.mark.parametrize("name", BREAKS)
def test_a_scan_that_is_not_complete_is_not_clean(world: World, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.scan() == 0
    assert capsys.readouterr().out.startswith("clean: ")
    breaks, says = BREAKS[name]
    breaks(world)
    assert world.scan() == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("garrison scan: ")
    assert says in told.err
    assert len(told.err.splitlines()) <= 2, "one line, with one below it for a settings file"


def test_a_tampered_scanner_does_not_run_at_all(world: World) -> None:
    assert world.scan() == 0
    assert world.calls, "the stand-in notes its calls"
    tampered(world)
    assert world.scan() == 2
    assert not world.calls


def test_no_list_of_checksums_means_no_scanner(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(world.folder / "scan.toml", f'["{world.sha256}"]', "[]")
    assert world.scan() == 2
    assert "nothing says which trivy to trust" in capsys.readouterr().err
    assert not world.calls


def test_who_built_the_scanner_may_vouch_for_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(world.folder / "scan.toml", f'["{world.sha256}"]', "[]")
    monkeypatch.setenv("GARRISON_TRIVY_SHA256", world.sha256)
    assert world.scan() == 0
    monkeypatch.setenv("GARRISON_TRIVY_SHA256", "0" * 64)
    assert world.scan() == 2


def test_a_scanner_that_hangs_is_ended_with_its_children(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.scan() == 0
    world.behaves(f"sleep 600 >/dev/null 2>&1 & echo $! > {world.folder}/child; wait")
    world.settings(timeout=2)
    assert world.scan() == 2
    assert "no result in 2 s" in capsys.readouterr().err
    child = Path("/proc", (world.folder / "child").read_text().strip())
    deadline = time.monotonic() + 30
    while _lives(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _lives(child)


def _lives(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_scanner_obeys_nothing_but_its_arguments(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRIVY_IGNOREFILE, trivy.yaml, .trivyignore: each could make findings disappear."""
    monkeypatch.setenv("TRIVY_SEVERITY", "CRITICAL")
    monkeypatch.chdir(world.folder)
    (world.folder / ".trivyignore").write_text("CVE-2022-0778\n")
    assert world.scan() == 0
    assert "TRIVY" not in (world.folder / "environment").read_text()
    assert (world.folder / "listing").read_text() == ""
    for call in world.calls[1:]:
        for flag in ("--offline-scan", "--skip-db-update", "--skip-version-check", "--disable-telemetry"):
            assert flag in call


def test_an_image_that_was_changed_is_not_scanned(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.scan() == 0
    layout = world.folder / "layout"
    with tarfile.open(world.image.path) as tar:
        take(tar, layout)
    assert world.scan(layout) == 0
    blob = max((layout / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    blob.write_bytes(blob.read_bytes() + b"x")
    assert world.scan(layout) == 2
    assert "does not match its digest" in capsys.readouterr().err


@pytest.mark.parametrize("index", ['{"manifests": []}', '{"manifests": 3}', "{", '{"manifests": [{"digest": "x"}]}'])
def test_a_layout_without_exactly_one_image_is_refused(
    world: World, index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = world.folder / "layout"
    with tarfile.open(world.image.path) as tar:
        take(tar, layout)
    assert world.scan(layout) == 0
    (layout / "index.json").write_text(index)
    capsys.readouterr()
    assert world.scan(layout) == 2
    assert str(layout) in capsys.readouterr().err


def lock(world: World, text: str) -> Path:
    file = world.folder / "images.lock"
    file.write_text(text)
    return file


def test_a_stack_is_scanned_whole(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    stack = lock(world, f'x = "{world.image.pinned}"\n')
    assert world.scan(stack, "--images", str(world.folder)) == 0
    assert "1 scanned, 1 packages" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no image"),
        ('x = "shop.example/x:1"', "a tag can be moved"),
        (f'x = "shop.example/x@sha256:{"0" * 64}"', "no archive of x"),
        ("x = ", "cannot be read"),
    ],
)
def test_a_stack_with_an_image_that_is_not_there_is_not_clean(
    world: World, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.scan(lock(world, text), "--images", str(world.folder)) == 2
    assert says in capsys.readouterr().err
    assert world.scan(lock(world, f'x = "{world.image.pinned}"\n')) == 2
    assert "--images" in capsys.readouterr().err


def test_a_folder_in_which_nothing_is_recognised_is_not_clean(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    world.says(filesystem=report({"Target": "requirements.txt", "Class": "lang-pkgs"}, kind="filesystem"))
    assert world.scan(folder) == 0
    world.says(filesystem={**report(kind="filesystem"), "Results": None})
    assert world.scan(folder) == 2


def test_a_machine_that_fails_is_one_line_too(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.scan() == 0
    capsys.readouterr()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "layout")

    monkeypatch.setattr("garrison_supply.scan.target._copy", full)
    assert world.scan() == 2
    assert capsys.readouterr() == ("", "garrison scan: layout: No space left on device\n")


def test_what_is_nothing_is_refused(world: World, tmp_path: Path) -> None:
    assert world.scan(tmp_path / "nowhere") == 2
    assert world.scan(world.folder / "metadata.json") == 2
