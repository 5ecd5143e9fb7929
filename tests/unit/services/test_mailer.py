"""The mailer without a network: letters, what is no event, the same one twice. With NATS: tests/servers/services."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from string import Template
from typing import Any

import pytest

from harness import paths
from mailer import app
from mailer.app import Mailer
from unit.services.conftest import Logged

LETTER = paths.REPO / "stacks/letters/placed.txt"
EVENT: dict[str, Any] = {
    "order": "o-1",
    "customer": "wen",
    "amount": 21_614,
    "currency": "EUR",
    "correlation_id": "c-7",
}


@pytest.fixture
def mailer(tmp_path: Path) -> Mailer:
    return Mailer(Template(LETTER.read_text()), tmp_path)


def test_an_order_is_a_letter(mailer: Mailer, tmp_path: Path, logged: Logged) -> None:
    mailer.write(EVENT)
    (letter,) = tmp_path.iterdir()
    assert letter.name == "o-1.txt"
    assert "Dear wen," in letter.read_text()
    assert "21614 hundredths of one EUR" in letter.read_text()
    (line,) = logged()
    assert (line["message"], line["order"], line["correlation_id"]) == ("letter", "o-1", "c-7")
    assert "wen" not in str(line), "whose it is stands in the letter alone"


def test_the_same_order_told_twice_is_one_letter(mailer: Mailer, tmp_path: Path, logged: Logged) -> None:
    for customer in ("wen", "eve"):
        mailer.write({**EVENT, "customer": customer})
    assert "Dear wen," in (tmp_path / "o-1.txt").read_text()
    assert [line["message"] for line in logged()] == ["letter"]


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {**EVENT, "order": "../../etc/passwd"},
        {**EVENT, "order": ""},
        {**EVENT, "customer": None},
        {**EVENT, "amount": [1]},
    ],
)
def test_what_is_no_event_is_left(mailer: Mailer, tmp_path: Path, event: object) -> None:
    mailer.write(event)
    assert [*tmp_path.iterdir()] == []


def test_the_outbox_does_not_grow_for_ever(mailer: Mailer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "KEPT", 2)
    for number in range(4):
        mailer.write({**EVENT, "order": f"o-{number}"})
        os.utime(tmp_path / f"o-{number}.txt", ns=(number, number))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["o-2.txt", "o-3.txt"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"NATS_ADDR": "nats"}, "NATS_ADDR='nats' is not an address"),
        ({"LETTER_FILE": "/nowhere"}, "LETTER_FILE='/nowhere' cannot be read"),
        ({"LETTER_FILE": "{other}"}, "has other fields than order, customer, amount, currency"),
        ({"LETTER_FILE": "{broken}"}, "has other fields than order, customer, amount, currency"),
        ({"OUTBOX": "/nowhere"}, "OUTBOX='/nowhere' is not a folder"),
    ],
)
def test_a_bad_setting_is_one_line(changes: dict[str, str], said: str, tmp_path: Path) -> None:
    files = {"other": "Dear $whoever", "broken": "Dear $"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    wrong = {name: value.format(**{file: tmp_path / file for file in files}) for name, value in changes.items()}
    env = {"NATS_ADDR": "127.0.0.1:1", "LETTER_FILE": str(LETTER), "OUTBOX": str(tmp_path), **wrong}
    env |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(paths.REPO / "services")}
    done = subprocess.run([sys.executable, "-m", "mailer"], env=env, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith("mailer: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
