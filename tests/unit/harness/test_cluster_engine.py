"""The Docker engine: one clear sentence where it cannot be had; what a killed daemon left is no obstacle."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer
from urllib.parse import unquote

import pytest

from harness import apt, engine, entrance, machine
from harness.errors import HarnessError

CHMOD = shutil.which("chmod")


@pytest.fixture
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with no docker in PATH, and nobody who listens."""
    monkeypatch.setattr(engine, "SOCKET", tmp_path / "nowhere.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)


def test_without_docker_and_without_apt_it_says_what_to_do(no_engine: None) -> None:
    assert not apt.can_install()
    with pytest.raises(HarnessError, match=r"^no Docker engine answers: start Docker[^\n]*$"):
        engine.ensure()


def test_a_remote_engine_is_not_replaced_by_a_local_one(no_engine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    with pytest.raises(HarnessError, match="DOCKER_HOST does not answer"):
        engine.ensure()


def answering(folder: Path, name: str, says: str) -> Path:
    script = folder / name
    script.write_text(f"#!/bin/sh\n{says}\n")
    script.chmod(0o755)
    return script


def test_a_user_with_an_engine_is_told_that_nothing_is_installed(
    no_engine: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    engine._left_alone.cache_clear()
    answering(tmp_path, "docker", "echo 29.0")
    for _ in range(2):
        engine.ensure()
    assert capfd.readouterr().err.splitlines() == [
        "Docker answers, and this user is not root: no engine is started and no package installed, none is needed"
    ]


def test_in_a_container_with_the_machine_s_socket_only_the_command_is_installed(
    no_engine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second engine inside would make a cluster that ends with the container."""
    docker = tmp_path / "docker"
    made = f"printf '#!/bin/sh\\necho 29.0' >{docker}; {CHMOD} +x {docker}"
    apt_get = f'case "$*" in *docker.io*) {made};; esac'
    answering(tmp_path, "apt-get", apt_get)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(engine, "_start", lambda: pytest.fail("an engine was started"))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "docker.sock"))
        monkeypatch.setattr(engine, "SOCKET", tmp_path / "docker.sock")
        listening.listen()
        engine.ensure()
        assert engine.running()
        answering(tmp_path, "docker", "echo client version 1.41 is too old >&2; exit 1")
        with pytest.raises(HarnessError, match=r"^the Docker engine at .*docker.sock does not answer.*: .*is too old$"):
            engine.ensure()


def test_whose_port_it_is_is_asked_at_the_socket_where_the_command_is_missing(
    no_engine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a new container beside a running cluster: its edge's port is not somebody else's."""
    monkeypatch.setattr(engine, "SOCKET", tmp_path / "docker.sock")
    assert not engine.listening() and not engine.publishers("^/?garrison-control-plane", 8443)
    asked: list[str] = []

    class Engine(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(unquote(self.path))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'[{"Id": "1"}]' if '"8443"' in asked[-1] else b"[]")

        def log_message(self, *_: object) -> None:
            pass

        def address_string(self) -> str:
            return "a socket"

    with UnixStreamServer(str(engine.SOCKET), Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert engine.listening()
        monkeypatch.setattr(entrance, "free", lambda port: False)
        assert machine._is_free("garrison", 8443)
        assert not machine._is_free("garrison", 8444)
        server.shutdown()
    assert '"name":+["^/?garrison-(control-plane|worker)"]' in asked[0]


@pytest.mark.parametrize("left", ["own", "999999999", "no number", ""])
def test_a_pid_file_left_behind_names_no_daemon(left: str, tmp_path: Path) -> None:
    (tmp_path / "docker.pid").write_text(str(os.getpid()) if left == "own" else left)
    assert not engine.is_daemon(engine.pid(tmp_path / "docker.pid"))


def test_a_missing_package_is_asked_for_by_name(no_engine: None) -> None:
    with pytest.raises(HarnessError, match="mmdebstrap is missing: install mmdebstrap"):
        apt.need("mmdebstrap", "mmdebstrap")
