"""`garrison ci run NAME -- COMMAND`: one check and its report."""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from garrison_supply.pipelines import report, subject
from garrison_supply.pipelines.errors import PipelineError
from garrison_supply.pipelines.report import Report

LINES = 40  # of a check's text that its report keeps: enough for a reason, too little for a log
COULD_NOT = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("name", help="STEP/CHECK, as in lint/types")
    parser.add_argument("--json", action="store_true", help="the command prints JSON; the report keeps it")
    parser.add_argument("--lock", type=Path, default=subject.LOCK, help="the images (default: %(default)s)")
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="what to run, after --")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command, write its report, return its exit code; output that is not the promised JSON is 2."""
    reports = report.folder()
    # An earlier report must not outlive a run that is killed: then there is none, and the gate says so.
    report.path(reports, options.name).unlink(missing_ok=True)
    about, started = subject.current(options.lock), _now()
    code, output, lines = _parsed(*_execute(options.command)) if options.json else _streamed(options.command)
    made = Report(
        name=options.name,
        commit=about.commit,
        images=about.images,
        started=started,
        finished=_now(),
        command=options.command,
        exit=code,
        output=output,
        lines=lines,
    )
    report.write(reports, made)
    print(f"{options.name}: {'passed' if code == 0 else f'failed ({code})'}", file=sys.stderr)
    return code


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _start(command: Sequence[str], **streams: Any) -> subprocess.Popen[str]:
    """Start it. `garrison` is the one that runs here, whatever else PATH may hold."""
    words = [sys.executable, "-m", *command] if command[0] == "garrison" else list(command)
    try:
        return subprocess.Popen(words, text=True, errors="replace", **streams)
    except OSError as error:
        raise PipelineError(f"{command[0]} cannot be started ({error.strerror}); install it or mend the step") from None


def _execute(command: Sequence[str]) -> tuple[int, str, str]:
    with _start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, err = process.communicate()
    sys.stderr.write(err)
    return process.returncode, out, err


def _parsed(code: int, out: str, err: str) -> tuple[int, Any, list[str]]:
    lines = err.strip().splitlines()[-LINES:]
    try:
        return _exit(code), json.loads(out), lines
    except (ValueError, RecursionError):
        if code not in (0, 1):  # it could not do its work, and has said why
            return _exit(code), None, lines
        return COULD_NOT, None, [*lines, "it ended as if it had an answer, and printed no JSON"]


def _streamed(command: Sequence[str]) -> tuple[int, None, list[str]]:
    """Show the text while it comes, and keep its end."""
    kept: deque[str] = deque(maxlen=LINES)
    with _start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        stream: IO[str] | None = process.stdout
        assert stream is not None
        for line in stream:
            sys.stdout.write(line)
            kept.append(line.rstrip("\n")[:500])
    return _exit(process.returncode), None, list(kept)


def _exit(code: int) -> int:
    return code if code >= 0 else 128 - code
