"""The Docker engine: the running one; else, as root on Debian, installed if need be and started.

Everything this starts outlives the command that started it; nothing under the machine's cgroup
tree is touched.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlencode

from harness import apt, paths, shell
from harness.errors import HarnessError
from harness.progress import say

_START_SECONDS = 60
SOCKET = Path("/var/run/docker.sock")
_DAEMON_PID = Path("/var/run/docker.pid")


def ensure() -> None:
    """Return with a Docker engine that answers, or raise one clear sentence."""
    if running():
        if not apt.can_install():
            _left_alone()
        return
    if where := _elsewhere():
        if apt.can_install():
            apt.need("docker", "docker.io")  # in a container with the machine's socket only the command is missing
        if not running():
            raise HarnessError(f"the Docker engine at {where} does not answer; start it or unset it: {_complaint()}")
        return
    if not apt.can_install():
        raise HarnessError(
            "no Docker engine answers: start Docker and see that this user may use it"
            f" (as root on Debian it would be installed and started for you): {_complaint()}"
        )
    apt.need("dockerd", "docker.io", "iptables")
    with shell.step("starting the Docker engine"):
        _start()


class _Socket(HTTPConnection):
    """The engine's own API, where it listens."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(SOCKET))


@functools.cache
def _left_alone() -> None:
    say("Docker answers, and this user is not root: no engine is started and no package installed, none is needed")


def _elsewhere() -> str:
    """Where an engine is that this process has not to start; "" where there is none."""
    return "DOCKER_HOST" if os.environ.get("DOCKER_HOST") else str(SOCKET) * listening()


def listening() -> bool:
    """Whether one listens at the socket, and to this user; it may want no more than its command, as in a container."""
    with closing(_Socket("engine", timeout=10)) as client:
        try:
            client.connect()
        except OSError:  # none, or left by one that was killed, or not for this user
            return False
    return True


def publishers(name: str, port: int) -> bool:
    """Whether a running container with such a name publishes that port: asked at the socket, without the command."""
    wanted = urlencode({"filters": json.dumps({"name": [name], "publish": [str(port)]})})
    with closing(_Socket("engine", timeout=10)) as client:
        try:
            client.request("GET", f"/containers/json?{wanted}")
            answer = client.getresponse()
            return answer.status == HTTPStatus.OK and bool(json.load(answer))
        except (OSError, HTTPException, ValueError):
            return False


def _complaint() -> str:
    """What the command says: an engine may be too new for it."""
    try:
        return shell.run(["docker", "version"], what="docker version")
    except HarnessError as error:
        return str(error)


def running() -> bool:
    """Whether an engine answers."""
    return shutil.which("docker") is not None and shell.succeeds(
        ["docker", "version", "--format", "{{.Server.Version}}"]
    )


def pid_file() -> Path:
    """The pid of the daemon that the harness started, if it did."""
    return paths.state() / "dockerd.pid"


def _start() -> None:
    log = paths.state() / "dockerd.log"
    paths.state().mkdir(parents=True, exist_ok=True, mode=0o700)
    if _systemd():
        shell.run(["systemctl", "start", "docker"], what="starting the Docker engine")
        return
    # Left by a daemon that was killed, its number may belong to another process by now: dockerd would refuse to start.
    if not is_daemon(pid(_DAEMON_PID)):
        _DAEMON_PID.unlink(missing_ok=True)
    with log.open("ab") as output:
        # A session of its own: it must survive this command and the shell it runs in.
        daemon = subprocess.Popen(
            ["dockerd"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
        )
    pid_file().write_text(f"{daemon.pid}\n")
    deadline = time.monotonic() + _START_SECONDS
    while not running():
        if daemon.poll() is not None:
            words = shell.last_words(log.read_text(errors="replace"))
            raise HarnessError(f"the Docker engine ended at once ({log}): {words}")
        if time.monotonic() > deadline:
            raise HarnessError(f"the Docker engine did not answer in {_START_SECONDS} s; see {log}")
        time.sleep(0.2)


def pid(file: Path) -> int:
    """The number in a pid file; 0 when there is none."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0


def is_daemon(number: int) -> bool:
    """Whether that process is a Docker daemon, and not another that got its number."""
    try:
        return Path(f"/proc/{number}/comm").read_text().strip() == "dockerd"
    except OSError:
        return False


def _systemd() -> bool:
    return Path("/run/systemd/system").is_dir()
