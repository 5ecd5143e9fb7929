"""What is published of public applications is what an import finds in them."""

from __future__ import annotations

import ast

import pytest

from examples.tables import edges
from garrison_import.program import lock, program
from harness.paths import REPO
from unit.imported.measure import APPS, NAMES, PATHS, imported, table, truth

EXAMPLES = {
    "online-boutique": "online_boutique",
    "bank-of-anthos": "bank_of_anthos",
    "sock-shop": "sock_shop",
    "aks-store-demo": "aks_store",
    "robot-shop": "robot_shop",
    "spring-petclinic-cloud": "petclinic",
}
here = [
    pytest.param(app, marks=[] if (APPS / app).is_dir() else pytest.mark.skip(reason="no applications beside this"))
    for app in PATHS
]


def test_each_table_says_where_or_why() -> None:
    for app in NAMES:
        rows = truth(app)
        assert len({(row.caller, row.callee) for row in rows}) == len(rows)
        assert all(row.evidence and row.protocol in ("http", "grpc", "tcp", "open") for row in rows)
        assert not [row for row in rows if row.found and row.callee.startswith("outside:")]


def test_it_agrees_with_the_table_of_the_examples() -> None:
    """Two tables, written apart: whoever mends one looks at the other."""
    for app in NAMES:
        mine = {(row.caller, row.callee) for row in truth(app) if not row.callee.startswith("outside:")}
        theirs = {
            one.pair
            for one in edges(EXAMPLES[app])
            if one.protocol not in ("none", "outside") and one.shown not in ("pod", "command")
        }
        assert mine == theirs


def test_the_published_table_is_that_of_the_tables() -> None:
    """Renewed with `python -m unit.imported.measure`."""
    assert table() in (REPO / "docs" / "import.md").read_text()


@pytest.mark.parametrize("app", here)
def test_an_import_finds_what_the_table_says_and_nothing_else(app: str) -> None:
    made = imported([str(APPS / app / path) for path in PATHS[app]])
    found = {
        (line.edge.caller.ref.name, line.edge.callee.ref.name): line.protocol.spoken if line.protocol.known else "open"
        for line in made.lines
    }
    assert len(found) == len(made.lines), "each pair once"
    assert found == {(row.caller, row.callee): row.protocol for row in truth(app) if row.found}


@pytest.mark.parametrize("app", here)
def test_each_edge_is_said_with_where_it_was_seen(app: str) -> None:
    made = imported([str(APPS / app / path) for path in PATHS[app]])
    seen = {
        (line.edge.caller.ref.name, line.edge.callee.ref.name): {found.where for found in line.edge.found}
        for line in made.lines
    }
    for row in truth(app):
        if row.found:
            assert row.evidence in seen[row.caller, row.callee]


@pytest.mark.parametrize("app", here)
def test_the_program_is_python_and_holds_no_secret(app: str) -> None:
    made = imported([str(APPS / app / path) for path in PATHS[app]])
    text = program(made, lock_beside=True)
    ast.parse(text)
    for secret in ("accounts-pwd", "bankofanthos", "fake_password", '"password"', "cGFzc3dvcmQ", "dXNlcm5hbWU"):
        assert secret not in text + lock(made)
