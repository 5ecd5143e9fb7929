"""Brings new routes, filters and clusters to the proxy in an order in which no request is lost.

The folder that Kubernetes mounts is exchanged as a whole; the proxy must see it in steps: clusters old and new, then
routes and filters, and the new clusters alone once no request can be left whose route names an old one. Each file is
renamed into place with a version of its content, and the next step waits until the proxy shows that it has taken it.
What the proxy refuses is taken back as a whole, said in one alert line, and not tried again until the mount changes:
the last good state stays. What it does not take in time is taken back, too, and tried again: a machine that stands
still says nothing about a file.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from garrison_edge import log, strict
from garrison_edge.contract import Contracts
from garrison_edge.proxy import CLUSTER, EXTENSION, ROUTES, State

CLUSTERS: Final = "cds.json"
NAMED: Final = "contracts.sha256"
"""In the mounted folder: which contracts (SHA-256 of their file) its routes were made with."""
STATE: Final = "state.sha256"
"""In the mounted folder: a name for the whole of it, said when it is taken."""
KEPT: Final = "contracts.kept"
"""In the proxy's folder: the contracts of the last good state, for the agent that comes after this one."""
INTERVAL: Final = 1.0
"""Seconds between looks at the mounts; Kubernetes itself brings them within about a minute."""
TAKEN: Final = 10.0
"""Seconds in which the proxy takes a file, before it is taken back; milliseconds are usual."""
POLL: Final = 0.02
GRACE: Final = 60.0
"""Seconds that a cluster outlives its routes: as long as a request may last at the edge (`defaults.STREAM_DURATION`).
Its route is chosen by its head, and its cluster looked up when its body is there and all filters let it pass."""
Files = dict[str, bytes]
Json = dict[str, Any]


class Refusal(Exception):  # noqa: N818 said in an alert, not an error of the agent
    """Why a state is not taken."""


class Late(Refusal):
    """The proxy has not said in time that it took a state."""


class Admin(Protocol):
    """What the proxy says: `garrison_edge.proxy.Proxy`."""

    async def state(self) -> State | None: ...


class Reload:
    """From the mounts `source` and `contracts` to `target`, which the proxy watches; `judge` gets the contracts."""

    def __init__(
        self, source: Path, target: Path, contracts: Path, proxy: Admin, judge: Callable[[Contracts], None]
    ) -> None:
        self.source, self.target, self.contracts, self.proxy, self.judge = source, target, contracts, proxy, judge
        self.copied = False
        """Whether there is something for the proxy to start with."""
        self.ready = False
        """Whether the proxy has taken all of it, once."""
        self._seen: tuple[Files, bytes] | None = None
        self._leaves: dict[str, float] = {}
        self._waiting = False

    async def forever(self) -> None:
        """Look, take, look again; first with what an agent before this one left."""
        if kept := read(self.target / KEPT):
            self.judge(_contracts(kept))
            self.copied = True
        while True:
            try:
                await self.look()
            except Exception as error:
                self._alert(f"a look at the mounts failed: {type(error).__name__}")
            await asyncio.sleep(INTERVAL)

    async def look(self) -> None:
        """Take what is mounted, if it is another state than the last one seen."""
        try:
            files, contracts = snapshot(self.source), read(self.contracts)
        except OSError as error:
            self._alert(f"the mounts cannot be read: {type(error).__name__}")
            return
        if (files, contracts) == self._seen:
            await self._let_go()
            self.ready = self.ready or await self._complete()
            return
        named = files.get(NAMED, b"").decode("latin-1").strip()
        if named and named != hashlib.sha256(contracts).hexdigest():
            if not self._waiting:  # two mounts, exchanged at two times
                log.line("reload", outcome="waiting", detail="the contracts of these routes are not mounted yet")
            self._waiting = True
            return
        self._waiting = False
        self._seen = files, contracts
        try:
            await self._take(files, contracts)
        except Refusal as why:
            self._alert(f"the last good state stays: {why}", state=_state(files))
            if isinstance(why, Late):
                self._seen = None
        else:
            self.copied = True
            self.ready = self.ready or await self._complete()
            log.line("reload", outcome="taken", state=_state(files), files=sorted(files))

    async def _complete(self) -> bool:
        """Whether the proxy runs with every file that lies in its folder."""
        try:
            state = await self.proxy.state()
        except TimeoutError:
            return False
        texts = [path.read_bytes() for path in self.target.glob("*.json")]
        wanted = [pair for text in texts for pair in _wanted(state, text)] if state else []
        return state is not None and self.copied and all(state.versions[one] == version for one, version in wanted)

    async def _take(self, files: Files, contracts: bytes) -> None:
        old = {path.name: path.read_bytes() for path in sorted(self.target.glob("*.json"))}
        before = _contracts(read(self.target / KEPT))
        made = _contracts(contracts)
        new = {name: _stamped(name, text) for name, text in files.items() if name not in (NAMED, STATE)}
        self.judge(made.over(before))
        rest = {name: text for name, text in new.items() if name != CLUSTERS}
        try:
            if CLUSTERS in new:
                await self._write({CLUSTERS: _both(old.get(CLUSTERS), new[CLUSTERS])})
            await self._write(rest)
        except Refusal:
            self.judge(before)
            await self._back({name: old[name] for name in rest if name in old})
            await self._back({name: text for name, text in old.items() if name == CLUSTERS})
            for name in new.keys() - old.keys():
                (self.target / name).unlink(missing_ok=True)
            raise
        self.judge(made)
        self._put(KEPT, contracts or b"{}")
        if CLUSTERS in new:
            end = asyncio.get_running_loop().time() + GRACE
            gone = _names(old.get(CLUSTERS)) - _names(new[CLUSTERS])
            self._leaves = {name: self._leaves.get(name, end) for name in gone}
        for name in old.keys() - new.keys():
            (self.target / name).unlink(missing_ok=True)

    async def _let_go(self) -> None:
        """Take the clusters away whose time has come."""
        now = asyncio.get_running_loop().time()
        stay = {name: end for name, end in self._leaves.items() if end > now}
        if not (gone := self._leaves.keys() - stay.keys()):
            return
        kept = [row for row in _rows(read(self.target / CLUSTERS)) if row["name"] not in gone]
        try:
            await self._write({CLUSTERS: _document({"resources": kept})})
        except Refusal as why:
            self._alert(f"old clusters could not be taken away: {why}")
        else:
            self._leaves = stay

    async def _back(self, files: Files) -> None:
        """The old files, which the proxy had taken before."""
        try:
            await self._write(files)
        except Refusal as why:
            self._alert(f"the last good state could not be brought back: {why}")

    async def _write(self, files: Files) -> None:
        """Write what differs and wait until the proxy has it; raises Refusal where it has not."""
        changed = {name: text for name, text in files.items() if read(self.target / name) != text}
        deadline = asyncio.get_running_loop().time() + TAKEN
        before = await self._said(deadline)
        for name, text in changed.items():
            self._put(name, text)
        if before is None:
            return  # it is not there yet: it reads all of them when it starts
        wanted = {one: version for text in changed.values() for one, version in _wanted(before, text)}
        await self._taken(before, wanted, deadline)

    async def _said(self, deadline: float) -> State | None:
        """What the proxy says, asked again while it takes its time: only one that is not there says nothing."""
        while True:
            try:
                return await self.proxy.state()
            except TimeoutError:
                if asyncio.get_running_loop().time() > deadline:
                    raise Late(f"the proxy does not answer within {TAKEN:.0f} s") from None

    async def _taken(self, before: State, wanted: Mapping[str, str], deadline: float) -> None:
        while wanted:
            now = await self._said(deadline)
            if now is None:
                return  # it ended meanwhile, and reads everything when it starts again
            wanted = {one: version for one, version in wanted.items() if now.versions.get(one) != version}
            refused = [one for one in wanted if now.refused.get(one, 0) > before.refused.get(one, 0)]
            if refused:
                raise Refusal(f"the proxy refuses {', '.join(sorted(refused))}")
            if asyncio.get_running_loop().time() > deadline:
                raise Late(f"the proxy did not take {', '.join(sorted(wanted))} within {TAKEN:.0f} s")
            await asyncio.sleep(POLL if wanted else 0)

    def _put(self, name: str, text: bytes) -> None:
        scratch = self.target / f".new-{name}"
        scratch.write_bytes(text)
        scratch.rename(self.target / name)

    def _alert(self, problem: str, **fields: str | None) -> None:
        log.line("alert", problem=problem, **fields)


