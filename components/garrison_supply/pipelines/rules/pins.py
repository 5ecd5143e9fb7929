"""What others publish is named by what it is, not by a name that they can move."""

from __future__ import annotations

import re
from collections.abc import Iterator

from garrison.findings import Severity
from garrison_supply.pipelines.github import OWN, Workflow
from garrison_supply.pipelines.rule import File, Hit, Rule
from garrison_supply.pipelines.shell import lines

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")
# `docker run [options] image`: the options that take a value take it after `=` or as the next word.
_RUN = re.compile(
    r"\b(?:docker|podman|nerdctl)\s+(?:run|pull|create)((?:\s+-{1,2}[a-zA-Z][\w-]*(?:=\S+|\s+(?!-)[^\s@]+(?=\s+\S))?)*)\s+(\S+)"
)


def pinned(uses: str) -> bool:
    """Whether an action or workflow is named by its commit, an image by its digest, or is our own."""
    if uses.startswith(OWN):
        return True
    if uses.startswith("docker://"):
        return bool(_DIGEST.search(uses))
    return bool(_COMMIT.match(uses.partition("@")[2]))


def _unpinned_uses(workflow: Workflow) -> Iterator[Hit]:
    for step in workflow.steps:
        if step.uses and not pinned(step.uses):
            yield (*step.where, "uses"), step.uses
    for job in workflow.jobs:
        for step in job.steps:
            if (origin := job.origin(step)) != step.uses and not pinned(origin):
                yield (*step.where, "uses"), f"{step.uses} is {origin}"
    for job in workflow.jobs:
        if job.uses and not pinned(job.uses):
            yield (*job.where, "uses"), job.uses


def _unpinned_images(file: File) -> Iterator[Hit]:
    for where, image in file.images():
        if not all(_DIGEST.search(name) for name in file.written_out(where, image)):
            yield where, image
    for where, script in file.scripts():
        for line in lines(script):
            found = _RUN.search(line)
            if found and not _DIGEST.search(found[2]) and "$" not in found[2]:
                yield where, found[2]


RULES = (
    Rule(
        id="unpinned-uses",
        title="an action or reusable workflow is named by its full commit",
        severity=Severity.HIGH,
        remedy="write OWNER/NAME@<40 hexadecimal digits> # vX.Y.Z; docker:// actions by @sha256 digest",
        references=(
            "OWASP CICD-SEC-3",
            "GitHub hardening: third-party actions",
            "CIS SSC 2.4.2",
            "CVE-2025-30066",
            "CVE-2026-33634",
        ),
        reads=Workflow,
        look=_unpinned_uses,
        good="""
            on: push
            jobs: {test: {steps: [{uses: actions/checkout@0123456789012345678901234567890123456789}]}}
        """,
        bad="""
            on: push
            jobs: {test: {steps: [{uses: actions/checkout@v6}]}}
        """,
    ),
    Rule(
        id="unpinned-images",
        title="a container image is named by its digest",
        severity=Severity.HIGH,
        remedy="write NAME@sha256:<64 hexadecimal digits>; a tag can be moved to other content at any time",
        references=("OWASP CICD-SEC-3", "CIS SSC 2.4.2"),
        reads=File,
        look=_unpinned_images,
        good=f"""
            on: push
            jobs:
              test:
                container: example/python@sha256:{"0" * 64}
                steps: [{{run: "docker run --rm -v a:b example/tool@sha256:{"0" * 64} scan"}}]
        """,
        bad="""
            on: push
            jobs:
              test:
                container: example/python:3.11
        """,
    ),
)
