"""A word put into another language stays one word there; real servers are asked in tests/servers/test_database.py."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrison.derive.quoting import access_rule_name, exact_path, policy_line, shell_word, sql_name, sql_text

HOSTILE = [
    'x" { capabilities = ["sudo"] } path "*',
    "secret/*",
    "secret/+/key",
    "a\nb",
    "{{identity.entity.id}}",
    "${x}",
    "",
]
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize("path", HOSTILE)
def test_a_policy_names_one_path_or_is_not_written(path: str) -> None:
    with pytest.raises(ValueError, match="is not one path"):
        policy_line(path, "read")


def test_a_plain_path_passes() -> None:
    assert exact_path("secret/data/psp/api-key") == "secret/data/psp/api-key"
    assert policy_line("database/creds/bank.ledger.writer", "read") == (
        'path "database/creds/bank.ledger.writer" { capabilities = ["read"] }'
    )


@given(TEXTS)
def test_a_name_in_sql_is_one_line_without_an_end(text: str) -> None:
    inside = sql_name(text).removeprefix("U&")[1:-1]
    assert not set(inside) & set('"\n\r;')


@given(TEXTS)
def test_a_text_in_sql_ends_where_it_ends(text: str) -> None:
    inside = sql_text(text)[2:-1].replace("\\\\", "").replace("''", "")
    assert not set(inside) & set("'\n\r")


@given(TEXTS)
def test_a_word_of_the_shell_is_one_word(text: str) -> None:
    assert shlex.split(shell_word(text)) == [text]


@pytest.mark.parametrize("name", ["a\nhost all all all trust", "", "a\0b"])
def test_what_an_access_rule_cannot_say_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"pg_hba\.conf"):
        access_rule_name(name)


@pytest.mark.parametrize("quote", [sql_name, sql_text, shell_word])
def test_nothing_takes_a_zero_byte(quote: object) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        quote("a\0b")  # type: ignore[operator]
