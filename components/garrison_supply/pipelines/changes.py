"""`garrison ci changes BASE`: what a change means in words, and which objects differ from another commit's, as JSON."""

from __future__ import annotations

import argparse
import difflib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from garrison_supply.pipelines.errors import PipelineError

Objects = dict[tuple[str, str, str], Mapping[str, Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("base", help="the commit to compare with, as git names it")
    parser.add_argument("--app", type=Path, default=Path("stacks/estate.py"), help="the program (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the changes; 0 however many there are, because a change is no fault."""
    with tempfile.TemporaryDirectory(prefix="garrison-base-") as folder:
        _checkout(options.base, Path(folder))
        before = Path(folder) / options.app
        # A program that the base does not have yet is a change of everything.
        old, new = _render(before) if before.exists() else {}, _render(options.app)
        words = _words(before, options.app) if before.exists() else ["+ everything: the program is new"]
    counts = {"before": len(old), "after": len(new)}
    told = {"base": options.base, "words": words, "objects": counts, "changes": list(compare(old, new))}
    json.dump(told, sys.stdout, indent=2)
    print()
    return 0


def _checkout(commit: str, folder: Path) -> None:
    """The files of a commit, without touching this checkout."""
    archive = subprocess.run(["git", "archive", "--format=tar", commit, "--"], capture_output=True, check=False)
    if archive.returncode:
        words = archive.stderr.decode(errors="replace").strip().splitlines()
        raise PipelineError(f"{commit}: {words[-1] if words else 'no such commit'}; fetch it first (fetch-depth: 0)")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)


def _words(before: Path, after: Path) -> list[str]:
    """Who may newly do what, and who no longer."""
    found = json.loads(_garrison(after, "changes", str(before), str(after), "--format", "json"))
    return list(found["words"])


def _render(app: Path) -> Objects:
    """The manifests of a program, rendered in a process of its own: two versions must not share their modules."""
    found = (item for item in yaml.load_all(_garrison(app, "render", "--app", str(app)), Loader=_loader()) if item)
    return {_name(item): item for item in found}


def _garrison(app: Path, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "garrison", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PipelineError(f"{app}: {' '.join(done.stderr.split())[:300]}")
    return done.stdout


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _name(item: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = item.get("metadata") or {}
    return str(item.get("kind")), str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def compare(before: Objects, after: Objects) -> Iterator[dict[str, str]]:
    """One row for each object that is new, gone or different, with the difference as text."""
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old != new:
            change = "create" if old is None else "delete" if new is None else "update"
            kind, namespace, name = key
            yield {"change": change, "kind": kind, "namespace": namespace, "name": name, "diff": _diff(old, new)}


def _diff(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> str:
    return "\n".join(difflib.unified_diff(_dump(old), _dump(new), "before", "after", lineterm=""))


def _dump(item: Mapping[str, Any] | None) -> list[str]:
    return yaml.safe_dump(_opened(item), sort_keys=True, width=120).splitlines() if item else []


def _opened(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """With what a ConfigMap holds as JSON spread out: what differs in it is then a few lines, and not one of 5 KB."""
    data = item.get("data")
    return {**item, "data": {key: _read(value) for key, value in data.items()}} if isinstance(data, Mapping) else item


def _read(text: Any) -> Any:
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        return text
    return found if isinstance(found, dict | list) else text
