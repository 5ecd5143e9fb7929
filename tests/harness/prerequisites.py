"""What a machine must bring before anything is made on it: looked at first, all of it, and said together.

Uses the standard library only: it runs on the machine's own Python, before there is an environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness import architecture, build, entrance, limits, paths, ways
from harness.errors import HarnessError
from harness.machine import TOOLS, Machine, look
from harness.parts import CHECK, PARTS, UP, Go, Part
from harness.ways import Ways

GB = 1_000_000_000
# At most, as measured with every part (docs/measurements.md): Go's caches and parts; then images, node and cluster.
TOOLCHAIN, ESTATE = 24 * GB, 6 * GB
MADE_HERE = Ways()
_SWITCHING = (1, 21)  # from here on, Go fetches the version that a go.mod asks for, if it may


@dataclass(frozen=True)
class Row:
    """One requirement: what was found, what is needed, and what to do when they differ."""

    name: str
    found: str
    needed: str
    remedy: str = ""


def rows(
    machine: Machine,
    missing: Iterable[Part],
    *,
    cluster: bool,
    edges: Iterable[str] = entrance.PORTS,
    way: Ways = MADE_HERE,
) -> list[Row]:
    """Every requirement: of building the parts that are `missing`, and of a cluster if one is wanted.

    `edges` are the clusters whose edge is to be reached, `way` what comes from elsewhere.
    """
    todo = list(missing)
    found = [_architecture(machine)]
    if any(isinstance(part.source, Go) for part in todo):
        found.append(_go(machine))
    found.append(_disk(machine, TOOLCHAIN * bool(todo) + ESTATE * (cluster and not machine.assembled)))
    if cluster:
        found += [_debian(machine)] * way.assembles
        found += [_root(machine, way), *_limits(machine), _loopback(machine)]
        found += [_edge(machine, name) for name in edges]
    return found


def at_the_door(arguments: Sequence[str]) -> None:
    """Look at the machine before the first minute of a command that would fail on it after twenty."""
    wanted = {"up": (UP, "garrison"), "test": (PARTS, "garrison-test"), "check": (CHECK, "")}
    if list(arguments[:2]) == ["-m", "harness"] and (verb := "".join(arguments[2:3])) in wanted:
        parts, cluster = wanted[verb]
        demand(parts, cluster=cluster)


def demand(parts: Sequence[Part] = UP, *, cluster: str = "garrison") -> None:
    """Raise one error that names all that is lacking, for a cluster of that name if one is wanted."""
    way = ways.chosen()
    found = rows(look(), lacking(way.needed(parts)), cluster=bool(cluster), edges=[cluster], way=way)
    wanting = [row for row in found if row.remedy]
    if wanting:
        lines = (f"  {row.name}: {row.found}, needed {row.needed}: {row.remedy}" for row in wanting)
        raise HarnessError("\n".join(["this machine lacks what cannot be made for it:", *lines]))


def lacking(parts: Iterable[Part] = PARTS) -> list[Part]:
    """The parts that would have to be made."""
    return [part for part in parts if not build.present(part)]


def go_needed() -> str:
    """The newest version that a committed go.mod asks for."""
    asked = (re.search(r"^go (\S+)$", path.read_text(), re.MULTILINE) for path in paths.GO_FOLDER.glob("*/go.mod"))
    return max((match[1] for match in asked if match), key=_numbers)


def _architecture(machine: Machine) -> Row:
    known = " or ".join(one.machine for one in architecture.KNOWN.values())
    remedy = "" if architecture.of(machine.architecture) else "use one of these; no part is made for another"
    return Row("architecture", machine.architecture, known, remedy)


def _go(machine: Machine) -> Row:
    wanted = go_needed()
    enough = _numbers(machine.go) >= _numbers(wanted)
    fetched = _numbers(machine.go) >= _SWITCHING and machine.fetches_go
    needed = f"{wanted}, or 1.21 and newer with leave to fetch it"
    remedy = f"install Go {wanted}, or let a newer one than 1.20 fetch it: go env -w GOTOOLCHAIN=auto"
    return Row("Go", machine.go or "none", needed, "" if enough or fetched else remedy)


def _disk(machine: Machine, needed: int) -> Row:
    remedy = f"free some, or name a folder with room: GARRISON_CACHE (now {paths.cache()})"
    found = f"{machine.free / GB:.0f} GB free"
    return Row("disk", found, f"{needed / GB:.0f} GB", "" if machine.free >= needed else remedy)


def _debian(machine: Machine) -> Row:
    remedy = (
        "use Debian 12, in a container if need be, since images and the node's system are assembled from its packages;"
        f" or take both from elsewhere: {ways.NODE} and {ways.REGISTRY} (docs/install.md)"
    )
    return Row("system", machine.system, "debian 12", "" if machine.system == "debian 12" else remedy)


def _root(machine: Machine, way: Ways) -> Row:
    # Beside Docker, the tools are for the node's system and its one C program.
    wanted = TOOLS[:1] if way.node else TOOLS
    absent = [name for name in machine.absent if name in wanted]
    ready = machine.engine and not absent
    silent = ", Docker does not answer" * (not machine.engine)
    found = "root" if machine.root else "not root" + "".join(f", no {name}" for name in absent) + silent
    remedy = f"run it as root, or have {', '.join(wanted)} installed and a Docker engine that answers this user"
    return Row("user", found, "root on Debian, or all tools", "" if machine.root or ready else remedy)


def _limits(machine: Machine) -> list[Row]:
    remedy = "as root: sysctl -w {}={}"
    return [
        Row(
            name,
            "too low",
            str(limits.NEEDED[name]),
            "" if machine.raises else remedy.format(name, limits.NEEDED[name]),
        )
        for name in machine.limits
    ]


def _loopback(machine: Machine) -> Row:
    remedy = "end what holds them all; the API server takes any free one, none is fixed"
    found = "free ones" if machine.port else "none free"
    return Row("ports of loopback", found, "one", "" if machine.port else remedy)


def _edge(machine: Machine, cluster: str) -> Row:
    port = entrance.PORTS[cluster]
    taken = port in machine.taken
    remedy = f"end what listens there: ss -ltnp 'sport = :{port}' names it" if taken else ""
    return Row(f"port {port} of loopback", "taken" if taken else "free", f"free, for the edge of {cluster}", remedy)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
