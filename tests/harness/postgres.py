"""A throw-away PostgreSQL for tests: the programs of the estate's own image, run without an engine.

Reached through a socket in its own folder and nowhere else. As root it runs as `nobody`, since
PostgreSQL refuses root, from a copy, since nobody may look into root's cache.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import architecture, images, shell
from harness.errors import HarnessError

NOBODY = 65534
# The machine's own loader runs the programs, so the C library must be the machine's own too.
OF_LIBC = ("ld-", "libc.", "libm.", "libmvec.", "libpthread.", "libdl.", "librt.", "libresolv.", "libnss_", "libutil.")


@dataclass
class Server:
    """A running server; `home` is its socket folder, the superuser is `postgres`."""

    home: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def conninfo(self) -> str:
        return f"host={self.home} user=postgres dbname=postgres"

    def start(self) -> None:
        """Start and wait until it answers."""
        settings = {"listen_addresses": "", "unix_socket_directories": str(self.home), "fsync": "off"}
        options = [f"-c{key}={value}" for key, value in settings.items()]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program("postgres"), "-D", self.home / "data", *options],
                stdout=log,
                stderr=log,
                **self.unprivileged(),
            )
        deadline = time.monotonic() + 30
        while subprocess.run(
            [self.program("pg_isready"), "-q", "-h", self.home], check=False, **self.unprivileged()
        ).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise HarnessError(f"PostgreSQL did not start: {shell.last_words((self.home / 'log').read_text())}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop at once; connections are cut."""
        if self.process:
            self.process.send_signal(signal.SIGQUIT)  # immediate shutdown, nothing here is worth a checkpoint
            self.process.wait(30)
            self.process = None

    def unpack(self) -> None:
        """The programs and their libraries, where the unprivileged user may read them."""
        root = images.postgres_root()
        shutil.copytree(root / "usr/lib/postgresql", self.home / "lib/postgresql", symlinks=True)
        shutil.copytree(root / "usr/share/postgresql", self.home / "share/postgresql", symlinks=True)
        (self.home / "libs").mkdir()
        for library in (path for place in architecture.here().libraries for path in root.glob(f"{place}/*.so.*")):
            if not library.name.startswith(OF_LIBC):
                shutil.copyfile(library, self.home / "libs" / library.name)

    def initialise(self) -> None:
        """Make the data folder."""
        command = ["initdb", "-D", str(self.home / "data"), "-U", "postgres", "-A", "trust", "-N", "--locale=C.UTF-8"]
        made = subprocess.run(
            [self.program(command[0]), *command[1:]],
            capture_output=True,
            text=True,
            check=False,
            **self.unprivileged(),
        )
        if made.returncode:
            raise HarnessError(f"initdb: {shell.last_words(made.stderr)}")

    def program(self, name: str) -> Path:
        return self.home / "lib/postgresql/15/bin" / name

    def unprivileged(self) -> dict[str, Any]:
        """The environment and, for root, the unprivileged user to run as."""
        env = {"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(self.home / "libs"), "TZ": "UTC"}
        if os.geteuid():
            return {"env": env}
        return {"env": env, "user": NOBODY, "group": NOBODY, "extra_groups": []}


@contextmanager
def throw_away() -> Iterator[Server]:
    """A new, empty server, gone with everything in it at the end."""
    home = Path(tempfile.mkdtemp(prefix="garrison-postgres-"))
    home.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
    server = Server(home)
    try:
        server.unpack()
        server.initialise()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
