"""Our own templates are clean, and one fault in them is found: each is seeded alone, by a change of the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import yaml

from garrison_supply.pipelines import load
from garrison_supply.pipelines.document import parse
from garrison_supply.pipelines.lint import lint
from garrison_supply.pipelines.load import view
from garrison_supply.pipelines.rule import judge
from garrison_supply.pipelines.rules import RULES

CI = Path(__file__).parents[3] / "ci"
TEMPLATES = sorted([*CI.glob("github/*.yml"), *CI.glob("gitlab/*.yml")])
SCAN = "      - run: ci/steps/scan\n"


def rules_broken(name: str, text: str) -> set[str]:
    return {finding.rule for finding in judge(RULES, view(parse(name, text)))}


def test_the_templates_are_clean() -> None:
    assert len(TEMPLATES) == 7
    files = list(load.files([CI / "github", CI / "gitlab"]))
    assert files
    assert lint(files) == ([], 0)


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_each_template_calls_steps_that_exist(file: Path) -> None:
    named = set(re.findall(r"ci/steps/([a-z]+)", file.read_text()))
    for name in named:
        assert (CI / "steps" / name).stat().st_mode & 0o111, name


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_an_action_has_the_same_commit_everywhere(file: Path) -> None:
    pins = dict(re.findall(r"uses: (actions/[\w-]+)@(.+)", "\n".join(f.read_text() for f in TEMPLATES)))
    for action, pin in re.findall(r"uses: (actions/[\w-]+)@(.+)", file.read_text()):
        assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", pin)
        assert pins[action] == pin


def github_jobs() -> Iterator[list[str]]:
    """The commands of each job, in order."""
    for file in CI.glob("github/*.yml"):
        for job in yaml.safe_load(file.read_text())["jobs"].values():
            yield [step["run"] for step in job.get("steps", []) if "run" in step]


def gitlab_jobs() -> Iterator[list[str]]:
    pipeline = yaml.safe_load((CI / "gitlab/gitlab-ci.yml").read_text())
    first = pipeline["default"]["before_script"]
    yield from ([*first, *job["script"]] for job in pipeline.values() if isinstance(job, dict) and "script" in job)


def installed(jobs: Iterable[list[str]]) -> dict[str, set[str]]:
    """Step to what was installed before it."""
    found: dict[str, set[str]] = {}
    for commands in jobs:
        before: set[str] = set()
        for command in commands:
            name, *words = command.removeprefix("ci/steps/").split()
            if name in ("install", "tools"):
                before |= {name, *words}
            elif command.startswith("ci/steps/"):
                found.setdefault(name, before.copy())
                assert found[name] == before, f"{name} finds other things in another job"
    return found


NEEDED = {
    "build": {"install", "tools", "cosign"},
    "sign": {"install", "tools", "cosign"},
    "scan": {"install", "tools", "trivy", "cosign"},
    "deploy": {"install", "tools", "cosign", "pulumi", "helm", "kubectl"},
    "live": {"install", "tools", "pulumi", "helm", "kubectl"},
}


def test_each_step_finds_installed_what_it_calls() -> None:
    """On GitHub, where all of this is run (servers/test_ci_pipelines.py), and on GitLab alike."""
    assert installed(github_jobs()) == {
        **NEEDED,
        **{step: {"install"} for step in ('"$STEP"', "toolchain", "gate")},
        **{step: set() for step in ("cluster", "comment")},  # on the runner itself
    }
    others = ("lint", "test", "policy", "opinion", "preview", "cluster", "toolchain", "summary", "gate")
    assert installed(gitlab_jobs()) == {**NEEDED, **{step: {"install"} for step in others}}


def test_every_container_is_the_same_debian() -> None:
    found = {pin for file in TEMPLATES for pin in re.findall(r"(?:container|image): (\S+)", file.read_text())}
    assert len(found) == 1, found
    assert re.fullmatch(r"debian:12@sha256:[0-9a-f]{64}", found.pop())
    for file in CI.glob("github/*.yml"):
        for name, job in yaml.safe_load(file.read_text())["jobs"].items():
            assert "uses" in job or ("container" in job) == (name not in ("cluster", "comment")), name


GITHUB = [
    ("unpinned-uses", "checks.yml", r"actions/checkout@\S+ # (v\S+)", r"actions/checkout@\1"),
    (
        "unpinned-uses",
        "change.yml",
        r"uses: \./\.github/workflows/checks.yml",
        "uses: a/b/.github/workflows/c.yml@main",
    ),
    (
        "unpinned-images",
        "checks.yml",
        r"container: debian:12@sha256:\w+",
        "container: debian:12",
    ),
    ("missing-permissions", "change.yml", r"permissions: \{\}\n|    permissions:\n      contents: read\n", ""),
    ("excessive-permissions", "checks.yml", r"permissions: \{\}", "permissions: write-all"),
    ("write-token-with-foreign-code", "checks.yml", r"(  scan:\n(?:.*\n)*?      contents: )read", r"\1write"),
    ("write-token-with-foreign-code", "main.yml", "ci/steps/deploy", "trivy fs . && ci/steps/deploy"),
    ("artipacked", "checks.yml", "persist-credentials: false", "persist-credentials: true"),
    ("self-hosted-runner", "change.yml", "  checks:\n", "  own:\n    runs-on: self-hosted\n  checks:\n"),
    ("missing-timeout", "checks.yml", "    timeout-minutes: 60\n", ""),
    ("overprovisioned-secrets", "main.yml", r"\njobs:", "\nenv:\n  KEY: ${{ secrets.KEY }}\njobs:"),
    ("secrets-inherit", "main.yml", "checks.yml\n", "checks.yml\n    secrets: inherit\n"),
    ("all-secrets", "main.yml", r"\$\{\{ secrets.COSIGN_PASSWORD \}\}", "${{ toJSON(secrets) }}"),
    ("secrets-with-foreign-code", "checks.yml", SCAN, SCAN + "        env: {TOKEN: '${{ secrets.TOKEN }}'}\n"),
    (
        "secrets-with-foreign-code",
        "main.yml",
        "      - run: ci/steps/sign\n",
        "      - run: trivy fs .\n      - run: ci/steps/sign\n",
    ),
    ("secrets-outside-env", "main.yml", "    environment: production\n", ""),
    ("hardcoded-secret", "main.yml", r"\$\{\{ secrets.COSIGN_PASSWORD \}\}", "correct-horse"),
    (
        "template-injection",
        "comment.yml",
        "ci/steps/comment build/reports",
        "echo ${{ github.event.workflow_run.head_branch }}",
    ),
    (
        "untrusted-checkout",
        "comment.yml",
        "persist-credentials: false",
        "ref: ${{ github.event.workflow_run.head_sha }}",
    ),
    ("github-env", "comment.yml", "ci/steps/comment build/reports", 'cat build/reports/x >> "$GITHUB_ENV"'),
    (
        "spoofable-actor",
        "main.yml",
        "    environment: production\n",
        "    if: github.actor == 'x'\n    environment: production\n",
    ),
    ("untrusted-artifact", "comment.yml", "          path: build/reports\n", ""),
    ("untrusted-artifact", "main.yml", "ci/steps/deploy", "build/reports/deploy"),
    (
        "cache-poisoning",
        "main.yml",
        "      - run: ci/steps/deploy",
        "      - uses: actions/cache@v5\n      - run: ci/steps/deploy",
    ),
    ("pipe-to-shell", "checks.yml", "ci/steps/scan", "curl https://a.example/install.sh | sh"),
    ("unverified-download", "checks.yml", "ci/steps/scan", "curl -o trivy https://a.example/trivy"),
    ("adhoc-packages", "checks.yml", "ci/steps/scan", "pip install scanner"),
    ("ignored-failure", "checks.yml", SCAN, SCAN + "        continue-on-error: true\n"),
    ("swallowed-failure", "checks.yml", "ci/steps/scan", "ci/steps/scan || true"),
    ("gate-bypass", "main.yml", "    needs: sign\n", "    needs: sign\n    if: always()\n"),
]
GITLAB = [
    ("unpinned-images", r"debian:12@sha256:\w+", "debian:12"),
    ("unpinned-include", "stages:", "include: [{project: a/b, ref: main, file: c.yml}]\nstages:"),
    ("allowed-failure", r"(script: \[.*ci/steps/scan\])", r"\1\n  allow_failure: true"),
    ("swallowed-failure", "ci/steps/lint", "ci/steps/lint || true"),
    ("hardcoded-secret", "  GIT_DEPTH:", "  COSIGN_PASSWORD: correct-horse\n  GIT_DEPTH:"),
    ("evaluated-text", "ci/steps/lint", "eval echo $CI_MERGE_REQUEST_TITLE"),
    ("credentials-with-foreign-code", "ci/steps/deploy", "ci/steps/scan && ci/steps/deploy"),
    (
        "credentials-with-foreign-code",
        r"(\n  environment: \{name: production\})",
        r"\n    - if: $CI_MERGE_REQUEST_IID\1",
    ),
    ("credentials-outside-environment", r"  environment: \{name: production\}\n", ""),
    ("inherited-artifacts", r"  needs: \[tools, sign, lint.*\n", ""),
    ("inherited-artifacts", "stages:", "cache: {paths: [.cache]}\nstages:"),
    ("debug-trace", "  GIT_DEPTH:", '  CI_DEBUG_TRACE: "true"\n  GIT_DEPTH:'),
    ("runs-regardless", "  resource_group", "  when: always\n  resource_group"),
    ("job-without-timeout", "  timeout: 90m\n", ""),
    ("pipe-to-shell", "ci/steps/lint", "curl https://a.example/install.sh | sh"),
    ("unverified-download", "ci/steps/lint", "wget https://a.example/tool"),
    ("adhoc-packages", "ci/steps/lint", "pip install ruff"),
]


@pytest.mark.parametrize(("rule", "name", "old", "new"), GITHUB, ids=lambda value: str(value)[:28])
def test_a_fault_in_a_github_template_is_found(rule: str, name: str, old: str, new: str) -> None:
    text = (CI / "github" / name).read_text()
    assert rule not in rules_broken(name, text)
    changed = re.sub(old, new, text)
    assert changed != text
    assert rule in rules_broken(name, changed)


@pytest.mark.parametrize(("rule", "old", "new"), GITLAB, ids=lambda value: str(value)[:28])
def test_a_fault_in_the_gitlab_template_is_found(rule: str, old: str, new: str) -> None:
    text = (CI / "gitlab/gitlab-ci.yml").read_text()
    assert rule not in rules_broken("gitlab-ci.yml", text)
    changed = re.sub(old, new, text)
    assert changed != text
    assert rule in rules_broken("gitlab-ci.yml", changed)


def test_every_rule_has_its_seeded_fault() -> None:
    assert {rule.id for rule in RULES} == {row[0] for row in (*GITHUB, *GITLAB)}
