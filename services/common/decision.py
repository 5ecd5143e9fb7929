"""What a service decides itself: who may do what with the very thing that is asked for, which no proxy knows.

The rules are derived from the call graph and arrive as `ACCESS_RULES`, a JSON object of operation and CEL text. An
operation without one was decided before the request came here. What cannot be evaluated does not hold.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from common import context
from common.log import logger
from common.problem import Problem
from common.settings import SettingsError

VARIABLE = "ACCESS_RULES"
PLAIN = frozenset("-._~!$'()*,:@/?=&")


class Decisions:
    """Rules by operation; without any, everything that came here is allowed."""

    def __init__(self, rules: Mapping[str, str] | None = None, *, decided: tuple[str, ...] = ()) -> None:
        """Raises SettingsError where a rule is for an operation that this service does not decide, or is not CEL."""
        self._rules = {}
        for operation, text in (rules or {}).items():
            if operation not in decided:
                raise SettingsError(f"{VARIABLE} has a rule for {operation!r}, which this service does not decide")
            self._rules[operation] = _compiled(operation, text)

    @classmethod
    def from_environment(cls, *decided: str) -> Decisions:
        """Those that the deployment gives; `decided` are the operations that ask `check`."""
        try:
            rules = json.loads(os.environ.get(VARIABLE) or "{}")
        except ValueError:
            raise SettingsError(f"{VARIABLE} is not JSON") from None
        if not isinstance(rules, dict) or not all(isinstance(text, str) for text in rules.values()):
            raise SettingsError(f"{VARIABLE} is not an object of texts")
        return cls(rules, decided=decided)

    def check(self, operation: str, data: Mapping[str, Any]) -> None:
        """Raise a Problem unless the request's user may do this with what `data` says of it.

        Give no data for a thing that does not exist: it is refused like another's, so that nobody learns which do.
        """
        if operation not in self._rules:
            return
        asked = context.request()
        known = {
            "claim": numbers(asked.claims),
            "path": path_values(operation, asked.path),
            "query": query_values(asked.query),
            "data": numbers(dict(data)),
            "caller": context.caller.get(),
        }
        allowed = holds(self._rules[operation], known)
        outcome = {"rule": operation, "outcome": "allowed" if allowed else "refused"}
        logger.info("decision", extra={"fields": outcome | {"subject": context.subject(), "issuer": context.issuer()}})
        if not allowed:
            raise Problem(403, "this is not yours to do", kind="not-allowed")


def _compiled(operation: str, text: str) -> Any:
    import cel  # 12 MiB, and most services decide nothing

    try:
        return cel.compile(text)
    except ValueError as error:
        raise SettingsError(f"{VARIABLE}: the rule for {operation!r} is not CEL: {error}") from None


def holds(rule: Any, known: Mapping[str, Any]) -> bool:
    """Whether a compiled rule is true of these values; an error is a no."""
    try:
        return rule.execute(dict(known)) is True
    except Exception:  # what the library raises depends on what is wrong, and nothing of it lets anybody in
        return False


def numbers(value: Any) -> Any:
    """The same value with every number a double, as the proxies have them."""
    if isinstance(value, dict):
        return {key: numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [numbers(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def path_values(operation: str, path: str) -> dict[str, str]:
    """What stands for each `{name}`; an encoded octet could be read in two ways, so such a part has no value."""
    template, asked = operation.partition(" ")[2].split("/"), path.split("/")
    pairs = zip(template, asked, strict=False) if len(template) == len(asked) else ()
    return {name[1:-1]: part for name, part in pairs if name.startswith("{") and "%" not in part}


def query_values(query: str) -> dict[str, str]:
    """The parameters that are there once, of a query that every server reads alike; see derive/tokens.py."""
    if not all(letter in PLAIN or (letter.isascii() and letter.isalnum()) for letter in query):
        return {}
    parts = [part.partition("=") for part in query.split("&")]
    names = [name.lower() for name, _, _ in parts]
    return {name: value for name, equals, value in parts if equals and names.count(name.lower()) == 1}
