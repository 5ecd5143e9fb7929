"""Load generators that nobody here wrote: Debian's h2load and wrk, unpacked into the cache when they are first needed.

    python -m harness.loadtools [lock]

They are never installed: their libraries lie beside them. `lock` takes the newest packages; a version that Debian's
archive has dropped is replaced as everywhere (packages.py).
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import architecture, archive, artefact, debs, packages, paths, shell
from harness.errors import HarnessError

LOCK = paths.HARNESS / f"node/loadtools{architecture.here().mark}.lock"
# What the two link; the C library is the machine's.
_PACKAGES = (
    "libcap2 libev4 libgcc-s1 libgcrypt20 libgpg-error0 libicu72 libjansson4 libjemalloc2 libluajit-5.1-2 liblz4-1 "
    "liblzma5 libnghttp2-14 libssl3 libstdc++6 libsystemd0 libxml2 libzstd1 nghttp2-client wrk zlib1g"
)
PACKAGES = tuple(_PACKAGES.split())


def root() -> Path:
    """The folder they are unpacked in; fetched and made when it is missing."""
    lock = packages.settled(LOCK)
    place = artefact.folder("loadtools", artefact.key(lock.read_text()))
    return artefact.made(place, "h2load and wrk of Debian", lambda scratch: debs.extract(debs.files(lock), scratch))


def run(name: str, *arguments: str, seconds: float = 300) -> str:
    """What `h2load` or `wrk` prints; where it fails, that is the error."""
    libraries = ":".join(str(root() / place) for place in architecture.here().libraries)
    command = [str(root() / "usr/bin" / name), *arguments]
    done = subprocess.run(
        command, env={"LD_LIBRARY_PATH": libraries}, capture_output=True, text=True, timeout=seconds, check=False
    )
    if done.returncode:
        raise HarnessError(f"{name}: {shell.last_words(done.stderr or done.stdout)}")
    return done.stdout


def cpu(process: int) -> float:
    """Microseconds on a processor of all its threads so far (proc(5), schedstat: nanoseconds)."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e3


@dataclass(frozen=True)
class Load:
    """What came of requests; times in microseconds."""

    passed: int
    """Answered with 2xx or 3xx."""
    failed: int
    """Everything else: another status, a reset, none at all."""
    seconds: float
    times: tuple[int, ...]
    """Of each request, sorted."""
    said: str = ""
    """How many came to which end, in h2load's own words."""

    def time(self, share: float) -> int:
        """Within which that share of the requests was answered."""
        return self.times[min(len(self.times) - 1, int(len(self.times) * share))] if self.times else 0


def h2load(
    host: str, port: int, path: str, *, requests: int, clients: int = 4, streams: int = 8, flags: Sequence[str] = ()
) -> Load:
    """So many requests to https://host:port of this machine, over HTTP/2 unless `flags` has --h1 or another scheme."""
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch, "times")
        scheme = "http" if "--plain" in flags else "https"
        given = [flag for flag in flags if flag != "--plain"]
        many = [f"--requests={requests}", f"--clients={clients}", f"--max-concurrent-streams={streams}"]
        where = [f"--connect-to=127.0.0.1:{port}", f"--log-file={log}", f"{scheme}://{host}{path}"]
        said = run("h2load", *many, *given, *where)
        rows = [line.split("\t") for line in log.read_text().splitlines()]
    passed = re.search(r"^requests: .* (\d+) succeeded,", said, re.MULTILINE)
    took = re.search(r"^finished in ([0-9.]+)(us|ms|s|m|min)?,", said, re.MULTILINE)
    if not passed or not took:
        raise HarnessError(f"h2load says nothing that is known: {said[-500:]}")
    unit = {"us": 1e-6, "ms": 1e-3, "s": 1.0}[took[2] or "s"]
    good = int(passed[1])
    ends = " ".join(re.findall(r"^(?:requests|status codes): .*$", said, re.MULTILINE))
    return Load(good, requests - good, float(took[1]) * unit, tuple(sorted(int(row[2]) for row in rows)), ends)


@dataclass(frozen=True)
class Seconds:
    """What wrk says of its seconds: requests, and times in microseconds."""

    passed: int
    failed: int
    seconds: float
    median: float
    late: float
    """Of the slowest of a hundred."""


def wrk(
    port: int, path: str, *, seconds: int, clients: int = 16, method: str = "GET", headers: Sequence[str] = ()
) -> Seconds:
    """As many requests as it gets answered in so many seconds, over HTTP/1.1 in clear to this machine."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f'wrk.method = "{method}"\n')
        script.flush()
        flags = [
            "--threads=1",
            f"--connections={clients}",
            f"--duration={seconds}s",
            "--latency",
            f"--script={script.name}",
        ]
        said = run("wrk", *flags, *(f"--header={one}" for one in headers), f"http://127.0.0.1:{port}{path}")
    total = re.search(r"^ *(\d+) requests in ([0-9.]+)s", said, re.MULTILINE)
    late = dict(re.findall(r"^ +(50|99)% +([0-9.]+(?:us|ms|s))$", said, re.MULTILINE))
    if not total or len(late) != 2:
        raise HarnessError(f"wrk says nothing that is known: {said[-500:]}")
    wrong = sum(map(int, re.findall(r"(?:Non-2xx or 3xx responses:|connect|read|write|timeout) (\d+)", said)))
    median, slow = (_microseconds(late[share]) for share in ("50", "99"))
    return Seconds(int(total[1]) - wrong, wrong, float(total[2]), median, slow)


def _microseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([0-9.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def main(arguments: list[str]) -> int:
    """The command line; see the top of this file."""
    if arguments == ["lock"]:
        debs.write_lock(LOCK, archive.newest(PACKAGES))
    elif arguments:
        raise HarnessError(f"{arguments[0]!r} is not known: python -m harness.loadtools [lock]")
    print(f"{run('h2load', '--version').strip()}, wrk: {root()}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except HarnessError as problem:
        sys.exit(f"loadtools: {problem}")
