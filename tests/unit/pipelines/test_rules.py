"""Each rule with its own examples: the good one passes it, the bad one breaks it; and what else it must see."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from garrison.findings import Finding
from garrison_supply.pipelines.document import parse
from garrison_supply.pipelines.load import view
from garrison_supply.pipelines.rule import Rule, judge
from garrison_supply.pipelines.rules import RULES


def found(text: str, *, trusted: frozenset[str] = frozenset()) -> list[Finding]:
    return list(judge(RULES, view(parse("ci.yml", textwrap.dedent(text)), trusted)))


def ids(text: str, **options: Any) -> set[str]:
    return {one.rule for one in found(text, **options)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_tells_its_examples_apart(rule: Rule[Any]) -> None:
    assert rule.id not in ids(rule.good)
    assert rule.id in ids(rule.bad)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_says_who_asks_for_it(rule: Rule[Any]) -> None:
    assert rule.title
    assert rule.remedy
    assert any(reference.startswith("OWASP CICD-SEC-") for reference in rule.references)


def test_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def github(steps: str, on: str = "push", job: str = "") -> str:
    return f"on: {on}\npermissions: {{}}\njobs:\n  a:\n    timeout-minutes: 5\n    {job}\n    steps: [{steps}]\n"


HEX = "0123456789abcdef0123456789abcdef01234567"
SHA = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("unpinned-uses", github("{uses: a/b@main}")),
        ("unpinned-uses", github("{uses: a/b}")),
        ("unpinned-uses", github(f"{{uses: a/b@{HEX[:12]}}}")),
        ("unpinned-uses", github("{uses: 'docker://a/b:1'}")),
        ("unpinned-uses", "{on: push, jobs: {a: {uses: a/b/.github/workflows/c.yml@v1}}}"),
        ("unpinned-uses", "{runs: {using: composite, steps: [{uses: a/b@v1}]}}"),
        ("unpinned-images", github("", job="services: {db: {image: 'postgres:16'}}")),
        ("unpinned-images", github("{run: docker run --rm -it -v /a:/a aquasec/trivy:0.69.3 image x}")),
        ("unpinned-images", "{runs: {using: docker, image: 'docker://a/b:1'}}"),
        ("unpinned-images", "{a: {script: [x], image: {name: 'a/b:1'}, services: ['postgres:16']}}"),
        ("unpinned-images", "{default: {image: 'a/b:1'}, a: {script: [x]}}"),
        ("excessive-permissions", github("", job="permissions: write-all")),
        ("write-token-with-foreign-code", github(f"{{uses: a/b@{HEX}}}", job="permissions: {contents: write}")),
        ("write-token-with-foreign-code", "{on: push, jobs: {a: {steps: [{run: trivy fs .}]}}}"),
        (
            "write-token-with-foreign-code",
            github(f"{{uses: actions/checkout@{HEX}}}, {{run: make}}", "pull_request", "permissions: {issues: write}"),
        ),
        ("secrets-with-foreign-code", github(f"{{uses: a/b@{HEX}, with: {{key: '${{{{ secrets.KEY }}}}'}}}}")),
        (
            "secrets-with-foreign-code",
            github(f"{{uses: actions/checkout@{HEX}}}, {{run: x, env: {{K: '${{{{ secrets.K }}}}'}}}}", "pull_request"),
        ),
        ("overprovisioned-secrets", github("", job="env: {KEY: '${{ secrets.KEY }}'}")),
        ("all-secrets", github("{run: x, env: {KEY: '${{ secrets[matrix.name] }}'}}")),
        ("hardcoded-secret", github("", job="container: {image: a, credentials: {username: u, password: hackme}}")),
        ("hardcoded-secret", "{a: {script: [x], variables: {DB_PASSWORD: {value: hackme}}}}"),
        ("template-injection", github("{run: 'echo ${{ github.head_ref }}'}")),
        ("template-injection", github("{run: \"echo ${{ GitHub.event['issue'].title }}\"}")),
        ("template-injection", github("{run: 'echo ${{ toJSON(github) }}'}")),
        ("template-injection", github("{run: 'echo ${{ inputs.name }}'}")),
        ("template-injection", github("{run: 'echo ${{ secrets.KEY }}'}")),
        (
            "template-injection",
            github(f"{{uses: actions/github-script@{HEX}, with: {{script: '${{{{ inputs.x }}}}'}}}}"),
        ),
        ("untrusted-checkout", github("{run: gh pr checkout 1}", "issue_comment")),
        ("untrusted-checkout", github("{run: git fetch origin pull/1/head}", "pull_request_target")),
        (
            "untrusted-checkout",
            github(
                f"{{uses: actions/checkout@{HEX}, with: {{ref: '${{{{ github.event.workflow_run.head_sha }}}}'}}}}",
                "workflow_run",
            ),
        ),
        ("untrusted-artifact", github(f"{{uses: actions/download-artifact@{HEX}}}", job="environment: live")),
        (
            "untrusted-artifact",
            github(f"{{uses: actions/download-artifact@{HEX}, with: {{path: out}}}}, {{run: ./out/x}}", "workflow_run"),
        ),
        ("cache-poisoning", github("{uses: actions/setup-go@v6}", "release")),
        ("cache-poisoning", github("{uses: swatinem/rust-cache@v2}", "{push: {tags: ['v*']}}")),
        ("self-hosted-runner", github("", "pull_request", "runs-on: {group: large}")),
        (
            "self-hosted-runner",
            github("", "pull_request", "strategy: {matrix: {os: [mine]}}\n    runs-on: '${{ matrix.os }}'"),
        ),
        ("pipe-to-shell", github("{run: 'bash <(curl -s https://a.example/x)'}")),
        ("pipe-to-shell", github('{run: "sh -c \\"$(wget -qO- https://a.example/x)\\""}')),
        ("pipe-to-shell", "{a: {script: ['curl https://a.example/x | python3']}}"),
        ("unverified-download", "{a: {script: ['wget https://a.example/trivy.tar.gz']}}"),
        ("unverified-download", github('{run: "curl -sLO \\\\\\n https://a.example/x"}')),
        ("adhoc-packages", github("{run: npm install}")),
        ("adhoc-packages", github("{run: go install a.example/b@latest}")),
        ("ignored-failure", github("", job="continue-on-error: '${{ matrix.new }}'")),
        ("allowed-failure", "{a: {script: [x], rules: [{if: $A, allow_failure: true}]}}"),
        ("allowed-failure", "{a: {script: [x], allow_failure: {exit_codes: [1]}}}"),
        ("swallowed-failure", "{a: {script: ['ci/steps/scan || echo ignored']}}"),
        ("swallowed-failure", github("{run: trivy image --exit-code 0 app}")),
        ("unpinned-include", "{include: 'https://a.example/x.yml', a: {script: [x]}}"),
        ("unpinned-include", "{include: [{component: a.example/b/c@1.0}]}"),
        ("unpinned-include", "{include: [{template: Jobs/SAST.gitlab-ci.yml}]}"),
        ("unpinned-include", "{a: {trigger: {include: [{project: a/b, file: c.yml}]}}}"),
        ("evaluated-text", "{a: {script: ['bash -c \"echo $CI_COMMIT_MESSAGE\"']}}"),
        ("evaluated-text", "{.b: {script: ['eval $CI_COMMIT_REF_NAME']}, a: {script: [!reference [.b, script]]}}"),
        ("credentials-with-foreign-code", "{a: {script: [x], id_tokens: {T: {aud: a}}, environment: live}}"),
        ("credentials-with-foreign-code", "{.b: {id_tokens: {T: {aud: a}}}, a: {extends: .b, script: [trivy fs .]}}"),
        ("inherited-artifacts", "{cache: {paths: [a]}, a: {script: [x], environment: live, needs: []}}"),
    ],
)
def test_what_else_a_rule_sees(rule: str, text: str) -> None:
    assert rule in ids(text)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("unpinned-uses", github(f"{{uses: ./action}}, {{uses: 'docker://a/b@{SHA}'}}, {{uses: a/b/c@{HEX}}}")),
        ("unpinned-images", github(f"{{run: 'docker run --rm -v /a:/a -e X a/b@{SHA} x'}}")),
        ("unpinned-images", github("{run: 'docker build -t app:1 . && docker push app:1'}")),
        ("write-token-with-foreign-code", github("{run: ./release}", job="permissions: {contents: write}")),
        ("secrets-with-foreign-code", github("{run: trivy fs ., env: {T: '${{ secrets.GITHUB_TOKEN }}'}}")),
        ("template-injection", github("{run: 'echo ${{ github.event.pull_request.number }} ${{ github.sha }}'}")),
        ("template-injection", github("{run: 'echo ${{ needs.a.result }} ${{ steps.b.outcome }}'}")),
        (
            "untrusted-checkout",
            github(f"{{uses: actions/checkout@{HEX}, with: {{ref: refs/pull/1/head}}}}", "pull_request"),
        ),
        ("cache-poisoning", github("{uses: actions/setup-go@v6, with: {cache: false}}", "release")),
        ("self-hosted-runner", github("", "push", "runs-on: [self-hosted]")),
        (
            "self-hosted-runner",
            github("", "pull_request", "strategy: {matrix: {os: [ubuntu-24.04]}}\n    runs-on: '${{ matrix.os }}'"),
        ),
        ("pipe-to-shell", github("{run: 'curl -s https://a.example/x | jq . | sha256sum'}")),
        ("unverified-download", github("{run: curl -fsS https://a.example/health}")),
        ("adhoc-packages", github("{run: 'npm ci && pip install --no-deps -e . && go install a.example/b@v1.2.3'}")),
        ("swallowed-failure", github("{run: 'kill 1 || true'}")),
        ("swallowed-failure", github("{run: '# a test || true'}")),
        ("evaluated-text", "{a: {script: ['git log --format=%s \"$CI_COMMIT_SHA\"']}}"),
        ("secrets-outside-env", "{runs: {using: composite, steps: []}}"),
        ("missing-timeout", "{on: push, jobs: {a: {uses: ./.github/workflows/b.yml}}}"),
    ],
)
def test_what_a_rule_leaves_alone(rule: str, text: str) -> None:
    assert rule not in ids(text)


def test_trust_is_given_to_publishers_by_name() -> None:
    text = github(f"{{uses: aws-actions/configure-aws-credentials@{HEX}}}", job="permissions: {id-token: write}")
    assert "write-token-with-foreign-code" in ids(text)
    for name in ("aws-actions", "aws-actions/configure-aws-credentials"):
        assert "write-token-with-foreign-code" not in ids(text, trusted=frozenset({name}))
    assert "write-token-with-foreign-code" in ids(text, trusted=frozenset({"aws-actions/other"}))


def test_a_finding_names_its_line() -> None:
    (one,) = [f for f in found(github("{uses: a/b@main}")) if f.rule == "unpinned-uses"]
    assert (one.file, one.line, one.path) == ("ci.yml", 7, "jobs.a.steps.0.uses")
