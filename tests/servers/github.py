"""What GitHub does with the templates, as far as they go: jobs in order, steps in fresh containers, artifacts.

An expression, an action or a field that is not known here ends the run: nothing is passed over.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from harness.fresh import Fresh, drop

Json = dict[str, Any]
# Two jobs whose containers begin alike are given the same beginning: run once, as the first of them runs it.
BEGINNINGS = re.compile(r"apt-get -qq update && .*|ci/steps/install")
_STEP = {"name", "uses", "with", "run", "env", "if"}
_JOB = {"strategy", "runs-on", "container", "timeout-minutes", "permissions", "env", "steps", "needs", "if",
        "environment", "uses"}  # fmt: skip


class JobFailedError(Exception):
    """A step of a job did not pass; what it said."""


@dataclass
class GitHub:
    """One run of workflows on one commit of a repository.

    place: an empty folder of its own. facts: what expressions stand for. stand_in: done in place of a `run` step.
    machine: variables that the machine gives every step.
    """

    origin: Path
    commit: str
    place: Path
    fresh: Fresh
    facts: Mapping[str, str]
    stand_in: Callable[[str, Path, Mapping[str, str]], bool]
    machine: Mapping[str, str] = field(default_factory=dict)
    begun: dict[tuple[Path, ...], dict[str, Fresh]] = field(default_factory=dict)
    results: dict[str, Json] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    def workflow(self, name: str) -> None:
        """All jobs, each after what it needs; a job that fails ends it."""
        read: Json = yaml.safe_load((self.origin / f".github/workflows/{name}").read_text())
        left = dict(read["jobs"])
        while left:
            name = next(n for n, job in left.items() if not set(_needs(job)) & left.keys())
            job = left.pop(name)
            assert set(job) <= _JOB, set(job) - _JOB
            if "uses" in job:
                self.workflow(job["uses"].removeprefix("./.github/workflows/"))
            else:
                for matrix in _matrix(job):
                    self.job("-".join([name, *matrix.values()]), job, matrix)
            self.results[name] = {"result": "success"}

    def only(self, workflow: str, name: str) -> Path:
        """One job of a workflow, after others have passed; returns its checkout."""
        job = yaml.safe_load((self.origin / f".github/workflows/{workflow}").read_text())["jobs"][name]
        self.results |= {need: {"result": "success"} for need in _needs(job)}
        self.job(f"{workflow.removesuffix('.yml')}-{name}", job, {})
        return self.checkout(f"{workflow.removesuffix('.yml')}-{name}")

    def checkout(self, name: str) -> Path:
        """Where a job works."""
        return self.place / f"{name}.checkout"

    def job(self, name: str, job: Json, matrix: Mapping[str, str]) -> None:
        """Every step of one job, in a container that has nothing of the others."""
        checkout = self.checkout(name)
        checkout.mkdir()
        needs = {need: self.results[need] for need in _needs(job)}
        facts = {**self.facts, "toJSON(needs)": json.dumps(needs)}
        facts |= {f"matrix.{key}": value for key, value in matrix.items()}
        here, layer = self.fresh, self.place / f"{name}.layer"
        drop(layer)
        for step in job["steps"]:
            assert set(step) <= _STEP, set(step) - _STEP
            env = {key: _filled(value, facts) for key, value in {**job.get("env", {}), **step.get("env", {})}.items()}
            if "uses" in step:
                given = {key: _filled(value, facts) for key, value in step.get("with", {}).items()}
                self._action(step["uses"].partition("@")[0], given, checkout)
            elif BEGINNINGS.fullmatch(step["run"]) and not layer.exists():
                here = self._begun(here, step["run"], checkout)
            elif not self.stand_in(step["run"], checkout, env):
                done = here.run(step["run"], checkout, layer, {**self.machine, **env})
                self.said[name] = done.stdout + done.stderr
                if done.returncode:
                    raise JobFailedError(f"{name}: {step['run']}: {done.returncode}\n{self.said[name][-3000:]}")

    def _begun(self, here: Fresh, script: str, checkout: Path) -> Fresh:
        known = self.begun.setdefault(here.layers, {})
        if script not in known:
            layer = self.place / f"begun-{len(self.begun)}-{len(known)}"
            done = here.run(script, checkout, layer, {})
            if done.returncode:
                raise JobFailedError(f"{script}: {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
            known[script] = here.after(layer)
        return known[script]

    def _action(self, action: str, given: Mapping[str, str], checkout: Path) -> None:
        shelf = self.place / "artifacts"
        match action.removeprefix("actions/"):
            case "checkout":
                ref = given.get("ref", self.commit)
                for command in (("clone", "--quiet", self.origin, checkout), ("-C", checkout, "checkout", "-q", ref)):
                    subprocess.run(["git", *command], check=True, capture_output=True)
            case "upload-artifact":
                _upload(checkout / given["path"], shelf / given["name"])
            case "download-artifact":
                _download(shelf, given, checkout / given["path"])
            case _:
                raise NotImplementedError(action)


def _needs(job: Json) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def _matrix(job: Json) -> Iterator[dict[str, str]]:
    matrix = job.get("strategy", {}).get("matrix", {})
    assert len(matrix) <= 1
    yield from ({key: value} for key, values in matrix.items() for value in values)
    if not matrix:
        yield {}


def _filled(value: Any, facts: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: facts[found[1]], str(value))


def _upload(source: Path, target: Path) -> None:
    """As a zip does: without what may be run, and no second one of a name."""
    if not any(path.is_file() for path in source.rglob("*")):
        raise JobFailedError(f"upload-artifact {target.name}: there is nothing in {source.name}")
    target.mkdir(parents=True)
    for path in source.rglob("*"):
        if path.is_file():
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def _download(shelf: Path, given: Mapping[str, str], target: Path) -> None:
    """By name into the folder; by pattern into a folder for each, or all into one."""
    patterns = _braces(given.get("name") or given["pattern"])
    found = [one for one in sorted(shelf.iterdir()) if any(fnmatch(one.name, pattern) for pattern in patterns)]
    if "name" in given and not found:
        raise JobFailedError(f"download-artifact: there is no {given['name']}")
    together = "name" in given or given.get("merge-multiple") == "True"
    for one in found:
        shutil.copytree(one, target if together else target / one.name, dirs_exist_ok=True)


def _braces(pattern: str) -> list[str]:
    head, brace, rest = pattern.partition("{")
    inside, _, tail = rest.partition("}")
    return [head + one + tail for one in inside.split(",")] if brace else [pattern]
