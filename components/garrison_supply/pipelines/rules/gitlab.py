"""What only GitLab files have: includes, identity tokens per job, artifacts and caches that come by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from garrison.findings import Severity
from garrison_supply.pipelines.document import Where
from garrison_supply.pipelines.gitlab import Pipeline
from garrison_supply.pipelines.rule import Hit, Rule

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
# Variables in which a stranger's words stand.
_TEXT = (
    r"\$\{?(?:CI_MERGE_REQUEST_(?:TITLE|DESCRIPTION|SOURCE_BRANCH_NAME|LABELS)|CI_COMMIT_(?:MESSAGE|TITLE|DESCRIPTION|"
    r"AUTHOR|BRANCH|REF_NAME|TAG|TAG_MESSAGE)|CI_EXTERNAL_PULL_REQUEST_\w+|GITLAB_USER_\w+|TRIGGER_PAYLOAD)\b"
)
_EVALUATED = re.compile(
    rf"(?:\beval\b|\b(?:ba|da|z)?sh\s+-\w*c\b|\bpython3?\s+-c\b|\bnode\s+-e\b|\bssh\s|\|\s*(?:ba|da)?sh\b|`).*{_TEXT}|{_TEXT}.*\|\s*(?:ba|da)?sh\b"
)


# `$[[ inputs.x ]]` is pasted into the script before any shell sees it.
_INPUT = re.compile(r"\$\[\[\s*inputs\.([\w-]+)[^\]\n]{0,200}\]\]")


def _rows(found: Any, where: Where) -> Iterator[tuple[Where, Any]]:
    if isinstance(found, list):
        yield from (((*where, number), row) for number, row in enumerate(found))
    elif found:
        yield where, found


def _includes(pipeline: Pipeline) -> Iterator[Hit]:
    places = list(_rows(pipeline.body.get("include"), ("include",)))
    for job in pipeline.jobs:
        trigger = job.own.get("trigger")
        if isinstance(trigger, Mapping):
            places += _rows(trigger.get("include"), (job.name, "trigger", "include"))
    for where, row in places:
        if why := _movable(row):
            yield where, why


def _movable(row: Any) -> str:
    """Why an include can change without a commit here; empty where it cannot."""
    if isinstance(row, str):
        return f"{row} has no integrity" if row.startswith(("http://", "https://")) else ""
    if not isinstance(row, Mapping):
        return ""
    if "remote" in row and not str(row.get("integrity") or "").startswith("sha256-"):
        return f"{row['remote']} has no integrity"
    if "project" in row and not _COMMIT.match(str(row.get("ref") or "")):
        return f"{row['project']} at {row.get('ref') or 'its default branch'}"
    if "component" in row and not _COMMIT.match(str(row["component"]).rpartition("@")[2]):
        return str(row["component"])
    return f"{row['template']} changes with the server" if "template" in row else ""


def _evaluated(pipeline: Pipeline) -> Iterator[Hit]:
    for where, script in pipeline.scripts():
        for line in script.splitlines():
            if _EVALUATED.search(line):
                yield where, line.strip()[:80]
        for found in _INPUT.finditer(script):
            if not _bounded(pipeline.document.inputs.get(found[1])):
                yield where, found[0]


def _bounded(declared: Any) -> bool:
    """Whether an input is a number, a truth value, one of a few words or of a form without room for a command."""
    if not isinstance(declared, Mapping):
        return False
    form = str(declared.get("regex") or ".")
    narrow = re.fullmatch(r"\^?(?:[\w/-]|\\[dw.]|\[[\w\\.-]+\]|[+*?]|\{[\d,]+\})+\$", form) and form.startswith("^")
    return declared.get("type") in ("boolean", "number") or bool(declared.get("options")) or bool(narrow)


def _credentials(pipeline: Pipeline) -> Iterator[Hit]:
    for job in pipeline.running:
        if job.credentials:
            if job.foreign:
                yield job.where, f"job {job.name} runs {', '.join(job.foreign)} with {' and '.join(job.credentials)}"
            if job.on_merge_requests:
                yield job.where, f"job {job.name} has {' and '.join(job.credentials)} where unreviewed code may run"


def _unguarded(pipeline: Pipeline) -> Iterator[Hit]:
    for job in pipeline.running:
        if job.credentials and not job.body.get("environment"):
            yield job.where, f"job {job.name} has {' and '.join(job.credentials)}"


def _inherited(pipeline: Pipeline) -> Iterator[Hit]:
    for job in pipeline.running:
        if job.privileged:
            if "needs" not in job.body and "dependencies" not in job.body:
                yield job.where, f"job {job.name} takes the artifacts of all stages before it"
            if job.body.get("cache"):
                yield (job.name, "cache"), f"job {job.name} takes a cache that other jobs fill"


def _traced(pipeline: Pipeline) -> Iterator[Hit]:
    for where, name, value in pipeline.variables():
        if name in ("CI_DEBUG_TRACE", "CI_DEBUG_SERVICES") and str(value).lower() == "true":
            yield where, name


def _regardless(pipeline: Pipeline) -> Iterator[Hit]:
    for job in pipeline.running:
        rules = job.body.get("rules")
        rows = [job.body, *(rules if isinstance(rules, list) else ())]
        if job.privileged and any(
            isinstance(row, Mapping) and row.get("when") in ("always", "on_failure") for row in rows
        ):
            yield job.where, f"job {job.name} runs with its rights although an earlier one has failed"


def _timeless(pipeline: Pipeline) -> Iterator[Hit]:
    for job in pipeline.running:
        if "timeout" not in job.body and "trigger" not in job.body:
            yield job.where, f"job {job.name}"


_LIVE = "environment: live, rules: [{if: $CI_COMMIT_REF_PROTECTED == 'true'}], needs: []"
_TOKEN = "id_tokens: {T: {aud: a}}"  # noqa: S105 - a GitLab keyword
RULES = (
    Rule(
        id="unpinned-include",
        title="an included file cannot change without a commit here",
        severity=Severity.HIGH,
        remedy="project: `ref` with 40 hexadecimal digits; remote: `integrity: sha256-...`; a template: copy it",
        references=("OWASP CICD-SEC-3", "GitLab pipeline security", "CIS SSC 2.4.2"),
        reads=Pipeline,
        look=_includes,
        good=f"{{include: [{{project: a/b, ref: {'0' * 40}, file: c.yml}}, {{local: d.yml}}]}}",
        bad="{include: [{project: a/b, ref: main, file: c.yml}]}",
    ),
    Rule(
        id="evaluated-text",
        title="titles, messages and branch names are data, never a program",
        severity=Severity.CRITICAL,
        remedy='use the variable as one quoted argument: "$CI_COMMIT_TITLE"',
        references=("OWASP CICD-SEC-4", "CWE-94"),
        reads=Pipeline,
        look=_evaluated,
        good="{a: {script: ['printf %s \"$CI_MERGE_REQUEST_TITLE\"']}}",
        bad="{a: {script: ['eval \"echo $CI_MERGE_REQUEST_TITLE\"']}}",
    ),
    Rule(
        id="credentials-with-foreign-code",
        title="credentials are for jobs that run reviewed code and no scanner",
        severity=Severity.CRITICAL,
        remedy="limit the job by rules to a protected branch, and scan in a job of its own",
        references=("OWASP CICD-SEC-4", "OWASP CICD-SEC-6", "GitLab pipeline security"),
        reads=Pipeline,
        look=_credentials,
        good=f"{{deploy: {{script: [ci/steps/deploy], {_TOKEN}, {_LIVE}}}}}",
        bad=f"{{deploy: {{script: [trivy image app, ci/steps/deploy], {_TOKEN}, {_LIVE}}}}}",
    ),
    Rule(
        id="credentials-outside-environment",
        title="a job with credentials has an environment, which is protected",
        severity=Severity.MEDIUM,
        remedy="add `environment: NAME`, and protect it",
        references=("OWASP CICD-SEC-1", "GitLab pipeline security"),
        reads=Pipeline,
        look=_unguarded,
        good=f"{{deploy: {{script: [ci/steps/deploy], {_TOKEN}, {_LIVE}}}}}",
        bad=f"{{deploy: {{script: [ci/steps/deploy], {_TOKEN}}}}}",
    ),
    Rule(
        id="inherited-artifacts",
        title="a job with rights takes only what it names",
        severity=Severity.HIGH,
        remedy="write `needs` (or `dependencies`) with the jobs whose artifacts it reads, and `cache: []`",
        references=("OWASP CICD-SEC-9", "SLSA build L3"),
        reads=Pipeline,
        look=_inherited,
        good="{deploy: {script: [ci/steps/deploy], environment: live, needs: [gate]}}",
        bad="{deploy: {script: [ci/steps/deploy], environment: live}}",
    ),
    Rule(
        id="debug-trace",
        title="no job writes its variables into the log",
        severity=Severity.HIGH,
        remedy="remove CI_DEBUG_TRACE",
        references=("OWASP CICD-SEC-6", "OWASP CICD-SEC-10"),
        reads=Pipeline,
        look=_traced,
        good="{a: {script: [x], variables: {CI_DEBUG_TRACE: 'false'}}}",
        bad="{a: {script: [x], variables: {CI_DEBUG_TRACE: 'true'}}}",
    ),
    Rule(
        id="runs-regardless",
        title="a job with rights waits for the success of the stages before it",
        severity=Severity.HIGH,
        remedy="remove `when: always`",
        references=("OWASP CICD-SEC-1", "CIS SSC 1.1.9"),
        reads=Pipeline,
        look=_regardless,
        good="{deploy: {script: [ci/steps/deploy], environment: live, needs: [gate]}}",
        bad="{deploy: {script: [ci/steps/deploy], environment: live, needs: [gate], when: always}}",
    ),
    Rule(
        id="job-without-timeout",
        title="a job ends",
        severity=Severity.LOW,
        remedy="add `timeout` to the job or to `default`",
        references=("OWASP CICD-SEC-7",),
        reads=Pipeline,
        look=_timeless,
        good="{default: {timeout: 10m}, a: {script: [x]}}",
        bad="{a: {script: [x]}}",
    ),
)
