"""Suites that nobody here wrote, against the derived edge: sslyze on its TLS, h2spec on its HTTP/2."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from garrison import defaults as d
from harness.build import binary
from harness.paths import cache
from servers.edges import Edge, stand
from unit.edges import API

HERE = Path(__file__).parent
PARTS = ("generic", "hpack", *(f"http2/{section}" for section in range(3, 9)))  # all that it has
LOCK = HERE / "sslyze.lock"
OLD = ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2")
MOST = '"max_tokens":{},"tokens_per_fill":{}'
FREE = {MOST.format(d.ADDRESS_RATE[0], d.ADDRESS_RATE[0]): MOST.format(10**6, 10**6)}
# h2spec asks for the name that it connects to, and this machine knows no other.
LOCALHOST = {
    f'"server_names":["{API}"]': '"server_names":["localhost"]',
    '"domains":["*"],"name":"another"': '"domains":["elsewhere.example"],"name":"another"',
    f'"domains":["{API}",': '"domains":["*",',
}


@pytest.fixture
def edge(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Edge]:
    with stand(tmp_path, changes=FREE | getattr(request, "param", {})) as made:
        yield made


def sslyze() -> Path:
    """Its interpreter, in an environment of its own: its pins are not ours."""
    home = cache() / f"sslyze-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    if not (home / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        install = [str(home / "bin" / "pip"), "install", "--quiet", "--require-hashes", "-r", str(LOCK)]
        subprocess.run(install, check=True, capture_output=True)
        (home / "done").touch()
    return home / "bin" / "python"


def test_nothing_below_tls_1_3_is_offered(edge: Edge) -> None:
    out = edge.folder / "sslyze.json"
    checks = ["sslv2", "sslv3", "tlsv1", "tlsv1_1", "tlsv1_2", "tlsv1_3", "early_data", "compression", "heartbleed"]
    command = [str(sslyze()), "-m", "sslyze", "--mozilla_config=disable", f"--json_out={out}"]
    where = f"{API}:{edge.port}{{127.0.0.1}}"
    subprocess.run([*command, *(f"--{check}" for check in checks), where], check=True, capture_output=True, timeout=120)
    (server,) = json.loads(out.read_text())["server_scan_results"]
    found = server["scan_result"]
    offered = {name: found[f"{name}_cipher_suites"]["result"]["accepted_cipher_suites"] for name in (*OLD, "tls_1_3")}
    assert {name for name, suites in offered.items() if suites} == {"tls_1_3"}
    assert found["tls_1_3_early_data"]["result"]["supports_early_data"] is False
    assert found["tls_compression"]["result"]["supports_compression"] is False
    assert found["heartbleed"]["result"]["is_vulnerable_to_heartbleed"] is False


@pytest.mark.parametrize("edge", [LOCALHOST], indirect=True)
def test_http_2_is_spoken_as_before(edge: Edge) -> None:
    """h2spec.txt has what Envoy answers otherwise than h2spec expects; nothing may come to that."""
    known = {line for line in (HERE / "h2spec.txt").read_text().splitlines() if line and not line.startswith("#")}
    new: set[str] | None = None
    for _ in range(3):  # it races with Envoy for who closes first: what is worse is worse each time
        with ThreadPoolExecutor(len(PARTS)) as pool:  # each case waits for a closing, or for two seconds
            said = [*pool.map(lambda part: h2spec(edge.port, part), PARTS)]
        assert sum(int(n) for text in said for n in re.findall(r"^(\d+) tests, ", text, re.MULTILINE)) == 145, said
        found = {failed for text in said for failed in failures(text.partition("Failures:")[2])} - known
        new = found if new is None else new & found
        if not new:
            return
    assert new == set()


def h2spec(port: int, part: str) -> str:
    """What it says of one part of its cases."""
    command = [str(binary("h2spec")), part, "-h", "localhost", "-p", str(port), "-t", "-k", "-o", "2"]
    command += ["--path", "/items"]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False).stdout


def failures(text: str) -> set[str]:
    """Section and title of each case that did not pass."""
    found, section = set[str](), ""
    for line in text.splitlines():
        if heading := re.match(r"\s*([0-9][0-9.]*\.)\s", line):
            section = heading[1]
        elif failed := re.match(r"\s*\u00d7 \d+: (.*)", line):
            found.add(f"{section} {failed[1]}")
    return found
