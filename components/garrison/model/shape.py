"""What type each value has to have, read off the annotations: `"8080"` is not a port, typed or read from JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from garrison.errors import Problem
from garrison.words import Ref

SHOWN = 80
_WORDS: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    type(None): "None",
    Ref: "a service or database of this program",
}
_WORDS |= {tuple: "a list", Mapping: "a mapping"}


Test = Callable[[Any], bool]
Misfit = tuple[str, Any, str]  # where in the value, what is there, what it should be


def misfits(value: Any, where: str | None = None) -> Iterator[Problem]:
    """Each field of a dataclass that is not of its type; at `where`, or else at the field's own path."""
    kind: Any = type(value)
    for name, hint in hints(kind).items():
        for place, part, wanted in _misfits(hint, getattr(value, name), name):
            what = f"{shown(part)} is not {wanted}"
            said = f"{place.removeprefix('ref.')}={what}"  # as the program has it
            yield Problem(where or place, said if where else what, _remedy(part, wanted))


@cache
def hints(kind: Any) -> Mapping[str, Any]:
    """The annotation of each field of a dataclass."""
    known = get_type_hints(kind)
    return {field.name: known[field.name] for field in fields(kind)}


def row_of(hint: Any) -> Any:
    """What the elements of a tuple of any length are, or None for anything else."""
    inner = get_args(hint)
    return inner[0] if get_origin(hint) is tuple and len(inner) == 2 and inner[1] is Ellipsis else None


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


@cache
def _test(hint: Any) -> Test:
    """Whether a value is of a type, made once for each type: a graph has tens of thousands of values."""
    origin, inner = get_origin(hint), get_args(hint)
    if isinstance(hint, UnionType):
        return _either([_test(one) for one in inner])
    if origin is Literal:
        return lambda value: isinstance(value, str)  # which word it may be is a law, with a better answer
    if row := row_of(hint):
        each = _test(row)
        return lambda value: isinstance(value, tuple) and all(map(each, value))
    if origin is tuple:
        return _row_test([_test(one) for one in inner])
    if origin is Mapping:
        key, item = (_test(one) for one in inner)
        return lambda value: isinstance(value, Mapping) and all(key(k) and item(v) for k, v in value.items())
    if is_dataclass(hint):
        return _dataclass_test(hint)
    return lambda value: type(value) is hint or (isinstance(value, hint) and type(value) is not bool)


def _either(ways: Sequence[Test]) -> Test:
    def test(value: Any) -> bool:
        for way in ways:  # noqa: SIM110 a generator for each value would be most of the time
            if way(value):
                return True
        return False

    return test


def _row_test(tests: Sequence[Test]) -> Test:
    def test(value: Any) -> bool:
        fits = isinstance(value, tuple) and len(value) == len(tests)
        return fits and all(one(part) for one, part in zip(tests, value, strict=True))

    return test


def _dataclass_test(kind: Any) -> Test:
    tests = [(attrgetter(name), _test(hint)) for name, hint in hints(kind).items()]

    def test(value: Any) -> bool:
        if not isinstance(value, kind):
            return False
        for part, fits in tests:  # noqa: SIM110 as above
            if not fits(part(value)):
                return False
        return True

    return test


def _misfits(hint: Any, value: Any, place: str) -> Iterator[Misfit]:
    """Where in a value a type is wrong, as deep as the value has the form."""
    if _test(hint)(value):
        return
    found = [part for one, inner, at in _parts(hint, value, place) for part in _misfits(one, inner, at)]
    yield from found or [(place, value, _words(hint))]


def _parts(hint: Any, value: Any, place: str) -> Iterator[tuple[Any, Any, str]]:
    """The type, value and place of everything in a value."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple and isinstance(value, tuple):
        each = [row_of(hint)] * len(value) if row_of(hint) else inner
        yield from (
            (one, part, f"{place}[{index}]") for index, (one, part) in enumerate(zip(each, value, strict=False))
        )
    elif origin is Mapping and isinstance(value, Mapping):
        for key, part in value.items():
            yield inner[0], key, f"a key of {place}"
            yield inner[1], part, f"{place}[{shown(key)}]"
    elif isinstance(hint, type) and is_dataclass(hint) and isinstance(value, hint):
        yield from ((one, getattr(value, name), f"{place}.{name}") for name, one in hints(hint).items())


def _words(hint: Any) -> str:
    if isinstance(hint, UnionType):
        return " or ".join(_words(one) for one in get_args(hint))
    if get_origin(hint) is Literal:
        return _WORDS[str]
    return _WORDS.get(hint) or _WORDS.get(get_origin(hint)) or f"a value of {hint.__name__}(...)"


def _remedy(value: Any, wanted: str) -> str:
    if isinstance(value, list | tuple | set) and wanted == _WORDS[str]:
        return "give each as a text of its own"
    return f"give {wanted}"
