"""A gate that may fail is no gate, and nothing goes around it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from garrison.findings import Severity
from garrison_supply.pipelines.github import Workflow
from garrison_supply.pipelines.gitlab import Pipeline
from garrison_supply.pipelines.rule import File, Hit, Rule
from garrison_supply.pipelines.shell import lines, scanners

_CHECK = re.compile(
    r"\b(?:lint|test|tests|pytest|check|scan|audit|verify|policy|gate|mypy|ruff|tsc|eslint|preview|prove)\b|ci/steps/"
)
_SWALLOWED = re.compile(r"\|\|\s*(?:true|:|exit\s+0|echo\b)|;\s*(?:true|exit\s+0)\s*$")
_SOFT = re.compile(r"--exit-code[= ]0\b|--soft-fail\b|--exit-zero\b|--no-fail\b|--fail-on[= ]none\b")
_REGARDLESS = re.compile(r"\b(?:always|failure|cancelled)\(\s*\)")


def _ignored(workflow: Workflow) -> Iterator[Hit]:
    for job in workflow.jobs:
        places = [(job.where, job.body), *((step.where, step.body) for step in job.steps)]
        for where, body in places:
            if body.get("continue-on-error", False) is not False:
                yield (*where, "continue-on-error"), f"job {job.name}"


def _allowed(pipeline: Pipeline) -> Iterator[Hit]:
    for job in pipeline.jobs:
        if job.own.get("allow_failure", False) is not False:
            yield (job.name, "allow_failure"), f"job {job.name}"
        rules = job.own.get("rules")
        for number, row in enumerate(rules if isinstance(rules, list) else ()):
            if isinstance(row, dict) and row.get("allow_failure", False) is not False:
                yield (job.name, "rules", number, "allow_failure"), f"job {job.name}"


def _swallowed(file: File) -> Iterator[Hit]:
    for where, script in file.scripts():
        for line in lines(script):
            checks = _CHECK.search(line) or any(True for _ in scanners(line))
            if checks and (_SWALLOWED.search(line) or _SOFT.search(line)):
                yield where, line[:80]


def _bypassed(workflow: Workflow) -> Iterator[Hit]:
    for job in workflow.jobs:
        condition = str(job.body.get("if") or "")
        if job.privileged and job.body.get("needs") and _REGARDLESS.search(condition) and ".result" not in condition:
            yield (*job.where, "if"), f"job {job.name} runs with its rights although what it needs has failed"


RULES = (
    Rule(
        id="ignored-failure",
        title="a failure is a failure",
        severity=Severity.HIGH,
        remedy="remove continue-on-error; what may fail belongs into a workflow of its own",
        references=("OWASP CICD-SEC-1", "CIS SSC 1.1.9"),
        reads=Workflow,
        look=_ignored,
        good="{on: push, jobs: {a: {steps: [{run: make test, continue-on-error: false}]}}}",
        bad="{on: push, jobs: {a: {steps: [{run: make test, continue-on-error: true}]}}}",
    ),
    Rule(
        id="allowed-failure",
        title="a job's failure stops the pipeline",
        severity=Severity.HIGH,
        remedy="remove allow_failure",
        references=("OWASP CICD-SEC-1", "CIS SSC 1.1.9"),
        reads=Pipeline,
        look=_allowed,
        good="{scan: {script: [ci/steps/scan]}}",
        bad="{scan: {script: [ci/steps/scan], allow_failure: true}}",
    ),
    Rule(
        id="swallowed-failure",
        title="a check's exit code decides",
        severity=Severity.HIGH,
        remedy="remove `|| true`, `--soft-fail` and the like; accept single findings by exceptions that expire",
        references=("OWASP CICD-SEC-1", "CIS SSC 1.1.9"),
        reads=File,
        look=_swallowed,
        good='{on: push, jobs: {a: {steps: [{run: "trivy fs --exit-code 1 ."}]}}}',
        bad='{on: push, jobs: {a: {steps: [{run: "trivy fs --exit-code 1 . || true"}]}}}',
    ),
    Rule(
        id="gate-bypass",
        title="a job with rights waits for the success of what it needs",
        severity=Severity.HIGH,
        remedy="remove always(), failure() or cancelled() from its `if`, or ask for the `.result` of what it needs",
        references=("OWASP CICD-SEC-1", "CIS SSC 1.1.9"),
        reads=Workflow,
        look=_bypassed,
        good="{on: push, permissions: {}, jobs: {a: {needs: gate, environment: live, steps: []}}}",
        bad="{on: push, permissions: {}, jobs: {a: {needs: gate, if: always(), environment: live, steps: []}}}",
    ),
)
