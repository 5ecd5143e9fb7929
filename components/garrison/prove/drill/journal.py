"""What a drill is changing, whole, on the operator's own machine: nobody else can write there.

The cluster gets names only (`safe`); so what is read back from it can be nothing but a pointer.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from garrison.derive.secrets import StoreObject
from garrison.prove.drill.keep import Original
from garrison.prove.model import ProveError


@dataclass(frozen=True)
class Kept:
    """Objects of the cluster, and at most one of the secret store, as they were before a cut."""

    objects: tuple[Original, ...] = ()
    store: StoreObject | None = None

    @property
    def names(self) -> list[str]:
        return [*map(str, self.objects), *([self.store.path] if self.store else [])]


@dataclass(frozen=True)
class Journal:
    """One file a cluster, of this user alone."""

    uid: str  # of the cluster

    @property
    def path(self) -> Path:
        state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
        return Path(state) / "garrison-prove" / f"drill-{self.uid}.json"

    def write(self, token: str, kept: Kept) -> None:
        """Before anything is changed; `token` is what the record on the cluster is known by."""
        store = {"path": kept.store.path, "body": dict(kept.store.body)} if kept.store else None
        objects = [{"body": item.body, "manager": item.manager} for item in kept.objects]
        text = json.dumps({"token": token, "objects": objects, "store": store})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.unlink(missing_ok=True)
            with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
        except OSError as error:
            raise ProveError(f"{self.path}: the originals cannot be kept there ({error.strerror}): no drill") from None

    def read(self, token: str) -> Kept | None:
        """What was kept under that token; None where this machine has nothing of the kind."""
        try:
            with os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW)) as file:
                about = os.fstat(file.fileno())
                if about.st_uid != os.getuid() or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                    raise ProveError(f"{self.path}: others can write it, so nothing of it is applied: remove it")
                found = json.load(file)
        except (FileNotFoundError, ValueError):  # cut off: the drill was killed before it changed anything
            return None
        except OSError as error:
            raise ProveError(f"{self.path}: {error.strerror}") from None
        if found["token"] != token:
            return None
        store = found["store"] and StoreObject(found["store"]["path"], found["store"]["body"])
        return Kept(tuple(Original(item["body"], item["manager"]) for item in found["objects"]), store or None)

    def forget(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
