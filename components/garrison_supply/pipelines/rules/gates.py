"""A gate that may fail is no gate, and nothing goes around it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from garrison.findings import Severity
from garrison_supply.pipelines.github import Workflow
from garrison_supply.pipelines.gitlab import Pipeline
from garrison_supply.pipelines.rule import File, Hit, Rule
from garrison_supply.pipelines.shell import Command, handed, parse, scanners

_WORDS = frozenset(
    {"lint", "test", "tests", "check", "checks", "scan", "audit", "verify", "policy", "gate", "preview",
     "prove", "vet", "validate", "typecheck", "unittest", "e2e", "integration", "coverage"}
)  # fmt: skip
_CHECKERS = frozenset(
    {"pytest", "py.test", "tox", "nox", "mypy", "pyright", "ruff", "flake8", "pylint", "tsc", "eslint", "jest",
     "vitest", "mocha", "cypress", "playwright", "shellcheck", "yamllint", "golangci-lint", "actionlint",
     "zizmor", "ctest", "rspec", "rubocop", "phpunit", "phpstan", "pre-commit", "kubeconform", "kubeval",
     "staticcheck", "govulncheck", "gosec", "ansible-lint", "tflint", "markdownlint", "stylelint", "bats",
     "gotestsum", "codespell"}
)  # fmt: skip
# Programs that start what their arguments name.
_RUNNERS = frozenset(
    {"npm", "yarn", "pnpm", "bun", "deno", "npx", "bunx", "pnpx", "uvx", "go", "cargo", "make", "just", "task",
     "mvn", "mvnw", "gradle", "gradlew", "python", "python3", "uv", "poetry", "pdm", "hatch", "pipenv",
     "bundle", "rake", "dotnet", "bazel", "garrison", "helm", "terraform", "tofu", "cosign", "opa", "swift",
     "mix", "sbt", "composer", "invoke", "nx", "turbo", "xcodebuild", "flutter", "dart", "ninja", "meson",
     "pip"}
)  # fmt: skip
_CLEANING = re.compile(r"^(?:clean|rm|remove|delete|stop|down|kill|destroy|purge|prune)\b|[-_:](?:clean|down)$")
_ASKING = frozenset({"--version", "--help", "-h", "-V", "version", "help", "--collect-only", "--list", "--co"})
_SOFT = re.compile(r"--exit-code[= ]0\b|--soft-fail\b|--exit-zero\b|--no-fail\b|--fail-on[= ]none\b")
_REGARDLESS = re.compile(r"\b(?:always|failure|cancelled)\(\s*\)")
_PIPEFAIL = re.compile(r"\bset\s+(?:-\w+\s+)*-\w*o\s+pipefail|\bPIPESTATUS\b")


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


def _checks(command: Command) -> bool:
    """Whether the exit code of a command is the answer of a check."""
    program, arguments = command.program, command.arguments
    if not command.words or _ASKING & set(arguments):
        return False
    if program in _CHECKERS or any(True for _ in scanners(command.line)):
        return True
    if program in ("docker", "podman", "kubectl", "nerdctl", "docker-compose"):
        inside = {"run", "exec"} & set(arguments[:3])
        return bool(inside) and any(word.rpartition("/")[2] in _CHECKERS for word in arguments)
    if program in _RUNNERS or re.fullmatch(r"python[\d.]+", program):
        return any(_speaks_of_checks(word) for word in arguments if not word.startswith("-"))
    return "/" in command.words[0] and _speaks_of_checks(command.words[0].rpartition("/")[2])


def _speaks_of_checks(word: str) -> bool:
    parts = {part.lower() for part in re.split(r"[-_:./]", word)}
    return bool(parts & (_WORDS | _CHECKERS)) and not _CLEANING.search(word)


def _forgives(command: Command) -> bool:
    """Whether it succeeds and leaves it at that."""
    if command.program in ("exit", "return"):
        return command.arguments[:1] == ("0",)
    return command.program in (":", "true", "echo", "printf", "}", "write-host", "warn")


def _handler(after: Sequence[Command]) -> Sequence[Command]:
    """What runs when a command fails: the one behind `||`, or the whole bracket."""
    end = 0
    if after and after[0].opens:
        while end < len(after) - 1 and after[end].then != ")" and after[end].program != "}":
            end += 1
        return [one for one in after[: end + 1] if one.words]
    while end < len(after) - 1 and after[end].then == "&&":
        end += 1
    return after[: end + 1]


def _swallowed(file: File) -> Iterator[Hit]:
    for where, script in file.scripts():
        yield from (
            (where, text[:80]) for text in _lost(script, file.pipefail(where) or bool(_PIPEFAIL.search(script)))
        )


def _lost(script: str, pipefail: bool, depth: int = 0) -> Iterator[str]:
    found = parse(script)
    for number, one in enumerate(found):
        if _checks(one):
            if _SOFT.search(one.line):
                yield one.text
            elif _is_lost(found, number, pipefail):
                yield one.text + "".join(
                    f" {before.then} {after.text}" for before, after in pairwise(found[number : number + 2])
                )
        for inner in handed(one) if depth < 3 else ():
            yield from _lost(inner, False, depth + 1)


def _is_lost(found: Sequence[Command], number: int, pipefail: bool) -> bool:
    at = number
    while found[at].then == "|" and at < len(found) - 1:
        if not pipefail:
            return True  # the exit code is that of the last
        at += 1
    after = found[at + 1 :]
    if found[at].then == "||" and after:
        return all(_forgives(command) for command in _handler(after))
    same_line = found[at].then == ";" and after and not after[0].starts_line
    return bool(same_line and after[0].program in ("true", "exit") and _forgives(after[0]))


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
