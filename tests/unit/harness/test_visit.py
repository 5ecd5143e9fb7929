"""What `make up` shows in the end: requests that follow from the program, made before they are said; one password."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from garrison import App
from garrison.declare import program
from garrison.model.graph import Graph
from harness import entrance, paths, shell, stack, visit
from harness.errors import HarnessError

ESTATE = program.load(paths.REPO / "stacks/estate.py").graph()


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """An estate that answers as it should, with nobody in it; gives what `garrison users` was asked."""
    asked: list[tuple[str, ...]] = []

    def users(_: str, *arguments: str) -> str:
        known = "".join("\nwen   customers  -" for one in asked if one[0] == "add")
        asked.append(arguments)
        return (
            f"NAME  GROUPS  CLAIMS{known}\n" if arguments == ("list",) else "user      wen\npassword  s3cret\n\nonce\n"
        )

    monkeypatch.setenv("GARRISON_STATE", str(tmp_path))
    monkeypatch.setattr(shell, "run", lambda *_, **__: "-----BEGIN CERTIFICATE-----\n")
    monkeypatch.setattr(visit.Visit, "made", lambda self, _: self.status)
    monkeypatch.setattr(visit, "users", users)
    return asked


def test_the_two_requests_and_the_shop_are_shown(
    shown: list[tuple[str, ...]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    visit.show("garrison")
    out = capsys.readouterr().out
    answered, refused = (shlex.split(line) for line in out.splitlines() if line.startswith("  curl"))
    bundle = tmp_path / "garrison/ca.pem"
    trust = ["curl", "--cacert", str(bundle), "--resolve", "api.estate.example:8443:127.0.0.1"]
    assert bundle.read_text().startswith("-----BEGIN")
    assert answered == [*trust, "https://api.estate.example:8443/items"]
    assert refused == [*trust, "-X", "POST", "https://api.estate.example:8443/claims"]
    assert [int(status) for status in re.findall(r"^ +(\d+): for ", out, re.MULTILINE)] == [200, 401]
    assert "https://www.estate.example:8443/" in out
    assert "127.0.0.1 api.estate.example login.estate.example www.estate.example\n" in out
    assert "wen, password s3cret (said this once)" in out
    assert shown == [("list",), ("add", "wen", "--group=customers")]


def test_a_password_is_said_once(shown: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]) -> None:
    visit.show("garrison")
    visit.show("garrison")
    out = capsys.readouterr().out
    assert out.count("s3cret") == 1
    assert "garrison users reset wen" in out
    assert [one[0] for one in shown] == ["list", "add", "list"]


def test_a_token_is_of_a_user_who_is_gone_again(
    shown: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: dict[str, object] = {}

    def run(command: list[str | Path], **said: object) -> str:
        if "token" in command:
            given.update(command=[str(word) for word in command], stdin=said["stdin"])
            return "a.b.c\n"
        return "-----BEGIN CERTIFICATE-----\n"

    monkeypatch.setattr(shell, "run", run)
    monkeypatch.setattr(stack, "settings", lambda _: tmp_path / "stack.yaml")
    assert visit.token("garrison") == "a.b.c"
    (_, name, group), gone = shown
    assert (group, gone) == ("--group=customers", ("remove", name))
    assert given["stdin"] == "s3cret\n"
    command = given["command"]
    assert isinstance(command, list)
    assert "s3cret" not in command
    assert f"--edge https://127.0.0.1:8443 --app {paths.REPO}/stacks/estate.py" in " ".join(command)


def test_what_is_not_answered_as_declared_is_not_shown(
    shown: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(visit.Visit, "made", lambda *_: 200)
    with pytest.raises(HarnessError, match=r"POST /claims at .* is answered 200, not 401"):
        visit.show("garrison")
    assert (capsys.readouterr().out, shown) == ("", [])


def test_a_program_without_hosts_shows_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "load", lambda _: App("a", trust_domain="a.example", images=ESTATE_IMAGES))
    visit.show("garrison")
    assert capsys.readouterr().out == ""


ESTATE_IMAGES = dict(ESTATE.images)


def test_every_cluster_of_the_harness_has_a_port_of_its_own() -> None:
    assert len(set(entrance.PORTS.values())) == len(entrance.PORTS)
    assert [found.port for found in visit.visited(ESTATE, entrance.PORTS["garrison-test"])] == [8444, 8444]


def test_a_program_that_has_only_one_of_the_two_shows_that_one() -> None:
    public = [route for route in ESTATE.routes if route.public]
    found = list(visit.visited(Graph.from_json(ESTATE.to_json()), 1))
    assert [one.status for one in found] == [200, 401]
    assert found[0].route in public
