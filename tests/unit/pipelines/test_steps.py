"""The steps' own few lines: syntax, the token, the comment, and that one failed check does not hide the next."""

from __future__ import annotations

import base64
import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from garrison_supply.pipelines import report
from garrison_supply.pipelines.report import Report
from garrison_supply.pipelines.subject import Subject

REPO = Path(__file__).parents[3]
STEPS = sorted((REPO / "ci/steps").iterdir())
SHELL = [file for file in STEPS if file.read_text().startswith("#!/bin/sh") or file.suffix == ".sh"]


@pytest.mark.parametrize("file", SHELL, ids=lambda file: file.name)
def test_each_shell_step_parses(file: Path) -> None:
    assert subprocess.run(["sh", "-n", file], check=False).returncode == 0


@pytest.mark.parametrize("file", STEPS, ids=lambda file: file.name)
def test_each_step_says_how_it_is_used(file: Path) -> None:
    text = file.read_text()
    assert file.name == "common.sh" or "Usage: " in text or '"""' in text
    assert (file.stat().st_mode & 0o111 != 0) == (file.suffix == "")


def jwt(expiry: int) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, {"exp": expiry})]
    return ".".join([*parts, "signature"])


@pytest.fixture
def platform() -> Iterator[str]:
    """What gives GitHub's jobs their tokens, as far as the step sees it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = self.headers["Authorization"] == "bearer secret" and self.path.endswith(
                "&audience=kubernetes.example"
            )
            self.send_response(200 if good else 403)
            self.end_headers()
            self.wfile.write(json.dumps({"value": jwt(1_800_000_000)}).encode())

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/token?v=1"
    server.shutdown()
    server.server_close()


def token(**variables: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run([REPO / "ci/steps/token"], env=env, capture_output=True, text=True, check=False)


def test_github_gives_a_token_for_the_audience(platform: str) -> None:
    asked = {"ACTIONS_ID_TOKEN_REQUEST_URL": platform, "AUDIENCE": "kubernetes.example"}
    done = token(**asked, ACTIONS_ID_TOKEN_REQUEST_TOKEN="secret")
    said = json.loads(done.stdout)
    assert said["kind"] == "ExecCredential"
    assert said["status"] == {"token": jwt(1_800_000_000), "expirationTimestamp": "2027-01-15T08:00:00Z"}
    refused = token(**asked, ACTIONS_ID_TOKEN_REQUEST_TOKEN="wrong")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert len(refused.stderr.splitlines()) == 1


def test_gitlab_has_put_it_into_the_environment() -> None:
    assert json.loads(token(KUBERNETES_ID_TOKEN=jwt(1_800_000_000)).stdout)["status"]["token"] == jwt(1_800_000_000)
    for bad in ("x", "a.b.c"):
        assert token(KUBERNETES_ID_TOKEN=bad).returncode == 2


def test_without_a_platform_there_is_none() -> None:
    done = token()
    assert done.returncode == 2
    assert done.stderr == (
        "token: ACTIONS_ID_TOKEN_REQUEST_URL is not set; give the job id-token: write, or id_tokens\n"
    )


GH = """#!/bin/sh
printf '%s\\n' "$*" >> calls
case "$*" in
*pulls*) cat number ;;
*--paginate*) cat old ;;
esac
"""


@pytest.fixture
def desk(checkout: Subject) -> Path:
    """A checkout with the steps and a `gh` that writes down what it is asked."""
    here = Path.cwd()
    shutil.copytree(REPO / "ci/steps", here / "ci/steps")
    for name in ("components", "policies"):
        (here / name).symlink_to(REPO / name)
    (here / "bin").mkdir()
    (here / "bin/gh").write_text(GH)
    (here / "bin/gh").chmod(0o755)
    (here / "number").write_text("7\n")
    (here / "old").touch()
    return here


def comment(desk: Path, commit: str) -> tuple[int, list[str]]:
    facts = {"GITHUB_REPOSITORY": "a/b", "HEAD_OWNER": "c", "HEAD_BRANCH": "d", "HEAD_SHA": commit, "GH_TOKEN": "x"}
    env = {**os.environ, **facts, "PATH": f"{desk}/bin:{os.environ['PATH']}"}
    command = [str(desk / "ci/steps/comment"), "build/reports"]
    done = subprocess.run(command, cwd=desk, env=env, capture_output=True, text=True, check=False)
    calls = desk / "calls"
    return done.returncode, calls.read_text().splitlines() if calls.exists() else []


def test_a_comment_is_made_and_then_renewed(desk: Path, say: Callable[..., Report], checkout: Subject) -> None:
    say("preview/changes", output={"changes": []})
    code, calls = comment(desk, checkout.commit)
    assert code == 0
    assert "--method POST repos/a/b/issues/7/comments" in calls[-1]
    (desk / "old").write_text("99\n")
    code, calls = comment(desk, checkout.commit)
    assert "--method PATCH repos/a/b/issues/comments/99" in calls[-1]


def test_what_is_not_the_preview_of_that_commit_is_not_posted(desk: Path, say: Callable[..., Report]) -> None:
    say("preview/changes", output={"changes": []})
    assert comment(desk, "b" * 40) == (2, [])


@pytest.mark.parametrize("number", ["", "7; rm -rf /", "../1"])
def test_without_an_open_request_nothing_is_posted(
    desk: Path, say: Callable[..., Report], checkout: Subject, number: str
) -> None:
    say("preview/changes", output={"changes": []})
    (desk / "number").write_text(number)
    code, calls = comment(desk, checkout.commit)
    assert code == 0
    assert not any("--method P" in call for call in calls)


def test_one_failed_check_does_not_hide_the_next(desk: Path) -> None:
    """A step runs all its checks, leaves a report of each, and fails when one did."""
    step = desk / "ci/steps/three"
    checks = "check a/one -- true\ncheck a/two -- false\ncheck a/three -- true\n"
    step.write_text(f'#!/bin/sh\n. "${{0%/*}}/common.sh"\n{checks}exit "$failed"\n')
    step.chmod(0o755)
    garrison = desk / "bin/garrison"
    garrison.write_text(f'#!/bin/sh\nexec {shutil.which("python3")} -m garrison "$@"\n')
    garrison.chmod(0o755)
    env = {**os.environ, "PATH": f"{desk}/bin:{os.environ['PATH']}"}
    done = subprocess.run([step], cwd=desk, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert [report.read(report.folder(), f"a/{name}").exit for name in ("one", "two", "three")] == [0, 1, 0]
