"""What of a graph is shown: all of it, what somebody reaches, or what reaches it, so many steps far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from garrison.errors import GarrisonError, did_you_mean
from garrison.explain.allowed import API
from garrison.explain.links import CONTROL_PLANE, host_key, secret_key
from garrison.model.parts import Parts

Pair = tuple[str, str]
# What each row is a way from, and to; and the key of each row that is somewhere. A noun is one line here.
WAYS: Final[Mapping[str, Callable[[Any], Pair]]] = {
    "routes": lambda route: (host_key(route.host), str(route.service)),
    "calls": lambda call: (str(call.caller), str(call.callee)),
    "uses": lambda use: (str(use.service), str(use.database)),
    "reads": lambda read: (str(read.service), secret_key(read.path)),
    "permissions": lambda permission: (str(permission.service), str(CONTROL_PLANE)),
}
THINGS: Final[Mapping[str, Callable[[Any], str]]] = {
    "hosts": lambda host: host_key(host.name),
    "services": lambda service: str(service.ref),
    "jobs": lambda job: str(job.ref),
    "databases": lambda database: str(database.ref),
}
EDGE: Final = "edge"  # every host, by one name


class ChoiceError(GarrisonError):
    """What was to be shown is not in the graph, or is more than one thing."""


@dataclass(frozen=True)
class Choice:
    """of: whose ways are followed. to: to whom they lead. depth: how many steps from there at most, None for any.

    Both together: the ways from the one to the other. Neither: everything.
    """

    of: str = ""
    to: str = ""
    depth: int | None = None

    def __bool__(self) -> bool:
        return bool(self.of or self.to)

    def __str__(self) -> str:
        """In words, as the title of a picture has them; empty for everything."""
        if not self:
            return ""
        said = f"how {self.of} reaches {self.to}" if self.of and self.to else ""
        said = said or (f"what {self.of} reaches" if self.of else f"what reaches {self.to}")
        return f"{said} in {self.depth} step{'s' * (self.depth != 1)}" if self.depth else said


def chosen(parts: Parts, choice: Choice) -> Parts:
    """What the choice leaves: ways, and what they lead from and to. The laws of a graph need not hold for it.

    Raises ChoiceError for a name that is not there, or that several have.
    """
    if not choice:
        return parts
    names = _names(parts)
    pairs = {WAYS[row](item) for row in WAYS for item in getattr(parts, row)}
    everywhere = dict.fromkeys((key for pair in pairs for key in pair), 0)
    start = _known(choice.of, names) if choice.of else set()
    end = _known(choice.to, names) if choice.to else set()
    behind = _steps(start, pairs) if choice.of else everywhere
    ahead = _steps(end, ((b, a) for a, b in pairs)) if choice.to else everywhere
    most = len(pairs) * 2 if choice.depth is None else choice.depth
    kept = {(a, b) for a, b in pairs if a in behind and b in ahead and behind[a] + 1 + ahead[b] <= most}
    return _only(parts, kept, start | end | {key for pair in kept for key in pair})


def _steps(start: Iterable[str], pairs: Iterable[Pair]) -> dict[str, int]:
    """Everything on ways from `start`, with the steps of the shortest."""
    after: dict[str, list[str]] = {}
    for one, other in pairs:
        after.setdefault(one, []).append(other)
    found = dict.fromkeys(start, 0)
    near = [*found]
    for key in near:  # grows while it is walked
        for other in after.get(key, ()):
            if other not in found:
                found[other] = found[key] + 1
                near.append(other)
    return found


def _only(parts: Parts, kept: set[Pair], seen: set[str]) -> Parts:
    said = {field.name: getattr(parts, field.name) for field in fields(Parts)}
    for row, way in WAYS.items():
        said[row] = tuple(item for item in said[row] if way(item) in kept)
    for row, key in THINGS.items():
        said[row] = tuple(item for item in said[row] if key(item) in seen)
    spaces = {item.ref.namespace for row in ("services", "jobs", "databases") for item in said[row]}
    said["ports"] = tuple(port for port in said["ports"] if str(port.service) in seen)
    said["namespaces"] = tuple(name for name in parts.namespaces if name in spaces)
    issuers = {route.issuer for route in said["routes"]} | {host.login for host in said["hosts"]}
    said["issuers"] = tuple(issuer for issuer in parts.issuers if issuer.name in issuers)
    return Parts(**said)


def _names(parts: Parts) -> Mapping[str, set[str]]:
    """What each thing may be called: in full, and by its last word."""
    names: dict[str, set[str]] = {}
    for row, key in THINGS.items():
        for item in getattr(parts, row):
            full = key(item).removeprefix(host_key(""))
            for name in (full, full.rpartition("/")[2]):
                names.setdefault(name, set()).add(key(item))
    for read in parts.reads:
        names.setdefault(read.path, set()).add(secret_key(read.path))
    for ref in {end for call in parts.calls for end in (call.caller, call.callee)}:
        if not ref.namespace or ref in parts.foreign:
            for name in {str(ref), ref.name}:
                names.setdefault(name, set()).add(str(ref))
    if parts.permissions:
        names[API] = {str(CONTROL_PLANE)}
    if parts.hosts:
        names.setdefault(EDGE, {host_key(host.name) for host in parts.hosts})
    return names


def _known(name: str, names: Mapping[str, set[str]]) -> set[str]:
    found = names.get(name)
    if not found:
        raise ChoiceError(f"{name!r} is not in the graph; {_remedy(name, [*names])}")
    if len(found) > 1 and not all(key.startswith(host_key("")) for key in found):
        raise ChoiceError(f"{name!r} is several: {', '.join(sorted(found))}; name one of them in full")
    return found


def _remedy(name: str, names: Sequence[str]) -> str:
    few = ", ".join(sorted(names)[:8])
    return did_you_mean(name, names, f"it has {few}" + (" ..." if len(names) > 8 else "") if few else "it is empty")
