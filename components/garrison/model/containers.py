"""Containers: what an image is given beside its place in the graph. Never a secret, and never an address."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from garrison import credentials
from garrison import defaults as d
from garrison.model.breach import Breach, Place
from garrison.model.secrets import READ_IT
from garrison.model.texts import UNSTORED, VARIABLE, Pairs, bytes_breaches
from garrison.words import Ref

PATH = re.compile(r"(/[-A-Za-z0-9._@+]+)+")
# Where the kernel, the runtime and our own volumes have things; /var/run mostly leads to /run.
KEPT = (
    *("/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/proc", "/sys"),
    *(f"{run}/{name}" for run in ("/run", "/var/run") for name in ("identity", "secrets", "token", "trust")),
)
WHOLE = ("/run", "/var/run")  # of which a part may be an application's: PostgreSQL has its socket there
OURS = (d.PROXY_UID, d.AGENT_UID, d.STORE_UID, d.EDGE_UID, d.LIMITS_UID, d.REDIS_UID)


@dataclass(frozen=True, order=True)
class Container:
    """What an application's container is given."""

    env: Pairs = ()
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    files: Pairs = ()
    """Path and text of each."""
    scratch: Pairs = ()
    """Path and size of folders that it may write to; they are empty when a pod starts."""
    volumes: Pairs = ()
    """Path and size of folders that stay."""
    uid: int = d.APP_UID

    @property
    def mounts(self) -> tuple[str, ...]:
        """Every path that something of ours is put at."""
        return tuple(path for pairs in (self.files, self.scratch, self.volumes) for path, _ in pairs)

    def breaches(self, place: Place, ref: Ref) -> Iterator[Breach]:
        yield from self._environment(place, ref)
        if any(UNSTORED.search(text) for text in (*self.command, *self.args)):
            yield Breach(place, f"the command of '{ref}' has a letter that no command can have", "leave it out")
        for word in ("command", "args"):
            if credentials.among(getattr(self, word)):
                yield Breach(place, f"{word} of '{ref}' carries a credential (secret-in-arguments)", READ_IT)
        yield from self._paths(place, ref)
        yield from self._contents(place, ref)
        for _, size in (*self.scratch, *self.volumes):
            yield from bytes_breaches(place, size, "64Mi")
        if self.uid in OURS or not 1 <= self.uid <= 65535:
            remedy = f"use 1-65535 but not {', '.join(map(str, OURS))}, which Garrison's own containers have"
            yield Breach(place, f"'{ref}' cannot run as user {self.uid}", remedy)

    def _environment(self, place: Place, ref: Ref) -> Iterator[Breach]:
        for name, value in self.env:
            if not VARIABLE.fullmatch(name) or name == d.ACCESS_RULES:
                yield Breach(place, f"{name!r} is no variable for '{ref}'", "use letters, digits and _, no digit first")
            elif UNSTORED.search(value):
                yield Breach(place, f"{name} of '{ref}' has a letter that no variable can have", "leave it out")
            elif credentials.named(name, value):
                yield Breach(place, f"{name} of '{ref}' looks like a credential (secret-in-environment)", READ_IT)

    def _paths(self, place: Place, ref: Ref) -> Iterator[Breach]:
        for path in self.mounts:
            if not PATH.fullmatch(path) or {".", ".."} & {*path.split("/")} or _inside(path, KEPT) or path in WHOLE:
                remedy = f"use an absolute path that is not in {', '.join(KEPT)}, and not the whole of {WHOLE[0]}"
                yield Breach(place, f"'{ref}' can have nothing at {path!r}", remedy)
        for path, times in Counter(self.mounts).items():
            if times > 1:
                yield Breach(place, f"'{ref}' would have two things at {path!r}", "say it once")
        folders = [path for path, _ in (*self.scratch, *self.volumes)]
        for path in self.mounts:
            if around := [folder for folder in folders if folder != path and _inside(path, (folder,))]:
                what = f"{path!r} of '{ref}' lies in {around[0]!r}, which is a folder of its own"
                yield Breach(place, what, "put them beside each other, or leave one out")

    def _contents(self, place: Place, ref: Ref) -> Iterator[Breach]:
        for path, text in self.files:
            if UNSTORED.search(text):
                yield Breach(place, f"{path!r} of '{ref}' is no text", "bake other files into the image")
            elif credentials.inside(text):
                what = f"{path!r} of '{ref}' looks as if it had a credential in it (secret-in-configmap)"
                yield Breach(place, what, READ_IT)
        if sum(len(text.encode(errors="replace")) for _, text in self.files) > d.FILES_BYTES:
            what = f"the files of '{ref}' are too long"
            yield Breach(place, what, f"use at most {d.FILES_BYTES} bytes for all, or bake them into the image")


NOTHING: Final = Container()


def _inside(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)
