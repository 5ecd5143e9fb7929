"""The statement without a database: what its log says, how it ends. On a real ledger: tests/servers/services."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import psycopg
import pytest

from common.problem import Problem
from harness import paths
from statement.app import BALANCED, NOT_READ, TOLD, UNBALANCED, told
from statement.book import Account, Books, Unbalanced
from unit.services.conftest import Logged

ACCOUNT = Account(date(2026, 11, 26), "psp:EUR", "asset", "EUR", 100, 50, 30, 120)


def wrong(many: int) -> tuple[Unbalanced, ...]:
    return tuple(Unbalanced(f"t-{number}", 500, -1) for number in range(many))


def test_each_account_is_a_line_and_the_last_one_says_that_all_balances(logged: Logged) -> None:
    assert told(lambda: Books((ACCOUNT,), 7, ())) == BALANCED == 0
    account, last = logged()
    said: dict[str, object] = {"day": "2026-11-26", "account": "psp:EUR", "kind": "asset", "currency": "EUR"}
    said |= {"opening": 100, "debit": 50, "credit": 30, "closing": 120}
    assert {key: account[key] for key in said} == said
    assert (account["message"], account["level"]) == ("account", "info")
    assert (last["message"], last["transactions"], last["unbalanced"]) == ("the ledger balances", 7, 0)


def test_a_ledger_that_does_not_balance_ends_with_1_and_says_which_transactions(logged: Logged) -> None:
    assert told(lambda: Books((ACCOUNT,), 7, wrong(1))) == UNBALANCED == 1
    _, which, last = logged()
    assert (which["transaction"], which["amount"], which["over"], which["level"]) == ("t-0", 500, -1, "error")
    assert (last["message"], last["level"], last["unbalanced"]) == ("the ledger does not balance", "error", 1)


def test_a_ledger_in_ruins_does_not_fill_the_log(logged: Logged) -> None:
    assert told(lambda: Books((), 900, wrong(900))) == UNBALANCED
    assert len(logged()) == TOLD + 1
    assert logged()[-1]["unbalanced"] == 900


@pytest.mark.parametrize("error", [Problem(503, "the ledger is not available"), psycopg.errors.UndefinedTable("no")])
def test_what_could_not_be_read_is_neither_good_nor_bad(error: Exception, logged: Logged) -> None:
    def fails() -> Books:
        raise error

    assert told(fails) == NOT_READ == 2
    (line,) = logged()
    assert line["message"].startswith("not read: the ledger is not a")
    assert "error" not in line, "no traceback"


@pytest.mark.parametrize(("env", "out", "err"), [({}, 0, "statement: LEDGER_FILE is not set"), (None, 2, "")])
def test_as_a_program_it_says_in_one_line_why_it_could_not_look(
    env: dict[str, str] | None, out: int, err: str, tmp_path: Path
) -> None:
    given = {"LEDGER_FILE": str(tmp_path / "nothing.json")} if env is None else env
    given |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(paths.REPO / "services")}
    done = subprocess.run([sys.executable, "-m", "statement"], env=given, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr.strip()) == (NOT_READ, err)
    assert len(done.stdout.splitlines()) == out, "why, and that it was not read"
