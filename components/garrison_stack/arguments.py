"""What a program in another language gives `garrison:index:App`: plain values, or all that is wrong with them at once.

An output of another resource may be anything, and is known too late: all is derived before the first resource is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pulumi import Output

from garrison.errors import GarrisonError, Problem


class ArgumentsError(GarrisonError):
    """What the package's App was given cannot be used. `problems` has all of it."""


@dataclass(frozen=True)
class Given:
    """The arguments: the program, the settings as a stack's file has them, the exceptions."""

    app: Path
    settings: dict[str, str] | None = None
    exceptions: Path | None = None


_FIRST: Final[dict[str, str]] = {}


def alone(name: str) -> None:
    """Raise ArgumentsError for a second App in one run: what there is once on a cluster has one name in a stack."""
    if (first := _FIRST.setdefault("App", name)) != name:
        remedy = "give it a project of its own (docs/elsewhere.md)"
        raise ArgumentsError([Problem(name, f"a second App beside {first}, and a stack has one", remedy)])


def given(args: Mapping[str, Any]) -> Given:
    """The arguments of one App; raises ArgumentsError."""
    if found := sorted(_problems(args)):
        raise ArgumentsError(found, "bad arguments:")
    settings, exceptions = args.get("settings"), args.get("exceptions")
    texts = None if settings is None else {key: _text(value) for key, value in settings.items()}
    return Given(Path(args["app"]), texts, None if exceptions is None else Path(exceptions))


def _problems(args: Mapping[str, Any]) -> Iterator[Problem]:
    for where in _outputs("", args):
        what = "comes from another resource, or is a secret"
        yield Problem(where, what, "give the value itself: all is derived before anything is made")
    for name in ("app", "exceptions"):
        if not isinstance(args.get(name, ""), str | Output):
            yield Problem(name, f"{_number(args[name])!r} is no path", "name a file, from the folder of Pulumi.yaml")


def _outputs(where: str, value: Any) -> Iterator[str]:
    """Where in a value the outputs are."""
    if isinstance(value, Output):
        yield where
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _outputs(f"{where}.{key}" if where else key, one)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _outputs(f"{where}[{number}]", one)


def _text(value: Any) -> str:
    """A setting as a stack's file has it: text, or JSON."""
    return value if isinstance(value, str) else json.dumps(_number(value))


def _number(value: Any) -> Any:
    """Whole numbers come over the wire as others do."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
