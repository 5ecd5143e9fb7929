"""What a stranger writes is data: it never becomes a program, a checkout or the environment of one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from garrison.findings import Severity
from garrison_supply.pipelines.document import strings
from garrison_supply.pipelines.github import EXPRESSION, PRIVILEGED_EVENTS, Workflow
from garrison_supply.pipelines.rule import Hit, Rule

# Contexts in which text of others, or of an earlier step that read it, may stand; a secret must not stand there either.
_TEXT = re.compile(
    r"\bgithub(?:\.event\b|\.head_ref\b|\.ref_name\b|\.ref\b|(?!\.))|"
    r"\b(?:inputs|steps|env|matrix|vars|secrets)\b|\bneeds\.[\w-]+\.outputs\b"
)
# Fields that the platform writes: numbers, hashes, times, outcomes. Nothing can be hidden in them.
_SAFE = re.compile(
    r"\bgithub\.event(?:\.\w+)*\.(?:number|id|node_id|sha|before|after|draft|created_at|action|run_number)\b|"
    r"\b(?:steps|needs)\.[\w-]+\.(?:outcome|conclusion|result)\b"
)
# Inputs that actions run: github-script's, those of remote shells, of container runners, of cloud command lines.
_PROGRAMS = frozenset({"cmd", "command", "commands", "exec", "inlinescript", "inline-script", "run", "script"})
_INDEX = re.compile(r"\[\s*'([\w-]+)'\s*\]")
_HEAD = re.compile(
    r"github\.event\.pull_request\.head|github\.head_ref|github\.event\.workflow_run\.head|refs/pull/|"
    r"\bgh\s+pr\s+checkout|\bgit\s+(?:fetch|pull)\b.*\bpull/"
)
_ENVIRONMENT = re.compile(r"\bGITHUB_(?:ENV|PATH)\b")
_ACTOR = re.compile(r"github\.(?:actor|triggering_actor)\s*[=!]=|contains\(\s*github\.actor")


def _templates(workflow: Workflow) -> Iterator[Hit]:
    inputs = ((step, name, value) for step in workflow.steps for name, value in step.arguments.items())
    inline = (((*step.where, "with", name), str(value)) for step, name, value in inputs if name.lower() in _PROGRAMS)
    for where, script in (*workflow.scripts(), *inline):
        for inner in EXPRESSION.findall(script):
            # GitHub reads names in any case, and github['event'] as github.event.
            if _TEXT.search(_SAFE.sub("", _INDEX.sub(r".\1", inner.lower()))):
                yield where, f"${{{{{inner}}}}}"


def _checkouts(workflow: Workflow) -> Iterator[Hit]:
    if workflow.triggers & PRIVILEGED_EVENTS:
        for step in workflow.steps:
            asked = (step.arguments.get("ref"), step.arguments.get("repository"), step.run)
            if (step.run or step.action == "actions/checkout") and any(_HEAD.search(str(text)) for text in asked):
                yield step.where, f"the trigger is {', '.join(sorted(workflow.triggers & PRIVILEGED_EVENTS))}"


def _environment(workflow: Workflow) -> Iterator[Hit]:
    if workflow.triggers & PRIVILEGED_EVENTS:
        for where, script in workflow.scripts():
            if found := _ENVIRONMENT.search(script):
                yield where, found[0]


def _actors(workflow: Workflow) -> Iterator[Hit]:
    for where, text in strings(dict(workflow.body)):
        if where[-1] == "if" and _ACTOR.search(text):
            yield where, text.strip()[:80]


RULES = (
    Rule(
        id="template-injection",
        title="a script reads what others wrote from its environment, never from an expression pasted into it",
        severity=Severity.CRITICAL,
        remedy='put the expression into `env` of the step and write "$NAME" in the script',
        references=("OWASP CICD-SEC-4", "GitHub hardening: script injections", "CWE-94"),
        reads=Workflow,
        look=_templates,
        good="""
            on: pull_request
            jobs: {a: {steps: [{run: 'echo "$TITLE"', env: {TITLE: "${{ github.event.pull_request.title }}"}}]}}
        """,
        bad="""
            on: pull_request
            jobs: {a: {steps: [{run: "echo ${{ github.event.pull_request.title }}"}]}}
        """,
    ),
    Rule(
        id="untrusted-checkout",
        title="a workflow that runs with secrets for a stranger's event never checks out the stranger's code",
        severity=Severity.CRITICAL,
        remedy="run that code on `pull_request`; here take only what it left, as data",
        references=("OWASP CICD-SEC-4", "GitHub hardening: pull_request_target", "zizmor dangerous-triggers"),
        reads=Workflow,
        look=_checkouts,
        good="""
            on: pull_request_target
            jobs: {a: {steps: [{uses: actions/checkout@v6}]}}
        """,
        bad="""
            on: pull_request_target
            jobs:
              a: {steps: [{uses: actions/checkout@v6, with: {ref: "${{ github.event.pull_request.head.sha }}"}}]}
        """,
    ),
    Rule(
        id="github-env",
        title="a workflow that runs with secrets for a stranger's event sets no environment for later steps",
        severity=Severity.HIGH,
        remedy="pass the value by `GITHUB_OUTPUT` and `env`: LD_PRELOAD or NODE_OPTIONS in GITHUB_ENV runs code",
        references=("OWASP CICD-SEC-4", "zizmor github-env"),
        reads=Workflow,
        look=_environment,
        good='{on: workflow_run, jobs: {a: {steps: [{run: echo "n=1" >> "$GITHUB_OUTPUT"}]}}}',
        bad='{on: workflow_run, jobs: {a: {steps: [{run: cat result >> "$GITHUB_ENV"}]}}}',
    ),
    Rule(
        id="spoofable-actor",
        title="no decision hangs on who started the run last",
        severity=Severity.MEDIUM,
        remedy="compare github.event.pull_request.user.login, or use an environment's reviewers",
        references=("OWASP CICD-SEC-1", "zizmor bot-conditions"),
        reads=Workflow,
        look=_actors,
        good="{on: push, jobs: {a: {if: \"github.ref == 'refs/heads/main'\", steps: []}}}",
        bad="{on: pull_request_target, jobs: {a: {if: \"github.actor == 'dependabot[bot]'\", steps: []}}}",
    ),
)
