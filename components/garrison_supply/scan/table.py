"""A TOML table read with types: every value is checked, every unknown key and every problem is said at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from garrison.errors import Problem, did_you_mean

T = TypeVar("T")
Reader = Callable[[Any], T]  # the value, or a ValueError that says what to write instead


class Table:
    """One table of a file: `take` what is known, then `done` reports what is left."""

    def __init__(self, values: object, where: str, problems: list[Problem]) -> None:
        self._values: dict[str, Any] = dict(values) if isinstance(values, Mapping) else {}
        self._where, self._problems, self._known = where, problems, set[str]()
        if not isinstance(values, Mapping):
            self.refuse("is not a table", f"write [{where}] and one key = value a line")

    def take(self, key: str, reader: Reader[T], default: T | None = None) -> T:
        """The value of `key`; without a default it must be there."""
        if key not in self._values and default is None:
            self.refuse(f"{key} is missing", f"add {key} = ...")
        found = self.optional(key, reader)
        # What is missing or unusable is a problem by now, and settings with problems reach no one.
        return default if found is None else found  # type: ignore[return-value]

    def optional(self, key: str, reader: Reader[T]) -> T | None:
        """The value of `key`, or None where it is not said."""
        self._known.add(key)
        if key not in self._values:
            return None
        try:
            return reader(self._values[key])
        except ValueError as error:
            self.refuse(f"{key} = {self._values[key]!r} is not usable", str(error))
            return None

    def table(self, key: str) -> Table:
        """The table below `key`; an absent one is empty."""
        self._known.add(key)
        return Table(self._values.get(key, {}), f"{self._where}.{key}".lstrip("."), self._problems)

    def tables(self, key: str) -> list[Table]:
        """The array of tables [[key]], numbered from 1 in messages."""
        self._known.add(key)
        found = self._values.get(key, [])
        if not isinstance(found, list):
            self.refuse(f"{key} is not a list of tables", f"write [[{key}]]")
            return []
        return [Table(one, f"{key} {number}", self._problems) for number, one in enumerate(found, start=1)]

    def done(self) -> None:
        """Refuse the keys nobody took: a misspelt threshold must not fall back to a default."""
        for key in sorted(self._values.keys() - self._known):
            self.refuse(f"{key}: no such setting", did_you_mean(key, self._known, f"known: {sorted(self._known)}"))

    def refuse(self, what: str, remedy: str) -> None:
        """Note a problem of this table."""
        self._problems.append(Problem(f"[{self._where}]" if self._where else "the file", what, remedy))


def text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("write a text in quotes")
    return value.strip()


def texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("write a list of texts")  # noqa: TRY004  # a Reader says everything with ValueError
    return tuple(text(one) for one in value)


def switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("write true or false")  # noqa: TRY004
    return value


def between(low: int, high: int) -> Reader[int]:
    """A reader of whole numbers from `low` to `high`."""

    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"write a whole number from {low} to {high}")
        return value

    return read
