"""What an update would change: a pure comparison of what is with what is wanted.

`entries` compares two values field by field. It is given the live object cut to the shape of the
old inputs, and the new inputs as a server-side dry run returned them, so that a value the server
merely writes differently (`1000m` for `1`) is no change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from harness.plugin.values import UNKNOWN

Kind = Literal["add", "delete", "update"]
Path = tuple[str | int, ...]
_MISSING: Final = object()


def entries(old: Any, new: Any) -> dict[Path, Kind]:
    """Every path that differs, with the kind of change."""
    return dict(_walk((), old, new))


def _walk(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Kind]]:
    if new is _MISSING:
        yield path, "delete"
    elif old is _MISSING or (old is None and new is not None):
        yield path, "add"
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*new, *(key for key in old if key not in new)]:
            yield from _walk((*path, key), old.get(key, _MISSING), new.get(key, _MISSING))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from _walk((*path, index), _at(old, index), _at(new, index))
    elif new is UNKNOWN or old != new or isinstance(old, bool) != isinstance(new, bool):
        yield path, "update"


def _at(items: Sequence[Any], index: int) -> Any:
    return items[index] if index < len(items) else _MISSING


def fields_only(path: Path) -> str:
    """A path without list positions: `spec.containers.image`."""
    return ".".join(part for part in path if isinstance(part, str))


def is_fixed(path: Path, fixed: Iterable[str]) -> bool:
    """Whether a change at this path touches a field that cannot change in place."""
    return any(_within(path, field) for field in fixed)


def _within(path: Path, field: str) -> bool:
    changed = fields_only(path)
    return changed == field or changed.startswith(f"{field}.")


def matching(paths: Iterable[Path], refused: str) -> list[Path]:
    """The changed paths that a field named in an API server's refusal speaks of."""
    field = re.sub(r"\[[^\]]*\]", "", refused).strip(".")
    found = list(paths)
    inside = [p for p in found if _within(p, field) or field.startswith(f"{fields_only(p)}.")]
    return inside or [p for p in found if p and p[0] != "metadata"]


def shown(path: Path) -> str:
    """A path in Pulumi's notation: `spec.containers[0].image`, `data["a.b"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.search(r'[."\[\]]', part):
            text += '["' + part.replace('"', '\\"') + '"]'
        else:
            text += f".{part}" if text else part
    return text


def parsed(text: str) -> Path:
    """The inverse of `shown`, for `ignoreChanges`."""
    token = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|\.?([^.\[\]]+)')
    parts: list[str | int] = []
    for quoted, index, plain in token.findall(text):
        if index:
            parts.append(int(index) if index.isdigit() else index)
        else:
            parts.append(quoted.replace('\\"', '"') or plain)
    return tuple(parts)


def ignored(path: Path, patterns: Iterable[Path]) -> bool:
    """Whether the program said not to look at this path (or at one above it)."""
    return any(
        len(pattern) <= len(path) and all(want in ("*", have) for want, have in zip(pattern, path, strict=False))
        for pattern in patterns
    )
