"""A secret is given to the one step that needs it, and never beside code of others."""

from __future__ import annotations

import re
from collections.abc import Iterator

from garrison.findings import Severity
from garrison_supply.pipelines import github
from garrison_supply.pipelines.document import strings
from garrison_supply.pipelines.github import Workflow
from garrison_supply.pipelines.rule import File, Hit, Rule

_NAMED = re.compile(
    r"(?:password|passwd|passphrase|secret|token|api_?key|access_?key|private_?key|credential)s?$", re.IGNORECASE
)
_ALL = re.compile(r"toJSON\(\s*secrets\s*\)|\bsecrets\s*\[\s*[^'\"\s]", re.IGNORECASE)


def _wide(workflow: Workflow) -> Iterator[Hit]:
    yield from github.secrets(workflow.body.get("env"), ("env",))
    for job in workflow.jobs:
        yield from github.secrets(job.body.get("env"), (*job.where, "env"))


def _inherited(workflow: Workflow) -> Iterator[Hit]:
    for job in workflow.jobs:
        if job.body.get("secrets") == "inherit":
            yield (*job.where, "secrets"), job.uses


def _all_at_once(workflow: Workflow) -> Iterator[Hit]:
    for where, text in strings(dict(workflow.body)):
        if any(_ALL.search(inner) for inner in github.EXPRESSION.findall(text)):
            yield where, text.strip()[:80]


def _foreign(workflow: Workflow) -> Iterator[Hit]:
    for job in workflow.jobs:
        if job.secrets:
            yield from ((where, f"{what} runs in job {job.name}, which has secrets") for where, what in job.foreign)
            if job.runs_pull_request:
                yield job.where, f"job {job.name} runs the pull request's code and has secrets"


def _unguarded(workflow: Workflow) -> Iterator[Hit]:
    for job in workflow.jobs:
        if "environment" not in job.body and not job.uses and not workflow.composite:
            yield from job.secrets[:1]
            if "id-token" in job.writes:
                yield job.where, f"job {job.name} may ask for an identity token"


def _plain(file: File) -> Iterator[Hit]:
    for where, name, value in file.variables():
        if _NAMED.search(name) and isinstance(value, str) and value.strip() and "$" not in value and "/" not in value:
            yield where, name


RULES = (
    Rule(
        id="overprovisioned-secrets",
        title="a secret is given to a step, not to a whole job or workflow",
        severity=Severity.HIGH,
        remedy="move it into `env` of the step that needs it",
        references=("OWASP CICD-SEC-6", "GitHub hardening: using secrets"),
        reads=Workflow,
        look=_wide,
        good="{on: push, jobs: {a: {steps: [{run: ./publish, env: {KEY: '${{ secrets.KEY }}'}}]}}}",
        bad="{on: push, env: {KEY: '${{ secrets.KEY }}'}, jobs: {a: {steps: []}}}",
    ),
    Rule(
        id="secrets-inherit",
        title="a called workflow gets secrets by name",
        severity=Severity.HIGH,
        remedy="write the secrets it needs one by one instead of `secrets: inherit`",
        references=("OWASP CICD-SEC-6", "zizmor secrets-inherit"),
        reads=Workflow,
        look=_inherited,
        good="{on: push, jobs: {a: {uses: ./.github/workflows/b.yml, secrets: {KEY: '${{ secrets.KEY }}'}}}}",
        bad="{on: push, jobs: {a: {uses: ./.github/workflows/b.yml, secrets: inherit}}}",
    ),
    Rule(
        id="all-secrets",
        title="secrets are named, never taken all at once",
        severity=Severity.HIGH,
        remedy="name the one secret: ${{ secrets.NAME }}",
        references=("OWASP CICD-SEC-6", "zizmor overprovisioned-secrets"),
        reads=Workflow,
        look=_all_at_once,
        good="{on: push, jobs: {a: {steps: [{run: x, env: {KEY: '${{ secrets.KEY }}'}}]}}}",
        bad="{on: push, jobs: {a: {steps: [{run: x, env: {KEYS: '${{ toJSON(secrets) }}'}}]}}}",
    ),
    Rule(
        id="secrets-with-foreign-code",
        title="code of others never runs in a job that has secrets",
        severity=Severity.CRITICAL,
        remedy="split the job: the scanner or action gets no secret, what it made is data for the next job",
        references=("OWASP CICD-SEC-4", "OWASP CICD-SEC-6", "CVE-2025-30066"),
        reads=Workflow,
        look=_foreign,
        good="""
            on: push
            jobs:
              scan: {steps: [{run: trivy fs .}]}
              publish: {steps: [{run: ./publish, env: {KEY: '${{ secrets.KEY }}'}}]}
        """,
        bad="""
            on: push
            jobs:
              publish: {steps: [{run: trivy fs .}, {run: ./publish, env: {KEY: '${{ secrets.KEY }}'}}]}
        """,
    ),
    Rule(
        id="secrets-outside-env",
        title="secrets and identity tokens belong to jobs with an environment, whose branches and reviewers are set",
        severity=Severity.MEDIUM,
        remedy="add `environment: NAME` to the job, and protect that environment",
        references=("OWASP CICD-SEC-1", "GitHub hardening: environments", "zizmor secrets-outside-env"),
        reads=Workflow,
        look=_unguarded,
        good="{on: push, jobs: {a: {environment: live, permissions: {id-token: write}, steps: []}}}",
        bad="{on: push, jobs: {a: {permissions: {id-token: write}, steps: []}}}",
    ),
    Rule(
        id="hardcoded-secret",
        title="no credential is written in a workflow",
        severity=Severity.CRITICAL,
        remedy="revoke it, then take a short-lived one by the run's identity token, or a secret of the environment",
        references=("OWASP CICD-SEC-6", "CIS SSC 2.3.8"),
        reads=File,
        look=_plain,
        good="{on: push, env: {TOKEN_FILE: /run/token}, jobs: {a: {steps: []}}}",
        bad="{on: push, env: {API_TOKEN: s3cr3t-s3cr3t}, jobs: {a: {steps: []}}}",
    ),
)