def snapshot(folder: Path) -> Files:
    """The files of a mounted ConfigMap, all of one state: the link `..data` is followed once."""
    root = Path(os.path.realpath(folder / "..data" if (folder / "..data").exists() else folder))
    return {path.name: path.read_bytes() for path in sorted(root.iterdir()) if path.is_file()}


def _state(files: Files) -> str | None:
    return files.get(STATE, b"").decode("latin-1").strip() or None


def read(path: Path) -> bytes:
    """A file's content; nothing where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _contracts(text: bytes) -> Contracts:
    try:
        return Contracts.read(strict.loads(text)) if text.strip(b"{}") else Contracts({})
    except (ValueError, AttributeError) as error:
        raise Refusal(f"the contracts cannot be used: {error}") from None


def _stamped(name: str, text: bytes) -> bytes:
    """A file as the proxy gets it: with a version that names its content."""
    try:
        resources = strict.loads(text)["resources"]
        known = all(row["@type"] in (CLUSTER, ROUTES, EXTENSION) and row["name"] for row in resources)
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise Refusal(f"{name} holds no clusters, routes or filters in JSON")
    return _document({"resources": resources})


def _document(body: Json) -> bytes:
    content = json.dumps(body, sort_keys=True)
    version = hashlib.sha256(content.encode()).hexdigest()[:16]
    return json.dumps({"version_info": version, **body}, sort_keys=True).encode()


def _rows(text: bytes | None) -> list[Json]:
    rows: list[Json] = json.loads(text or b"{}").get("resources", [])
    return rows


def _names(text: bytes | None) -> set[str]:
    return {row["name"] for row in _rows(text)}


def _both(old: bytes | None, new: bytes) -> bytes:
    """Clusters of both states, the new one's own where both have one."""
    rows = [row for text in (old, new) for row in _rows(text)]
    return _document({"resources": list({row["name"]: row for row in rows}.values())})


def _wanted(state: State, text: bytes) -> list[tuple[str, str]]:
    """Which subscriptions of the proxy must show which version for a file to be taken."""
    said = json.loads(text)
    kinds = [(row["@type"], row["name"]) for row in said["resources"]]
    return [(one, said["version_info"]) for kind, name in kinds for one in state.of(kind, name)]
