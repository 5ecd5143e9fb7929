"""What the platform's OpenBaos have to hold, as a file: for whoever deploys by files, `garrison store apply` does it.

It has paths, policies and statements, as Pulumi's state has them, and never a value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from garrison.cluster import Store
from garrison.cluster import store as stores
from garrison.deployment.derived import Contents
from garrison.derive.secrets import StoreObject
from garrison.errors import GarrisonError
from garrison.words import Ref

SCHEMA: Final = "garrison.dev/store/v1"


class StoreFileError(GarrisonError):
    """The file of a store's objects cannot be used."""


@dataclass(frozen=True)
class StoreFile:
    """The unseal keys that have to be there, and what each server keeps.

    keys: the Secrets, as NAMESPACE/NAME; each is made with a random value where it is not there.
    address, ca: of a secret store that is reached directly.
    """

    kept: tuple[Contents, ...]
    keys: tuple[Ref, ...] = ()
    address: str | None = None
    ca: str | None = None
    store: Store | None = None
    """The secret store, where it is not the platform's own."""

    def to_json(self) -> str:
        """Stable JSON: same graph, same bytes."""
        said: dict[str, Any] = {"schema": SCHEMA, "keys": [str(key) for key in self.keys]}
        said |= {"address": self.address, "ca": self.ca} if self.address else {}
        said |= {"ca": self.ca, "store": asdict(self.store)} if self.store else {}
        servers = [
            {
                "server": str(one.server),
                "objects": [{"path": item.path, "body": item.body} for item in one.objects],
                "generated": list(one.generated),
            }
            for one in self.kept
        ]
        return json.dumps({**said, "servers": servers}, indent=2) + "\n"


def read(path: Path) -> StoreFile:
    """Raises StoreFileError for whatever `garrison render -o` did not write."""
    try:
        said = json.loads(path.read_text())
        if said["schema"] != SCHEMA:
            raise StoreFileError(f"{path}: is not of schema {SCHEMA!r}; write it again with garrison render -o")
        kept = tuple(_kept(one) for one in said["servers"])
        store = stores.read(said["store"]) if "store" in said else None
        if found := [str(problem) for problem in stores.problems(store)] if store else []:
            raise StoreFileError(found, f"{path}:")
        return StoreFile(kept, tuple(map(Ref.parse, said["keys"])), said.get("address"), said.get("ca"), store)
    except OSError as error:
        raise StoreFileError(f"{path}: {error.strerror or 'cannot be read'}; name the file store.json") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StoreFileError(f"{path}: is not what garrison render -o wrote; write it again") from None


def _kept(said: Mapping[str, Any]) -> Contents:
    objects = [StoreObject(_text(one["path"]), dict(one["body"])) for one in said["objects"]]
    return Contents(Ref.parse(said["server"]), tuple(objects), tuple(map(_text, said["generated"])))


def _text(said: object) -> str:
    if not isinstance(said, str):
        raise TypeError
    return said


def gone(new: StoreFile, old: StoreFile) -> Sequence[tuple[Ref, str]]:
    """What the old file has and the new one has not, in the order in which it can be taken away."""
    wanted = {(one.server, item.path) for one in new.kept for item in one.objects}
    had = [(one.server, item.path) for one in old.kept for item in one.objects]
    return [which for which in reversed(had) if which not in wanted]
