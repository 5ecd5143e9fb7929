"""What every noun of a program is made of: a statement with its place, the pen that takes it, and who speaks."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from garrison.words import Ref


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


def where() -> str:
    """The first frame outside this package: the line of the program that spoke."""
    here, frame = Path(__file__).parent, sys._getframe(1)  # noqa: SLF001 the documented, cheap way to the caller
    while frame.f_back is not None and Path(frame.f_code.co_filename).parent == here:
        frame = frame.f_back
    return f"{_shown(Path(frame.f_code.co_filename))}:{frame.f_lineno}"


def _shown(path: Path) -> str:
    """Relative to where the command runs, so that messages are the same on every machine."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name
