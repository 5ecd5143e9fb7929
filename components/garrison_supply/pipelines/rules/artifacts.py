"""What another job left is data: it is not started, and does not replace what was reviewed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from garrison.findings import Severity
from garrison_supply.pipelines.github import PRIVILEGED_EVENTS, Job, Step, Workflow
from garrison_supply.pipelines.rule import Hit, Rule
from garrison_supply.pipelines.shell import lines

_FETCH = re.compile(r"\bgh\s+run\s+download\b")
# At the start of a command: a program, or one that starts what follows.
_START = (
    r"(?:^|.*[;&|(]\s*)(?:sudo\s+)?"
    r"(?:(?:ba|z)?sh|python3?|node|ruby|perl|source|eval|exec|\.|chmod\s+\S+|pip3?\s+install)?\s*[\"']?(?:\./)?"
)
# Actions that restore a cache unless `cache: false` (or its like) is written.
_UNASKED = frozenset(
    {"actions/setup-go", "actions/setup-node", "astral-sh/setup-uv", "golangci/golangci-lint-action", "jdx/mise-action"}
    | {"gradle/actions/setup-gradle", "actions-rust-lang/setup-rust-toolchain", "oven-sh/setup-bun"}
)


def _downloads(step: Step) -> bool:
    return "download-artifact" in step.action or bool(_FETCH.search(step.run))


def _artifacts(workflow: Workflow) -> Iterator[Hit]:
    for job in workflow.jobs:
        if job.privileged or workflow.triggers & PRIVILEGED_EVENTS:
            for number, step in enumerate(job.steps):
                if _downloads(step):
                    yield from _misused(job, number)


def _misused(job: Job, number: int) -> Iterator[Hit]:
    """How a download is more than data: it lands among the programs, or is started."""
    step = job.steps[number]
    path = str(step.arguments.get("path") or "").strip().removeprefix("./").rstrip("/")
    if step.uses and path in ("", "."):
        yield step.where, f"job {job.name} unpacks it over its own programs"
        return
    started = re.compile(rf"{_START}{re.escape(path)}/\S*(?=\s|$|[\"'])") if path else None
    for later in job.steps[number + 1 :]:
        for line in lines(later.run) if started else ():
            found = started.match(line) if started else None
            if found:
                yield (*later.where, "run"), f"job {job.name} runs {line[:60]}"


def _caches(workflow: Workflow) -> Iterator[Hit]:
    releases = workflow.triggers & {"release", "deployment", *PRIVILEGED_EVENTS} or _on_tags(workflow)
    for job in workflow.jobs:
        if job.privileged or releases:
            yield from ((step.where, f"{step.action} in job {job.name}") for step in job.steps if _caching(step))


def _on_tags(workflow: Workflow) -> bool:
    events = workflow.body.get("on")
    push = events.get("push") if isinstance(events, Mapping) else None
    return isinstance(push, Mapping) and "tags" in push


def _caching(step: Step) -> bool:
    """Whether it restores a cache: it is one, it is told to, or it does so unless told not to."""
    if str(step.arguments.get("lookup-only")).lower() == "true":
        return False
    said = [str(value).lower() for name, value in step.arguments.items() if "cache" in name and "path" not in name]
    if said:
        return any(value not in ("false", "none", "") for value in said)
    return "cache" in step.action.rpartition("/")[2] or step.action in _UNASKED or "/cache/" in f"{step.action}/"


RULES = (
    Rule(
        id="untrusted-artifact",
        title="a job with rights takes artifacts into a folder of their own and starts nothing from there",
        severity=Severity.HIGH,
        remedy="set `path` to a folder that holds no programs, and validate what is in it before you read it",
        references=("OWASP CICD-SEC-4", "OWASP CICD-SEC-9", "GitHub hardening: workflow_run"),
        reads=Workflow,
        look=_artifacts,
        good="""
            on: workflow_run
            jobs: {a: {steps: [{uses: actions/download-artifact@v7, with: {path: reports}}, {run: gate reports}]}}
        """,
        bad="""
            on: workflow_run
            jobs: {a: {steps: [{uses: actions/download-artifact@v7, with: {path: reports}}, {run: sh reports/go.sh}]}}
        """,
    ),
    Rule(
        id="cache-poisoning",
        title="what is released, deployed or written comes from no cache that other runs can fill",
        severity=Severity.HIGH,
        remedy="remove the cache from this job",
        references=("OWASP CICD-SEC-9", "SLSA build L3", "zizmor cache-poisoning"),
        reads=Workflow,
        look=_caches,
        good="{on: push, permissions: {}, jobs: {a: {steps: [{uses: actions/cache@v5}]}}}",
        bad="{on: push, permissions: {}, jobs: {a: {environment: live, steps: [{uses: actions/cache@v5}]}}}",
    ),
)
