"""GitHub Actions files as rules see them: workflows, and composite actions as a workflow of one job."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from garrison_supply.pipelines.document import Where, strings
from garrison_supply.pipelines.expression import expressions
from garrison_supply.pipelines.rule import File, Hit
from garrison_supply.pipelines.shell import scanners

# The token of the run is governed by `permissions`; every other secret is somebody's credential.
SECRET = re.compile(r"\bsecrets\b(?!\.GITHUB_TOKEN\b)", re.IGNORECASE)
OWN = ("./", "$/")  # what a `uses` of this repository begins with
# Publishers whose actions GitHub itself ships. `--trust` adds those that a team reviews like its own code.
PUBLISHERS = frozenset({"actions", "github"})
# Events that a stranger causes and that nevertheless run with secrets and a write token.
PRIVILEGED_EVENTS = frozenset(
    {"pull_request_target", "workflow_run", "issue_comment", "issues", "discussion", "fork", "watch"}
)
PULL_REQUESTS = frozenset({"pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment"})


def matrix(strategy: Any, key: str) -> Iterator[Any]:
    """What a matrix gives a key (all, without one), in lists and includes; itself where it is computed."""
    table = strategy.get("matrix") if isinstance(strategy, Mapping) else None
    if not isinstance(table, Mapping):
        yield table
        return
    for name, listed in table.items():
        values = listed if isinstance(listed, list) else [listed]
        if name == "include":
            for row in values:
                yield from (
                    (v for k, v in row.items() if key in ("", str(k).lower())) if isinstance(row, Mapping) else [row]
                )
        elif key in ("", str(name).lower()):
            yield from values


def secrets(value: Any, where: Where = ()) -> Iterator[Hit]:
    """Every use of a secret in a part of a workflow."""
    for place, text in strings(value, where):
        if any(SECRET.search(inner) for inner in expressions(text)) or (
            place and place[-1] == "if" and re.search(r"\bsecrets\.", text)
        ):
            yield place, text.strip()[:80]


@dataclass(frozen=True)
class Step:
    """One step; `where` is its place in the file."""

    where: Where
    body: Mapping[str, Any]

    @property
    def uses(self) -> str:
        return str(self.body.get("uses") or "")

    @property
    def action(self) -> str:
        """The action without its ref, as GitHub compares it: in lower case, and `a/b/./c//d` is `a/b/c/d`."""
        return posixpath.normpath(self.uses.partition("@")[0].lower())

    @property
    def run(self) -> str:
        return str(self.body.get("run") or "")

    @property
    def arguments(self) -> Mapping[str, Any]:
        found = self.body.get("with")
        return found if isinstance(found, Mapping) else {}


@dataclass(frozen=True)
class Job:
    """One job of a workflow."""

    name: str
    where: Where
    body: Mapping[str, Any]
    workflow: Workflow = field(repr=False)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        found = self.body.get("steps")
        rows = found if isinstance(found, list) else []
        return tuple(Step((*self.where, "steps", n), row) for n, row in enumerate(rows) if isinstance(row, Mapping))

    @cached_property
    def containers(self) -> tuple[tuple[Where, Mapping[str, Any]], ...]:
        """The container it runs in, and its services; a bare name is the image."""
        services = self.body.get("services")
        places: list[tuple[Where, Any]] = [((*self.where, "container"), self.body.get("container"))]
        for name, row in services.items() if isinstance(services, Mapping) else ():
            places.append(((*self.where, "services", str(name)), row))
        return tuple((where, row if isinstance(row, Mapping) else {"image": row}) for where, row in places)

    @property
    def uses(self) -> str:
        """The reusable workflow it calls, if it does."""
        return str(self.body.get("uses") or "")

    @cached_property
    def permissions(self) -> Any:
        """Those in force: its own, else the workflow's; None where nobody says."""
        return self.body.get("permissions", self.workflow.body.get("permissions"))

    @cached_property
    def writes(self) -> tuple[str, ...]:
        """The scopes its token may write. Unsaid permissions can be all of them: the repository's setting decides."""
        if self.permissions is None and not self.workflow.composite:
            return ("unsaid permissions",)
        if isinstance(self.permissions, Mapping):
            return tuple(str(scope) for scope, level in self.permissions.items() if level == "write")
        return ("everything",) if self.permissions == "write-all" else ()

    @cached_property
    def secrets(self) -> tuple[Hit, ...]:
        """Every use of a secret in it, the workflow's variables included."""
        return (*secrets(self.workflow.body.get("env"), ("env",)), *secrets(self.body, self.where))

    @cached_property
    def privileged(self) -> bool:
        """Whether what runs here can change something outside of the run."""
        return bool(self.secrets or self.writes or "environment" in self.body)

    @cached_property
    def foreign(self) -> tuple[Hit, ...]:
        """What runs in it that others wrote and can change: their actions and scanners."""
        actions = ((s.where, self.origin(s)) for s in self.steps if s.uses and not self.workflow.trusts(self.origin(s)))
        tools = ((s.where, name) for s in self.steps for name in scanners(s.run))
        called = [(self.where, self.uses)] if self.uses and not self.workflow.trusts(self.uses) else []
        return (*called, *actions, *tools)

    def origin(self, step: Step) -> str:
        """What a step uses; for a local path into which another repository was checked out, that one at its ref."""
        if step.uses.startswith("./"):
            place = posixpath.normpath(step.uses)
            for earlier in self.steps[: self.steps.index(step)]:
                found = str(earlier.arguments.get("repository") or "").strip()
                folder = posixpath.normpath(str(earlier.arguments.get("path") or ".").strip())
                inside = folder == "." or place == folder or place.startswith(f"{folder}/")
                if earlier.action == "actions/checkout" and inside and found and "github.repository" not in found:
                    return f"{found}@{earlier.arguments.get('ref') or 'its default branch'}"
        return step.uses

    @cached_property
    def runs_pull_request(self) -> bool:
        """Whether it runs the code of a pull request: what is checked out there is the proposal."""
        checks_out = any(s.action == "actions/checkout" or "git fetch" in s.run for s in self.steps)
        runs = any(s.run or s.uses.startswith(OWN) for s in self.steps)
        return "pull_request" in self.workflow.triggers and checks_out and runs


