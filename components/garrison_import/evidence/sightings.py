"""Where a workload's own manifests name an address: variables, commands, probes and mounted files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from garrison.words import Ref
from garrison_import.evidence.addresses import Address, in_command, in_file, in_value, is_called, name_words
from garrison_import.read.parts import Container, Mount, Workload
from garrison_import.read.shapes import within, words
from garrison_import.read.world import World

_ALONE = re.compile(r"([a-z][a-z0-9+.:-]*://)?([^\s@]*@)?")  # what stands before a host in a word of its own
_ABOVE = 20_000  # letters before an address in which its key is looked for
_MOST = 1_000_000  # letters of one file; a ConfigMap has 1 MiB


@dataclass(frozen=True)
class Sighting:
    """An address at one place of a workload.

    where: as a report says it. variable: the variable that holds it, with its whole `text`; both empty elsewhere.
    whole: the ConfigMap that was imported or mounted whole and brought it. called: what it stands under does not say
    that it is something else than called, such as an allowed origin. main: whether the application's own container
    has it.
    """

    address: Address
    where: str
    form: Literal["variable", "command", "file"]
    container: str
    main: bool
    variable: str = ""
    text: str = ""
    whole: str = ""
    called: bool = True


def sightings(work: Workload, world: World) -> Iterator[Sighting]:
    """Everything in it that has the form of an address."""
    for box in work.containers:
        of = "" if box is work.main else f" of {'init container' if box in work.before else 'container'} {box.name}"
        yield from _variables(work, box, of)
        yield from _commands(work, box, of)
        for mount in box.mounts:
            yield from _files(work, box, mount, world, of)


def _variables(work: Workload, box: Container, of: str) -> Iterator[Sighting]:
    for one in box.variables:
        for address in in_value(one.name, one.value or ""):
            yield Sighting(
                address,
                f"{one.name} ({one.where}{', envFrom' if one.whole else ''}){of}",
                "variable",
                box.name,
                box is work.main,
                variable=one.name,
                text=one.value or "",
                whole=one.whole,
                called=is_called(one.name),
            )


def _commands(work: Workload, box: Container, of: str) -> Iterator[Sighting]:
    lines = {"command": (*box.command, *box.args)}
    lines |= {f"{name} probe": probe.command for name, probe in box.probes if probe.command}
    for hook in ("postStart", "preStop"):
        lines[hook] = words(within(box.body, "lifecycle", hook, "exec", "command"))
    for where, line in lines.items():
        text = "\n".join(line)
        for address in in_command(line):
            called = _called(text, address.start)
            yield Sighting(address, f"{where}{of}", "command", box.name, box is work.main, called=called)


def files(mount: Mount, namespace: str, world: World) -> Iterator[tuple[str, str, str]]:
    """The files of a mounted ConfigMap: path, key and text."""
    found = world.configmaps.get(Ref(namespace, mount.volume.name), {}) if mount.volume.kind == "configmap" else {}
    items: Mapping[str, str] = dict(mount.volume.items) or {key: key for key in found}
    for key, path in items.items():
        if key in found and (not mount.sub or mount.sub == path):
            yield mount.path if mount.sub else f"{mount.path.rstrip('/')}/{path}", key, found[key]


def _files(work: Workload, box: Container, mount: Mount, world: World, of: str) -> Iterator[Sighting]:
    everything = list(files(mount, work.ref.namespace, world))
    whole = mount.volume.name if len(everything) > 1 and not mount.volume.items and not mount.sub else ""
    for path, key, text in everything:
        where = f"{path} (ConfigMap {mount.volume.name}, {key}){of}"
        for address in in_file(text[:_MOST]):
            called = _called(text, address.start)
            yield Sighting(address, where, "file", box.name, box is work.main, whole=whole, called=called)


def _called(text: str, start: int) -> bool:
    """Whether what stands before an address, on its line and on those it is indented below, does not say otherwise."""
    lines = text[max(0, start - _ABOVE) : start].split("\n")
    line = lines.pop()
    depth = len(line) - len(line.lstrip()) if line.strip() else len(line)
    if not is_called(" ".join(name_words(line))):
        return False
    if _ALONE.fullmatch(line) and lines and lines[-1].startswith("-"):  # an option, and its value as the next argument
        return is_called(" ".join(name_words(lines[-1])))
    for above in reversed(lines):
        indent = len(above) - len(above.lstrip())
        if above.strip() and indent < depth and re.match(r"\s*[\"']?[\w. -]+[\"']?\s*[:{\[]", above):
            if not is_called(" ".join(name_words(above))):
                return False
            depth = indent
    return True
