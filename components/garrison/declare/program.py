"""Loading the program that declares an App, and the lock file of its images."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
import traceback
from pathlib import Path
from typing import Any

from garrison import defaults, guest
from garrison.declare.app import App
from garrison.declare.written import graph_in
from garrison.errors import GarrisonError, did_you_mean
from garrison.model.graph import Graph

DEFAULT = Path("stacks/estate.py")  # where design and example have it
PIN_ME = "pin-me"  # what a lock file has in place of a digest that nobody has looked up yet


class ProgramError(GarrisonError):
    """The program file cannot be used: it is missing, fails, or does not declare exactly one App."""


def load(path: Path) -> App:
    """Execute a Python file and return the one App among its global names."""
    if not path.is_file():
        raise ProgramError(f"{path}: no such program; name the file that declares the App with --app")
    spec = importlib.util.spec_from_file_location(f"garrison_program_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ProgramError(f"{path}: not a Python file; name the file that declares the App with --app")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        with guest.guest():
            spec.loader.exec_module(module)
    except guest.FailedError as error:
        raise ProgramError(f"{path}{_line(spec.origin, error.__cause__)}: {error}") from error
    found = {id(value): value for value in vars(module).values() if isinstance(value, App)}
    if len(found) != 1:
        raise ProgramError(f"{path}: declares {len(found)} Apps; a program declares exactly one")
    return next(iter(found.values()))


def _line(file: str | None, error: BaseException | None) -> str:
    """The line of the program that was running when it failed, as `:7`; empty where none was."""
    frames = traceback.walk_tb(error.__traceback__ if error else None)
    lines = [number for frame, number in frames if frame.f_code.co_filename == file]
    return f":{lines[-1]}" if lines else ""


def graph_of(path: Path) -> Graph:
    """The graph of a program that declares an App, or the one that `garrison graph --format json` wrote.

    Raises ProgramError for what cannot be used, and IntentError for a declaration that does not hold together.
    """
    if path.suffix != ".json":
        return load(path).graph()
    try:
        return graph_in(path.read_text())
    except GarrisonError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise ProgramError(f"{path}: {error}") from None


def images(path: str | Path, application: str = "") -> dict[str, str]:
    """Image references by short name from a lock file in TOML (`orders = "NAME@sha256:..."`).

    A path that is a text, such as `"images.lock"`, is beside the program that says it. Where several programs share a
    lock file, `application` is the table of one of them; what stands above all tables is for each. `NAME:TAG@pin-me`
    stands for a digest that nobody has looked up yet: everything is derived and checked as ever, and `deploy` refuses.
    """
    found = Path(sys._getframe(1).f_code.co_filename).parent / path if isinstance(path, str) else path  # noqa: SLF001
    entries = _entries(found)
    tables = {name: value for name, value in entries.items() if isinstance(value, dict)}
    if application and application not in tables:
        remedy = did_you_mean(application, tables, "add it, with an entry for each image")
        raise ProgramError(f"{found}: no table [{application}]; {remedy}")
    mine = {name: value for name, value in entries.items() if name not in tables} | tables.get(application, {})
    wrong = [name for name, value in mine.items() if not isinstance(value, str)]
    if wrong:
        raise ProgramError(f"{found}: {', '.join(wrong)}: an entry is a name and an image reference in quotes")
    return {name: _unpinned(value) for name, value in mine.items()}


def _entries(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise ProgramError(f"{path}: no such lock file; build the images first") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProgramError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ProgramError(f"{path}: not TOML: {error}") from None


def _unpinned(image: str) -> str:
    name, _, word = image.rpartition("@")
    return f"{name}@{defaults.UNPINNED}" if word == PIN_ME else image
