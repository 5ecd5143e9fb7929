"""The probe tool behind a real firewall: what rejects is told from what is closed, at whatever moment it is noted."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from garrison.prove.judge import classify
from garrison.prove.model import Connect

REJECT = """
set -e
ip link set lo up
iptables -A INPUT -p tcp --dport 81 -j REJECT --reject-with icmp-port-unreachable
iptables -A INPUT -p tcp --dport 82 -j REJECT --reject-with icmp-admin-prohibited
iptables -A INPUT -p tcp --dport 83 -j DROP
exec "$@"
"""
# Linux wakes a waiting connect before it notes the error: seen on a quiet cluster, once in some thousand refusals.
EARLY = """
import select, socket
from prober import net

class Early(socket.socket):
    def connect(self, where):
        self.setblocking(False)
        self.connect_ex(where)
        waiting = select.poll()
        waiting.register(self, select.POLLERR)
        assert waiting.poll(5000)

socket.socket = Early
try:
    net.connect("127.0.0.1", 81, 2.0)
    print("connected")
except net.AttemptError as error:
    print(error)
"""


def behind_a_firewall(*arguments: str, stdin: str = "") -> str:
    """What Python says in a network namespace of its own; skips where there is none to be had."""
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", REJECT, "sh", sys.executable, *arguments],
        input=stdin,
        env={"PYTHONPATH": str(Path(__file__).parents[3] / "services"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    if "perm" in done.stderr.lower():
        pytest.skip(f"no network namespace to be had here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout


needs_iptables = pytest.mark.skipif(
    not shutil.which("iptables"), reason="needs iptables in a network namespace of its own"
)


@needs_iptables
def test_a_firewalls_rejection_is_told_from_a_closed_port() -> None:
    attempts = [{"action": "connect", "host": "127.0.0.1", "port": port} for port in (80, 81, 82, 83)]
    said = behind_a_firewall("-m", "prober", stdin=json.dumps({"timeout": 0.5, "attempts": attempts}))
    seen = [o["error"] for o in json.loads(said)["observations"]]
    assert seen == ["refused", "icmp", "icmp", "timeout"]
    layers = [classify.read(Connect(), o).layer for o in json.loads(said)["observations"]]
    assert layers == ["workload", "network", "network", "network"]


@needs_iptables
def test_a_rejection_that_linux_has_not_noted_yet_is_no_connection() -> None:
    assert behind_a_firewall("-c", EARLY) == "none: icmp\n"
