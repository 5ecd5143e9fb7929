"""When a GitLab job runs: whether its conditions leave only branches and tags that reviewed code alone reaches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

_TOKEN = re.compile(
    r"\s*(&&|\|\||[()]|==|!=|=~|!~|\$\{?\w+\}?|\"[^\"]*\"|'[^']*'|/(?:\\.|[^/\\])*/\w*|[^\s()&|=!]+|.)", re.DOTALL
)
_MAIN = frozenset({"main", "master", "$CI_DEFAULT_BRANCH"})
_EMPTY = ("null", "")
_DEEPEST = 50

Tokens = list[str]


def protects(condition: str, *, holds: bool = True) -> bool:
    """Whether what fulfils the condition (or, with holds=False, does not) runs on reviewed code only."""
    tokens = [token for token in _TOKEN.findall(condition) if token.strip()]
    try:
        return bool(tokens) and _either(tokens, holds, 0)
    except (IndexError, ValueError):
        return False  # GitLab would refuse it, and nobody knows what it means


def _either(tokens: Tokens, holds: bool, depth: int) -> bool:
    found = _list(tokens, "||", holds, depth, _both)
    return all(found) if holds else any(found)


def _both(tokens: Tokens, holds: bool, depth: int) -> bool:
    ahead = tokens[: tokens.index("||")] if "||" in tokens else list(tokens)
    requested = holds and any("merge_request_event" in second and first == "==" for first, second in pairwise(ahead))
    found = _list(tokens, "&&", holds, depth, _one)
    return (any(found) and not requested) if holds else all(found)


def _list(tokens: Tokens, operator: str, holds: bool, depth: int, read: Any) -> list[bool]:
    found = [read(tokens, holds, depth)]
    while tokens and tokens[0] == operator:
        tokens.pop(0)
        found.append(read(tokens, holds, depth))
    return found


def _one(tokens: Tokens, holds: bool, depth: int) -> bool:
    """A bracket, a comparison, or a variable that is set."""
    first = tokens.pop(0)
    if first == "(":
        if depth > _DEEPEST:
            raise ValueError(first)
        value = _either(tokens, holds, depth + 1)
        if tokens.pop(0) != ")":
            raise ValueError(first)
        return value
    if not tokens or tokens[0] not in ("==", "!=", "=~", "!~"):
        return holds and _plain(first) == "$CI_COMMIT_TAG"
    operator, second = tokens.pop(0), tokens.pop(0)
    return _compared(_plain(first), operator, _plain(second), holds)


def _plain(token: str) -> str:
    return token.strip("\"'").replace("{", "").replace("}", "")


def _compared(left: str, operator: str, right: str, holds: bool) -> bool:
    if not left.startswith("$") or (right.startswith("$CI_COMMIT") and left == "$CI_DEFAULT_BRANCH"):
        left, right = right, left
    equal = holds == (operator == "==") if operator in ("==", "!=") else None
    if left == "$CI_COMMIT_REF_PROTECTED":
        return (equal is True and right == "true") or (equal is False and right in ("false", *_EMPTY))
    if left in ("$CI_COMMIT_BRANCH", "$CI_COMMIT_REF_NAME"):
        return equal is True and right in _MAIN
    if left == "$CI_COMMIT_TAG":
        if equal is None:
            return holds == (operator == "=~")
        return right not in _EMPTY if equal else right in _EMPTY
    return False


def reviewed(body: Mapping[str, Any]) -> bool:
    """Whether `rules` or `only` of a job, or of the workflow, say so."""
    rules = body.get("rules")
    if isinstance(rules, list):
        return _rules([row for row in rules if isinstance(row, Mapping)])
    only = body.get("only")
    if isinstance(only, Mapping):
        variables, refs = only.get("variables"), only.get("refs")
        listed = isinstance(variables, list) and bool(variables) and all(protects(str(one)) for one in variables)
        return listed or _refs(refs)
    return _refs(only)


def _rules(rows: Iterable[Mapping[str, Any]]) -> bool:
    """The first row that fits decides, so a row that says "never" speaks for those behind it."""
    left, runs = False, False
    for row in rows:
        condition = str(row.get("if") or "")
        if row.get("when") == "never":
            left = left or (not {"changes", "exists"} & row.keys() and protects(condition, holds=False))
        else:
            runs = True
            if not left and not protects(condition):
                return False
    return runs


def _refs(refs: Any) -> bool:
    listed = [refs] if isinstance(refs, str) else refs
    return (
        isinstance(listed, list)
        and bool(listed)
        and all(str(one).partition("@")[0] in (*_MAIN, "tags") for one in listed)
    )
