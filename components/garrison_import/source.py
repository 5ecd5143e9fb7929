"""Python text: literals, calls and comments, as `ruff format` would leave them."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from garrison.findings import printable
from garrison.words import Resources

WIDTH = 120
_TAKEN = {"app", "lock", "images", "App", "Resources", "str", "dict", "list", "open", "print"}


class Verbatim(str):
    """A piece of Python that stands as it is."""

    __slots__ = ()


def quoted(text: str) -> str:
    """A string as `ruff format` quotes it; nothing in it ends the line, the string or a terminal's peace."""
    mark = "'" if text.count('"') > text.count("'") else '"'
    special = {"\\": "\\\\", mark: f"\\{mark}", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return mark + "".join(special.get(c) or (c if c.isprintable() else _escape(c)) for c in text) + mark


def _escape(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def literal(value: Any) -> str:
    """A value as Python writes it, on one line."""
    if isinstance(value, Verbatim):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(key)}: {literal(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Resources):
        names = ("cpu", "memory", "cpu_limit", "memory_limit")
        return "Resources(" + ", ".join(f"{name}={quoted(getattr(value, name))}" for name in names) + ")"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    return repr(value)


def _spread(value: Any, indent: str) -> str:
    """A value over several lines, where it is one of several."""
    inner = indent + "    "
    if isinstance(value, Mapping) and value:
        return (
            "{\n" + "".join(f"{inner}{literal(key)}: {literal(one)},\n" for key, one in value.items()) + f"{indent}}}"
        )
    if isinstance(value, list | tuple) and value:
        return "[\n" + "".join(f"{inner}{literal(one)},\n" for one in value) + f"{indent}]"
    return literal(value)


def call(function: str, arguments: Sequence[Any] = (), named: Iterable[tuple[str, Any]] = (), remark: str = "") -> str:
    """A call, on one line where it fits, else with an argument on each; a remark stands behind it."""
    pairs = list(named)
    tail = f"  # {remark}" if remark else ""
    flat = [*map(literal, arguments), *(f"{name}={literal(value)}" for name, value in pairs)]
    line = f"{function}({', '.join(flat)})"
    if len(line + tail) <= WIDTH:
        return f"{line}{tail}\n"
    rows = [f"    {literal(one)},\n" for one in arguments]
    for name, value in pairs:
        row = f"    {name}={literal(value)},\n"
        rows.append(row if len(row) <= WIDTH else f"    {name}={_spread(value, '    ')},\n")
    return f"{function}({tail}\n{''.join(rows)})\n"


def comment(text: str, indent: str = "") -> str:
    """A comment of one line or more, wrapped at blanks; nothing in it can end it."""
    words, lines, line = printable(" ".join(text.split())).split(" "), [], ""
    for word in words:
        if line and len(indent) + 2 + len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = f"  {word}"
        else:
            line = f"{line} {word}" if line else word
    return "".join(f"{indent}# {one}\n" for one in [*lines, line] if one.strip())


def block(text: str) -> str:
    """A text of several lines as a literal: a block in triple quotes where that says the same."""
    plain = text.isprintable() or all(c.isprintable() or c == "\n" for c in text)
    if "\n" in text and plain and '"""' not in text and not text.endswith(('"', "\\")):
        return f'r"""{text}"""' if "\\" in text else f'"""\\\n{text}"""'
    lines = text.splitlines(keepends=True)
    if len(lines) < 2:
        return quoted(text)
    return "(\n" + "".join(f"    {quoted(line)}\n" for line in lines) + ")"


class Identifiers:
    """Names of Python for names of Kubernetes, each once."""

    def __init__(self) -> None:
        self._used = set(_TAKEN)

    def of(self, *names: str) -> str:
        """A free identifier, made of the first of these names that is free, else the last with a number."""
        wanted = [identifier(name) for name in names]
        wanted += [f"{wanted[-1]}_{number}" for number in range(2, 10_000)]
        chosen = next(name for name in wanted if name not in self._used)
        self._used.add(chosen)
        return chosen


def identifier(name: str) -> str:
    """The name as Python takes it: `redis-cart` is redis_cart."""
    text = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "it"
    text = f"_{text}" if text[0].isdigit() else text
    return f"{text}_" if keyword.iskeyword(text) or keyword.issoftkeyword(text) else text
