"""What the token of a job may do, for how long, on which machine, and whose code may use it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from garrison.findings import Severity
from garrison_supply.pipelines.github import PRIVILEGED_EVENTS, PULL_REQUESTS, Job, Workflow, matrix
from garrison_supply.pipelines.rule import Hit, Rule

# Labels of GitHub's own machines, each thrown away after its job. Everything else keeps what was left on it.
_MATRIX = re.compile(r"\$\{\{\s*matrix\.([\w-]+)\s*\}\}")
_HOSTED = ("ubuntu-", "windows-", "macos-")


def _missing(workflow: Workflow) -> Iterator[Hit]:
    if not workflow.composite:
        for job in workflow.jobs:
            if job.permissions is None:
                yield job.where, f"job {job.name} leaves it to the repository's setting"


def _excessive(workflow: Workflow) -> Iterator[Hit]:
    top = workflow.body.get("permissions")
    if isinstance(top, str) or (isinstance(top, Mapping) and "write" in top.values()):
        yield ("permissions",), f"all jobs get {top if isinstance(top, str) else 'a write scope'}"
    for job in workflow.jobs:
        if isinstance(own := job.body.get("permissions"), str):
            yield (*job.where, "permissions"), f"job {job.name} takes {own}"


def _foreign_token(workflow: Workflow) -> Iterator[Hit]:
    for job in workflow.jobs:
        if job.writes and not workflow.composite:
            scopes = ", ".join(job.writes)
            yield from ((where, f"{what} runs in job {job.name} with {scopes}") for where, what in job.foreign)
            if job.runs_pull_request:
                yield job.where, f"job {job.name} runs the pull request's code with {scopes}"


def _persisted(workflow: Workflow) -> Iterator[Hit]:
    for step in workflow.steps:
        if step.action == "actions/checkout" and str(step.arguments.get("persist-credentials")).lower() != "false":
            yield step.where, ""


def _self_hosted(workflow: Workflow) -> Iterator[Hit]:
    if workflow.triggers & (PULL_REQUESTS | PRIVILEGED_EVENTS):
        for job in workflow.jobs:
            if "runs-on" in job.body and not _hosted(job):
                yield (*job.where, "runs-on"), f"job {job.name} runs for pull requests on {job.body['runs-on']}"


def _hosted(job: Job) -> bool:
    """Whether every machine it may run on is one of GitHub's; the values of a matrix are looked up."""
    runs_on = job.body["runs-on"]
    labels = runs_on if isinstance(runs_on, list) else [runs_on]
    if len(labels) == 1 and (found := _MATRIX.fullmatch(str(labels[0]).strip())):
        values = list(matrix(job.body.get("strategy"), found[1].lower()))
        return bool(values) and all(str(value).lower().startswith(_HOSTED) for value in values)
    return len(labels) == 1 and str(labels[0]).lower().startswith(_HOSTED)


def _timeless(workflow: Workflow) -> Iterator[Hit]:
    for job in workflow.jobs:
        if not workflow.composite and not job.uses and "timeout-minutes" not in job.body:
            yield job.where, f"job {job.name} may run for six hours"


RULES = (
    Rule(
        id="missing-permissions",
        title="what the token may do is written in the workflow",
        severity=Severity.HIGH,
        remedy="write `permissions: {}` at the top and what a job needs at the job",
        references=("OWASP CICD-SEC-5", "GitHub hardening: GITHUB_TOKEN permissions"),
        reads=Workflow,
        look=_missing,
        good="{on: push, permissions: {}, jobs: {test: {steps: []}}}",
        bad="{on: push, jobs: {test: {steps: []}}}",
    ),
    Rule(
        id="excessive-permissions",
        title="write scopes are given to single jobs, by name",
        severity=Severity.HIGH,
        remedy="write `permissions: {}` at the top, and at a job the scopes it needs, one by one",
        references=("OWASP CICD-SEC-5", "GitHub hardening: GITHUB_TOKEN permissions"),
        reads=Workflow,
        look=_excessive,
        good="{on: push, permissions: {}, jobs: {test: {permissions: {contents: read}, steps: []}}}",
        bad="{on: push, permissions: {contents: write}, jobs: {test: {steps: []}}}",
    ),
    Rule(
        id="write-token-with-foreign-code",
        title="code of others never runs beside a token that can write",
        severity=Severity.CRITICAL,
        remedy="split the job: one runs the code with `permissions: {contents: read}`, one writes what it found",
        references=("OWASP CICD-SEC-4", "OWASP CICD-SEC-5", "SLSA build L3", "CVE-2025-30066"),
        reads=Workflow,
        look=_foreign_token,
        good="""
            on: push
            jobs: {scan: {permissions: {contents: read}, steps: [{run: trivy image app}]}}
        """,
        bad="""
            on: push
            jobs: {scan: {permissions: {contents: write}, steps: [{run: trivy image app}]}}
        """,
    ),
    Rule(
        id="artipacked",
        title="a checkout leaves no token in .git/config, where every later step and artifact finds it",
        severity=Severity.MEDIUM,
        remedy="add `persist-credentials: false` to its `with`",
        references=("OWASP CICD-SEC-6", "zizmor artipacked"),
        reads=Workflow,
        look=_persisted,
        good="{on: push, jobs: {test: {steps: [{uses: actions/checkout@v6, with: {persist-credentials: false}}]}}}",
        bad="{on: push, jobs: {test: {steps: [{uses: actions/checkout@v6}]}}}",
    ),
    Rule(
        id="self-hosted-runner",
        title="what a pull request runs, runs on a machine that is thrown away",
        severity=Severity.HIGH,
        remedy="use a hosted runner for pull requests, named as a word",
        references=("OWASP CICD-SEC-7", "GitHub hardening: self-hosted runners", "CIS SSC 2.2.1"),
        reads=Workflow,
        look=_self_hosted,
        good="{on: pull_request, jobs: {test: {runs-on: ubuntu-24.04}}}",
        bad="{on: pull_request, jobs: {test: {runs-on: [self-hosted, linux]}}}",
    ),
    Rule(
        id="missing-timeout",
        title="a job ends",
        severity=Severity.LOW,
        remedy="add `timeout-minutes`",
        references=("OWASP CICD-SEC-7",),
        reads=Workflow,
        look=_timeless,
        good="{on: push, jobs: {test: {timeout-minutes: 10, steps: []}}}",
        bad="{on: push, jobs: {test: {steps: []}}}",
    ),
)