@dataclass(frozen=True)
class Workflow(File):
    """One file below .github/workflows, or an action.yml."""

    trusted: frozenset[str] = PUBLISHERS

    @property
    def body(self) -> Mapping[str, Any]:
        return self.document.body

    @property
    def composite(self) -> bool:
        """An action: its caller decides on permissions, triggers and time."""
        return "runs" in self.body and "jobs" not in self.body

    @cached_property
    def triggers(self) -> frozenset[str]:
        found = self.body.get("on")
        if isinstance(found, Mapping | list):
            return frozenset(map(str, found))
        return frozenset({str(found)} if found else ())

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        if self.composite:
            return (Job("runs", ("runs",), self.body["runs"], self),) if isinstance(self.body["runs"], Mapping) else ()
        found = self.body.get("jobs")
        rows = found.items() if isinstance(found, Mapping) else ()
        return tuple(Job(str(name), ("jobs", str(name)), row, self) for name, row in rows if isinstance(row, Mapping))

    @property
    def steps(self) -> Iterator[Step]:
        for job in self.jobs:
            yield from job.steps

    def trusts(self, uses: str) -> bool:
        """Own code, or an action of a publisher that counts as such."""
        name = posixpath.normpath(uses.partition("@")[0].lower())
        owner, _, rest = name.partition("/")
        return uses.startswith(OWN) or owner in self.trusted or f"{owner}/{rest.partition('/')[0]}" in self.trusted

    def scripts(self) -> Iterator[Hit]:
        for step in self.steps:
            if step.run:
                yield (*step.where, "run"), step.run

    def images(self) -> Iterator[Hit]:
        for job in self.jobs:
            for where, body in job.containers:
                if body.get("image"):
                    yield where, str(body["image"])
            if self.composite and str(job.body.get("image", "")).startswith("docker://"):
                yield (*job.where, "image"), str(job.body["image"])

    def written_out(self, _where: Where, name: str) -> Iterator[str]:
        """With each value of the matrix, if it takes one from there."""
        key = re.search(r"\$\{\{\s*matrix\.([\w-]+)\s*\}\}", name)
        job = next((job for job in self.jobs if _where[: len(job.where)] == job.where), None)
        values = list(matrix(job.body.get("strategy"), key[1].lower())) if key and job else []
        if not key or not values:
            yield name
        for value in values:
            yield name.replace(key[0], str(value)) if key else name

    def pipefail(self, _where: Where) -> bool:
        """Bash has it where `shell: bash` is written; the shell that nobody names has not."""
        job = next((job for job in self.jobs if _where[: len(job.where)] == job.where), None)
        step = next((step for step in self.steps if _where[: len(step.where)] == step.where), None)
        named = [body.get("shell") for body in ([step.body] if step else [])]
        for body in (job.body if job else {}, self.body):
            defaults = body.get("defaults")
            run = defaults.get("run") if isinstance(defaults, Mapping) else None
            named.append(run.get("shell") if isinstance(run, Mapping) else None)
        shell = next((str(name) for name in named if name), "")
        windows = "windows" in str((job.body if job else {}).get("runs-on") or "")
        return (
            shell == "bash"
            or "pipefail" in shell
            or shell.startswith(("pw", "python", "cmd"))
            or (windows and not shell)
        )

    def variables(self) -> Iterator[tuple[Where, str, Any]]:
        holders: list[tuple[Where, Mapping[str, Any]]] = [((), self.body)]
        holders += [(job.where, job.body) for job in self.jobs]
        holders += [(step.where, step.body) for step in self.steps]
        for where, body in holders:
            env = body.get("env")
            for name, value in env.items() if isinstance(env, Mapping) else ():
                yield (*where, "env", str(name)), str(name), value
        for job in self.jobs:
            for where, body in job.containers:
                login = body.get("credentials")
                for name, value in login.items() if isinstance(login, Mapping) else ():
                    yield (*where, "credentials", str(name)), str(name), value
            given = job.body.get("secrets")
            for name, value in given.items() if isinstance(given, Mapping) else ():
                yield (*job.where, "secrets", str(name)), str(name), value
        for step in self.steps:
            for name, value in step.arguments.items():
                yield (*step.where, "with", str(name)), str(name), value
