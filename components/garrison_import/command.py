"""The command `garrison import`: manifests in, a first program and a report out. All of it is written, or nothing."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from garrison import defaults as d
from garrison.exits import Exit
from garrison_import.evidence.edges import evidence
from garrison_import.operations import Operations
from garrison_import.plan.make import plan
from garrison_import.plan.parts import Plan
from garrison_import.plan.verdicts import verdicts
from garrison_import.program import LOCK, lock, program
from garrison_import.read.documents import Documents, ImportingError, read
from garrison_import.read.world import world
from garrison_import.report import FORMATS, report

_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,50}[a-z0-9])?")
DESCRIPTION = """A first program from manifests that there are: Kubernetes' YAML or JSON, what helm template or kubectl
kustomize write. Every edge that they show is in it, and none that they do not; what they do not say is a line marked
open, which is refused until it is filled in. No value of a secret is copied."""


def main(arguments: Sequence[str]) -> int:
    """Run `garrison import`; returns its exit code."""
    options = parser().parse_args(arguments)
    if "-" in options.paths and len(options.paths) > 1:
        raise ImportingError("- is standard input, and stands alone; put it into a file beside the others")
    targets = [Path(options.output), Path(options.output).parent / LOCK] if options.output else []
    targets += [Path(options.report)] if options.report else []
    _free(targets, force=options.force)
    made = _plan(options)
    texts = {}
    if options.output:
        texts = {targets[0]: program(made, lock_beside=True), targets[1]: lock(made)}
    said = report(made, options.format)
    if options.report:
        texts[Path(options.report)] = said
    _write(texts)
    if not options.output:
        print(program(made, lock_beside=False), end="")
    if not options.report:
        sys.stdout.flush()
        print(said, end="", file=sys.stderr)
    return Exit.CLEAN


def parser() -> argparse.ArgumentParser:
    """Its options."""
    made = argparse.ArgumentParser(prog="garrison import", description=DESCRIPTION)
    add = made.add_argument
    add("paths", nargs="+", metavar="PATH", help="files or folders, or - for standard input")
    add("-o", "--output", metavar="FILE", help=f"the program, with {LOCK} beside it (default: standard output)")
    add("--report", metavar="FILE", help="the report (default: standard error)")
    add("--format", choices=FORMATS, default="table", help="of the report; default: %(default)s")
    add("--name", help="the App's name (default: the namespace, where there is one alone)")
    add("--namespace", help="of what names none (default: the App's name)")
    add("--openapi", action="append", default=[], metavar="NAME=FILE", help="the operations of a callee, of OpenAPI 3")
    add(
        "--proto", action="append", default=[], metavar="[NAME=]FILE", help="those of gRPC; without NAME by their names"
    )
    add("--force", action="store_true", help="write over files that are there")
    return made


def _plan(options: argparse.Namespace) -> Plan:
    documents = read(options.paths)
    name = options.name or _name(documents, options.namespace)
    for option, text in (("--namespace", options.namespace), ("--name", name)):
        if text is not None and (not _LABEL.fullmatch(text) or text in d.RESERVED_NAMESPACES):
            raise ImportingError(
                f"{option} {text!r}: use a DNS label of at most 52 letters that Kubernetes does not keep"
            )
    whole = world(documents, options.namespace or name)
    names = [work.ref.name for work in whole.workloads]
    operations = Operations(options.openapi, options.proto, names)
    return plan(name, whole, documents, evidence(whole), operations, verdicts(documents.objects))


def _name(documents: Documents, namespace: str | None) -> str:
    """The one namespace that the documents name, else the one that was given, else `app`."""
    named = {item.namespace for item in documents.objects if item.namespace} - {*d.RESERVED_NAMESPACES}
    return named.pop() if len(named) == 1 else namespace or "app"


def _free(targets: Sequence[Path], *, force: bool) -> None:
    """Refuses to write over what somebody may have changed since."""
    for target in targets:
        if target.is_dir():
            raise ImportingError(f"{target}: is a folder; name a file")
        if target.exists() and not force:
            raise ImportingError(f"{target}: is there already; move it away, or say --force")
        if not target.parent.is_dir():
            raise ImportingError(f"{target}: there is no folder {target.parent}")


def _write(texts: dict[Path, str]) -> None:
    """All files, each whole: first beside their places, then moved there. Where one cannot be, none is there."""
    ready: list[tuple[str, Path]] = []
    new = [target for target in texts if not target.exists()]
    try:
        for target, text in texts.items():
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
            ready.append((name, target))
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).chmod(0o644)
        for name, target in ready:
            Path(name).replace(target)
    except BaseException:
        for target in new:
            target.unlink(missing_ok=True)
        raise
    finally:
        for name, _ in ready:
            with suppress(FileNotFoundError):
                Path(name).unlink()
