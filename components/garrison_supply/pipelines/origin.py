"""Whose text a context of an expression holds: what is written in the workflow itself, or what others can choose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from garrison_supply.pipelines.document import strings
from garrison_supply.pipelines.expression import expressions, given
from garrison_supply.pipelines.github import Job, Step, Workflow, matrix

# Fields of an event that the platform writes: numbers, hashes, times, states. Nothing can be hidden in them.
_WRITTEN = frozenset(
    {"action", "additions", "after", "author_association", "before", "changed_files", "check_suite_id", "comments",
     "conclusion", "created", "deleted", "deletions", "draft", "forced", "head_sha", "id", "installation_id", "locked",
     "login", "merge_commit_sha", "merged", "node_id", "number", "private", "run_attempt", "run_id", "run_number",
     "sha", "size", "status", "type", "workflow_id"}
)  # fmt: skip
_OWN = re.compile(r"github\.event\.(?:repository\.(?:full_name|name|default_branch)|pull_request\.base\.(?:ref|sha))\Z")
_PEOPLE = ("github.event.inputs", "github.event.client_payload", "github.event.deployment.payload")
_REFS = ("github", "github.*", "github.head_ref", "github.ref_name", "github.ref")
_RESULT = re.compile(r"(?:steps|needs)\.[\w-]+\.(?:outcome|conclusion|result)\Z")
_DEEPEST = 5  # variables that name variables


def foreign(inner: str, job: Job, step: Step | None = None, depth: int = 0) -> bool:
    """Whether text that others can choose, or a secret, can come out of an expression."""
    return any(_foreign(path, job, step, depth) for path in given(inner))


def _foreign(path: str, job: Job, step: Step | None, depth: int) -> bool:
    context, _, name = path.partition(".")
    if context == "github":
        return _of_event(path, job.workflow)
    if context in ("steps", "needs"):
        return not _RESULT.match(path)
    if context == "inputs":
        return not _bounded(job.workflow, name)
    if context == "matrix":
        return any(
            _holds(value, job, step, depth) for value in matrix(job.body.get("strategy"), name.partition(".")[0])
        )
    if context == "env":
        found = list(variable(name, job, step))
        return not found or _set_later(name, job) or any(_holds(value, job, step, depth) for value in found)
    return context in ("vars", "secrets")


def _holds(value: Any, job: Job, step: Step | None, depth: int) -> bool:
    return depth >= _DEEPEST or any(
        foreign(inner, job, step, depth + 1) for _, text in strings({"": value}) for inner in expressions(text)
    )


def _of_event(path: str, workflow: Workflow) -> bool:
    if not path.startswith("github.event"):
        return path in _REFS
    if path.startswith("github.event."):
        if path.startswith("github.event.inputs."):
            return not _bounded(workflow, path.removeprefix("github.event.inputs."))
        last = path.rpartition(".")[2]
        written = last in _WRITTEN or last.endswith("_at") or _OWN.match(path)
        # The action of a repository_dispatch is what its sender calls it.
        named = last == "action" and "repository_dispatch" in workflow.triggers
        return named or path.startswith(_PEOPLE) or not written
    return path == "github.event"


def _bounded(workflow: Workflow, name: str) -> bool:
    """Whether an input can only be a number, a truth value or one of the words that are offered."""
    events = workflow.body.get("on")
    declared = [
        row
        for event in ("workflow_dispatch", "workflow_call")
        for row in _inputs(events.get(event) if isinstance(events, Mapping) else None, name)
    ]
    return bool(declared) and all(row.get("type") in ("boolean", "number", "choice") for row in declared)


def _inputs(event: Any, name: str) -> Iterator[Mapping[str, Any]]:
    rows = event.get("inputs") if isinstance(event, Mapping) else None
    for key, row in rows.items() if isinstance(rows, Mapping) else ():
        if str(key).lower() == name:
            yield row if isinstance(row, Mapping) else {}


def variable(name: str, job: Job, step: Step | None) -> Iterator[Any]:
    """What the workflow, the job and the step set a variable to."""
    for body in (job.workflow.body, job.body, step.body if step else {}):
        env = body.get("env")
        if isinstance(env, Mapping):
            yield from (value for key, value in env.items() if str(key).lower() == name)
        elif env is not None:
            yield env


def _set_later(name: str, job: Job) -> bool:
    """Whether a step gives the variable another value while the job runs."""
    return any("GITHUB_ENV" in step.run and name in step.run.lower() for step in job.steps)
