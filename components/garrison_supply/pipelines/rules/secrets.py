"""A secret is given to the one step that needs it, and never beside code of others."""

from __future__ import annotations

import re
from collections.abc import Iterator

from garrison.findings import Severity
from garrison_supply.pipelines import github
from garrison_supply.pipelines.document import strings
from garrison_supply.pipelines.expression import expressions
from garrison_supply.pipelines.github import Workflow
from garrison_supply.pipelines.rule import File, Hit, Rule

_NAMED = re.compile(
    r"(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)s?$",
    re.IGNORECASE,
)
# Names of amounts and switches, and values that are one.
_AMOUNT = re.compile(
    r"^(?:max|min|num|number|total|count|has|have|is|use|uses|enable|require|requires|allow|no|with)[_-]", re.IGNORECASE
)
_SWITCH = frozenset(
    {
        "true",
        "false",
        "yes",
        "no",
        "on",
        "off",
        "none",
        "null",
        "inherit",
        "required",
        "optional",
        "enabled",
        "disabled",
    }
)
_PASSWORD = re.compile(r"(?:password|passwd|passphrase)$", re.IGNORECASE)
_RANDOM = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*\d)[A-Za-z0-9+/]{16,}={0,2}|[A-Za-z0-9+/]{12,}={1,2}")
# What is a credential wherever it stands.
_SHAPES = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{50,}|glpat-[\w-]{20}|A(?:KIA|SIA)[A-Z0-9]{16}|xox[abprs]-[\w-]{10,}|"
    r"sk_live_[A-Za-z0-9]{20,}|AIza[\w-]{35}|npm_[A-Za-z0-9]{36}|pypi-AgEI[\w-]{20,}|hv[sb]\.[\w-]{20,}|dop_v1_[0-9a-f]{64}|"
    r"SG\.[\w-]{16,}\.[\w-]{16,})|-----BEGIN [A-Z ]*PRIVATE KEY-----|://[^\s/:@$'\"{}<>]+:[^\s/:@$'\"{}<>*]+@[\w.-]"
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
        if any(_ALL.search(inner) for inner in expressions(text)):
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
    named = [
        (where, name) for where, name, value in file.variables() if _NAMED.search(name) and _credential(name, value)
    ]
    yield from named
    for where, text in strings(dict(file.document.body)):
        if _SHAPES.search(text) and (where, str(where[-1])) not in named:
            yield where, f"what stands in {where[-1]} has the shape of one"


def _credential(name: str, value: object) -> bool:
    """Whether the value of a variable with such a name is a credential, and not a path, an amount or a switch."""
    text = value.strip() if isinstance(value, str) else ""
    if not text or "$" in text or text.lower() in _SWITCH:
        return False
    if re.fullmatch(r"[\d.,_]+[smhd]?", text):
        return bool(_PASSWORD.search(name)) and not _AMOUNT.match(name)
    if "/" in text or "\\" in text:
        return not text.startswith(("/", "./", "../", "~")) and bool(_RANDOM.fullmatch(text))
    return True


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
