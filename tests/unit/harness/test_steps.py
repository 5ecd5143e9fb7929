"""What decides that a second `make up` has nothing to do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from garrison.declare import program
from harness import engine, environment, images, paths, stack, steps

SHELL_KEEPS = ("PATH", "PULUMI_STACK")  # what is the shell's own, or another project's


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "components" / "garrison").mkdir(parents=True)
    (tmp_path / "components" / "garrison" / "app.py").write_text("one")
    return tmp_path


def test_the_same_inputs_have_the_same_fingerprint(root: Path) -> None:
    before = steps.fingerprint(1, root)
    (root / "README.md").write_text("does not matter")
    (root / "components" / "__pycache__").mkdir()
    (root / "components" / "__pycache__" / "app.pyc").write_text("neither")
    assert steps.fingerprint(1, root) == before


def test_a_changed_source_or_size_is_another_fingerprint(root: Path) -> None:
    before = steps.fingerprint(1, root)
    assert steps.fingerprint(2, root) != before
    (root / "components" / "garrison" / "app.py").write_text("two")
    assert steps.fingerprint(1, root) != before


def test_env_sh_gives_a_shell_what_children_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GARRISON_STATE", str(tmp_path / "a state"))
    file = environment.write("garrison-unit")
    dump = "import json, os; print(json.dumps(dict(os.environ)))"
    script = f'. "{file}" && exec "{sys.executable}" -c \'{dump}\''
    shell = json.loads(subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout)
    expected = environment.variables("garrison-unit")
    assert {name: shell[name] for name in expected if name not in SHELL_KEEPS} == {
        name: value for name, value in expected.items() if name not in SHELL_KEEPS
    }
    assert "PULUMI_STACK" not in file.read_text()
    assert shell["PATH"].startswith(str(paths.state() / "garrison-unit" / "bin"))


def test_the_passphrase_is_private_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GARRISON_STATE", str(tmp_path))
    file = Path(environment.variables("garrison-unit")["PULUMI_CONFIG_PASSPHRASE_FILE"])
    first = file.read_text()
    assert len(first) > 30
    assert file.stat().st_mode & 0o777 == 0o600
    environment.variables("garrison-unit")
    assert file.read_text() == first


def test_only_the_locks_of_dead_engines_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GARRISON_STATE", str(tmp_path))
    locks = tmp_path / "c" / "pulumi" / ".pulumi" / "locks" / "organization" / "garrison" / "kind"
    locks.mkdir(parents=True)
    dead = subprocess.Popen(["true"])
    dead.wait()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as alive:
        (locks / "dead.json").write_text(json.dumps({"pid": dead.pid}))
        (locks / "alive.json").write_text(json.dumps({"pid": alive.pid}))
        stack._drop_stale_locks("c")
        assert [file.name for file in locks.iterdir()] == ["alive.json"]


def test_down_waits_until_the_daemon_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next `make up` may follow at once, and a second daemon does not start beside one that is ending."""
    daemon = shutil.copy("/bin/sleep", tmp_path / "dockerd")
    process = subprocess.Popen([str(daemon), "60"])
    threading.Thread(target=process.wait).start()  # somebody takes note of its end, as init does
    (tmp_path / "docker.pid").write_text(str(process.pid))
    monkeypatch.setattr(engine, "pid_file", lambda: tmp_path / "docker.pid")
    monkeypatch.setattr(engine, "running", lambda: False)
    steps._stop_engine()
    assert not engine.is_daemon(process.pid)
    assert not (tmp_path / "docker.pid").exists()


def test_digests_that_were_built_here_reach_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the committed ones, and only while there are some."""
    monkeypatch.setenv("GARRISON_STATE", str(tmp_path))
    pins = images.read_pins()
    other = {"orders": pins["orders"].partition("@")[0] + "@sha256:" + "1" * 64}
    images._note(pins, other)
    monkeypatch.setenv("GARRISON_IMAGES", environment.variables("garrison-unit")["GARRISON_IMAGES"])
    found = program.load(paths.REPO / "stacks/estate.py").graph()
    assert {service.image for service in found.services if service.name == "orders"} == set(other.values())
    assert {service.image for service in found.services if service.name == "payments"} == {pins["payments"]}
    images._note(pins, {})
    assert "GARRISON_IMAGES" not in environment.variables("garrison-unit")
