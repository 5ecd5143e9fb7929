"""What every noun of a program is made of: a statement with its place, the pen that takes it, and who speaks."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, ParamSpec, TypeVar

from garrison.errors import IntentError, Problem, did_you_mean
from garrison.words import Ref

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Statement:
    """Where in the program something was said, as `file:line`, so that a problem can point at it."""

    row: ClassVar[str]
    """The field of the graph that it is a row of."""
    where: str

    def value(self) -> Any:
        """What was said, as the graph has it."""
        raise NotImplementedError


class Pen:
    """Takes statements, in any order; nothing is ever changed or removed."""

    def __init__(self, images: Mapping[str, str]) -> None:
        self.images = dict(images) if isinstance(images, Mapping) else images
        self._statements: list[Statement] = []

    @property
    def statements(self) -> tuple[Statement, ...]:
        return tuple(self._statements)

    def image(self, role: str) -> str:
        """The image of that role, empty where none was given; whether it is one is a law."""
        return self.images.get(role, "") if isinstance(self.images, Mapping) else ""

    def add(self, statement: Statement) -> None:
        """Take one more statement."""
        self._statements.append(statement)


@dataclass(frozen=True)
class Speaker:
    """A declared service, of which a verb says what it may do."""

    ref: Ref
    _pen: Pen = field(repr=False, compare=False)


def verb(function: Callable[P, R]) -> Callable[P, R]:
    """What a program may say: arguments that it does not take are a problem at the program's line, not a traceback.

    A call that Python itself refuses says nothing that could be checked later, so it is refused at once.
    """

    @functools.wraps(function)
    def said(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except TypeError:
            if problems := list(_misspoken(function, args, kwargs)):
                raise IntentError(problems) from None
            raise

    return said


def _misspoken(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the arguments of a call, if it is they."""
    owner, _, own = function.__qualname__.rpartition(".")
    name = owner if own == "__init__" else own
    signature = inspect.signature(function)
    known = {key: one for key, one in signature.parameters.items() if key != "self"}
    takes = f"it takes {', '.join(known)}"
    if unknown := [key for key in kwargs if key not in known]:
        for key in unknown:
            yield Problem(where(), f"{name}(...) takes no {key!r}", did_you_mean(key, known, takes))
        return  # what is missing is most likely what was misspelt
    try:
        given = signature.bind_partial(*args, **kwargs).arguments
    except TypeError as error:
        yield Problem(where(), f"{name}(...): {error}", takes)
        return
    needed = [key for key, one in known.items() if one.default is one.empty and one.kind is not one.VAR_POSITIONAL]
    if missing := [key for key in needed if key not in given]:
        yield Problem(where(), f"{name}(...) lacks {', '.join(missing)}", takes)


def where() -> str:
    """The first frame outside this package: the line of the program that spoke."""
    frame = _speaker()
    return f"{_shown(Path(frame.f_code.co_filename))}:{frame.f_lineno}"


def beside(path: str | Path) -> Path:
    """A path that a program says: as a text, it is beside the program."""
    return Path(_speaker().f_code.co_filename).parent / path if isinstance(path, str) else path


def _speaker() -> FrameType:
    here, frame = Path(__file__).parent, sys._getframe(1)  # noqa: SLF001 the documented, cheap way to the caller
    while frame.f_back is not None and Path(frame.f_code.co_filename).parent == here:
        frame = frame.f_back
    return frame


def _shown(path: Path) -> str:
    """Relative to where the command runs, so that messages are the same on every machine."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name
