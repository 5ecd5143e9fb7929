"""The answer of every readiness function, and the two questions most of them ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.plugin.objects import Obj, dig

Related = Mapping[str, Sequence[Obj]]


@dataclass(frozen=True)
class Verdict:
    """Ready, not ready yet, or failed for good; with the reason in one line."""

    ready: bool
    reason: str = ""
    failed: bool = False


READY: Final = Verdict(ready=True)


def waiting(reason: str) -> Verdict:
    return Verdict(ready=False, reason=reason)


def failed(reason: str) -> Verdict:
    return Verdict(ready=False, reason=reason, failed=True)


@dataclass(frozen=True)
class Need:
    """Other objects a verdict looks at: `query` names them for one object, None for not needed."""

    kind: tuple[str, str]
    query: Callable[[Obj], dict[str, str] | None]
    cluster_scoped: bool = False


@dataclass(frozen=True)
class Awaiter:
    """How to judge one kind. `on_read`: an unready object is reported at refresh too."""

    judge: Callable[[Obj, Related], Verdict]
    needs: Mapping[str, Need]
    on_read: bool = False


def condition(obj: Obj, kind: str) -> dict[str, Any]:
    """A status condition, empty where it is not reported yet."""
    for item in dig(obj, "status", "conditions", default=None) or []:
        if item.get("type") == kind:
            found: dict[str, Any] = item
            return found
    return {}


def explained(item: Mapping[str, Any], fallback: str) -> str:
    """The reason and message of a condition."""
    parts = [str(item[key]) for key in ("reason", "message") if item.get(key)]
    return ": ".join(parts) or fallback


def observed(obj: Obj) -> bool:
    """Whether the controller has seen the object as it is now."""
    generation = dig(obj, "metadata", "generation", default=0)
    return int(dig(obj, "status", "observedGeneration", default=0)) >= int(generation)


def count(obj: Obj, *path: str) -> int:
    return int(dig(obj, *path, default=0) or 0)
