"""The `pulumi.com/waitFor` annotation: conditions and JSONPath expressions of the user's own.

Understood are `condition=Type[=Status]` and `jsonpath={.a.b[0].c}[=value]`, alone or as a JSON
array of them: the part of JSONPath that names one place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from harness.plugin.errors import PluginError
from harness.plugin.objects import Obj
from harness.plugin.ready.verdict import (
    READY,
    Awaiter,
    Related,
    Verdict,
    condition,
    explained,
    waiting,
)

Check = Callable[[Obj], Verdict]
_EXPRESSION = re.compile(r"^jsonpath=\{?(?P<path>\.?[^{}=]+)\}?(?:=(?P<value>.*))?$", re.DOTALL)
_STEP = re.compile(r"\.([\w-]+(?:\\\.[\w-]+)*)|\['([^']+)'\]|\[(-?\d+)\]")


def awaiter(text: str) -> Awaiter:
    """The awaiter that an annotation asks for."""
    checks = [_check(expression) for expression in _expressions(text)]

    def judge(obj: Obj, _: Related) -> Verdict:
        open_ones = [found for check in checks if not (found := check(obj)).ready]
        return open_ones[0] if open_ones else READY

    return Awaiter(judge, {})


def _expressions(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except ValueError:
        return [text]
    if not isinstance(found, list) or not found or not all(isinstance(i, str) for i in found):
        raise PluginError("pulumi.com/waitFor: expected an expression or a JSON array of them")
    return found


def _check(expression: str) -> Check:
    if expression.startswith("condition="):
        kind, _, status = expression.removeprefix("condition=").partition("=")
        return lambda obj: _judge_condition(obj, kind, status or "True")
    if match := _EXPRESSION.match(expression):
        return lambda obj: _judge_path(obj, match["path"], match["value"])
    raise PluginError(f'pulumi.com/waitFor: expected a "jsonpath=" or "condition=" prefix, got "{expression}"')


def _judge_condition(obj: Obj, kind: str, status: str) -> Verdict:
    found = condition(obj, kind)
    if str(found.get("status", "")).lower() == status.lower():
        return READY
    return waiting(explained(found, f"waiting for condition {kind}={status}"))


def _judge_path(obj: Obj, path: str, wanted: str | None) -> Verdict:
    found = _at(obj, path)
    if found is not None and (wanted is None or _text(found) == wanted):
        return READY
    return waiting(f"waiting for {path}" + (f"={wanted}" if wanted is not None else ""))


def _at(value: Any, path: str) -> Any:
    for key, quoted, index in _STEP.findall(path if path.startswith((".", "[")) else f".{path}"):
        try:
            value = value[int(index)] if index else value[quoted or key.replace("\\.", ".")]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
