"""What a stranger writes is data: it never becomes a program, a checkout or the environment of one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from garrison.findings import Severity
from garrison_supply.pipelines.document import Where, strings
from garrison_supply.pipelines.expression import expressions, given, mentioned
from garrison_supply.pipelines.github import PRIVILEGED_EVENTS, Job, Step, Workflow
from garrison_supply.pipelines.origin import foreign, variable
from garrison_supply.pipelines.rule import Hit, Rule
from garrison_supply.pipelines.shell import SHELLS

# Inputs that actions run: github-script's, those of remote shells, of container runners, of cloud command lines.
_PROGRAMS = frozenset({"exec", "inlinescript", "inline-script", "run", "cmd"})
_ENDINGS = ("command", "commands", "script", "scripts")
_HEAD = re.compile(
    r"github\.event\.pull_request\.(?:head|merge_commit_sha)|github\.head_ref|github\.event\.workflow_run\.(?:head|pull_requests)|"
    r"\bpull/\S*?/(?:head|merge)|\brefs/pull/|\b(?:gh|hub)\s+pr\s+checkout|\bgit\s+(?:fetch|pull)\b[^\n]*\bpull/",
    re.IGNORECASE,
)
_CHECKS_OUT = re.compile(
    r"\bgit\s[^\n;|&]*?\b(?:checkout|fetch|pull|clone|switch|reset|merge|worktree|cherry-pick)\b[^\n]*"
)
_MERGED = re.compile(r"(?<!!)\bgithub\.event\.pull_request\.merged\b(?!\s*(?:!=\s*true|==\s*false))")
_INDEX = re.compile(r"\[\s*'([\w-]+)'\s*\]")
_ENVIRONMENT = re.compile(r"\bGITHUB_(?:ENV|PATH)\b")
_ACTOR = re.compile(r"github\.(?:(?:triggering_)?actor(?:_id)?\Z|event\.(?:pull_request\.)?sender\b)")


def _templates(workflow: Workflow) -> Iterator[Hit]:
    for job in workflow.jobs:
        for where, program, step in _programs(workflow, job):
            for inner in expressions(program):
                if foreign(inner, job, step):
                    yield where, f"${{{{{inner}}}}}"


def _programs(workflow: Workflow, job: Job) -> Iterator[tuple[Where, str, Step | None]]:
    """Every command line of a job: scripts, their shells, inputs that actions run, arguments of images."""
    for where, body in (((), workflow.body), (job.where, job.body)):
        found = body.get("defaults")
        run = found.get("run") if isinstance(found, Mapping) else None
        if isinstance(run, Mapping):
            yield (*where, "defaults", "run", "shell"), str(run.get("shell") or ""), None
    for where, body in job.containers:
        for key in ("options", "entrypoint", "command"):
            yield (*where, key), str(body.get(key) or ""), None
    for step in job.steps:
        yield (*step.where, "run"), step.run, step
        yield (*step.where, "shell"), str(step.body.get("shell") or ""), step
        for name, value in step.arguments.items():
            lower, image = str(name).lower(), step.uses.startswith("docker://")
            if lower in _PROGRAMS or lower.endswith(_ENDINGS) or (image and lower in ("args", "entrypoint")):
                yield (*step.where, "with", str(name)), str(value), step
    if workflow.composite and str(job.body.get("entrypoint") or "").rpartition("/")[2] in SHELLS:
        yield from (((*job.where, "args", *where), text, None) for where, text in strings(job.body.get("args")))


def _checkouts(workflow: Workflow) -> Iterator[Hit]:
    events = ", ".join(sorted(workflow.triggers & PRIVILEGED_EVENTS))
    for job in workflow.jobs if events else ():
        for step in job.steps:
            reviewed = any(_merged(str(body.get("if") or "")) for body in (job.body, step.body))
            if not reviewed and any(_HEAD.search(_spelt(text)) for text in _asked(job, step)):
                yield step.where, f"the trigger is {events}"


def _asked(job: Job, step: Step) -> Iterator[str]:
    """What a step checks out, with the variables and outputs it names written out."""
    if step.run:
        yield step.run
        for line in _CHECKS_OUT.findall(step.run):
            yield from _written_out(line, job, step)
    if "checkout" in step.action.rpartition("/")[2]:
        for name in ("ref", "repository"):
            text = str(step.arguments.get(name) or "")
            yield text
            yield from _written_out(text, job, step)


def _written_out(text: str, job: Job, step: Step) -> Iterator[str]:
    paths = {path for inner in expressions(text) for path in mentioned(inner)}
    names = {path.removeprefix("env.") for path in paths if path.startswith("env.")}
    names |= {name.lower() for name in re.findall(r"\$\{?([A-Za-z_]\w*)", text)}
    yield from (str(value) for name in names for value in variable(name, job, step))
    for path in paths:
        if path.startswith("steps.") and ".outputs" in path:
            for made in job.steps:
                if str(made.body.get("id") or "").lower() == path.split(".")[1]:
                    yield from (found for _, found in strings(dict(made.body)))


def _spelt(text: str) -> str:
    """In lower case, and github['event'] as github.event."""
    return _INDEX.sub(r".\1", text.lower())


def _merged(condition: str) -> bool:
    """Whether it runs only for what has been merged, which somebody has reviewed."""
    return "||" not in condition and bool(_MERGED.search(_spelt(condition)))


def _environment(workflow: Workflow) -> Iterator[Hit]:
    if workflow.triggers & PRIVILEGED_EVENTS:
        for where, script in workflow.scripts():
            if found := _ENVIRONMENT.search(script):
                yield where, found[0]


def _actors(workflow: Workflow) -> Iterator[Hit]:
    for where, text in strings(dict(workflow.body)):
        decides = where[-1] == "if"
        for inner in list(expressions(text)) or ([text] if decides else []):
            # Outside of a condition the name may be shown; what is compared is mentioned and does not come out.
            paths = mentioned(inner) if decides else mentioned(inner) - given(inner)
            if any(_ACTOR.match(path) for path in paths):
                yield where, text.strip()[:80]
                break


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
