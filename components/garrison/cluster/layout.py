"""What of a secret store is this cluster's: its mounts, and the names and paths in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

from garrison.errors import Problem
from garrison.words import Ref

# Each word stands in paths of the store, in its policies (HCL) and in templates: nothing that means more than itself.
_SEGMENT: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?"
_PATH: Final = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
_PREFIX: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:/[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_LONGEST: Final = 200
_TAKEN: Final = ("auth", "cubbyhole", "identity", "sys")  # what every store has there itself
EXAMPLE: Final = "use letters, digits and '-', with '/' between, such as team-a/prod"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where in a store things are. Every path, policy, role and login is named by this value and nowhere else."""

    kv: str = "secret"
    """The mount of the KV engine, version 2."""
    database: str = "database"
    """The mount of the database engine."""
    auth: str = "kubernetes"
    """The mount of the Kubernetes login, below `auth/`."""
    prefix: str = ""
    """What all that is this cluster's begins with: a folder of the KV engine, and the first labels of each name."""
    tenant: str = ""
    """The namespace of the store (Vault Enterprise, OpenBao) in which all of this is; empty is the root."""

    @property
    def words(self) -> dict[str, str]:
        """All of it, and nothing of whatever else the value is."""
        return {one.name: getattr(self, one.name) for one in fields(Layout)}

    def name(self, *labels: str) -> str:
        """What is called so here. A label has no dot, so no two clusters' names meet unless their prefixes do."""
        return ".".join([*filter(None, self.prefix.split("/")), *labels])

    def of(self, ref: Ref) -> str:
        """A service or database."""
        return self.name(ref.namespace, ref.name)

    def secret(self, path: str) -> str:
        return f"{self.kv}/data/{self._below}{path}"

    def metadata(self, path: str) -> str:
        return f"{self.kv}/metadata/{self._below}{path}"

    def policy(self, name: str) -> str:
        return f"sys/policies/acl/{name}"

    def login(self, name: str) -> str:
        """The role of a login."""
        return f"auth/{self.auth}/role/{name}"

    def connection(self, name: str) -> str:
        """How a database is entered."""
        return f"{self.database}/config/{name}"

    def leases(self, role: str) -> str:
        """What a lease of that role is."""
        return f"{self.database}/roles/{role}"

    def lease(self, role: str) -> str:
        """Where one is taken."""
        return f"{self.database}/creds/{role}"

    @property
    def _below(self) -> str:
        return f"{self.prefix}/" if self.prefix else ""


def problems(layout: Layout) -> Iterator[Problem]:
    for name, form in (("kv", _PATH), ("database", _PATH), ("auth", _PATH), ("prefix", _PREFIX), ("tenant", _PATH)):
        value = getattr(layout, name)
        if value == "" and name in ("prefix", "tenant"):
            continue
        if not _fits(value, form):
            yield Problem(f"store.{name}", f"{value!r} is not a path of a secret store", EXAMPLE)
        elif name in ("kv", "database") and value.partition("/")[0] in _TAKEN:
            yield Problem(f"store.{name}", f"{value!r} is the store's own", "name the mount of an engine")
    if layout.kv == layout.database:
        yield Problem("store.database", f"{layout.database!r} is the mount of the KV engine", "name another mount")
    if layout.auth == "token" or layout.tenant == "root":
        yield Problem("store.auth", "names what every store has itself", "name a mount of Kubernetes logins")


def _fits(value: Any, form: re.Pattern[str]) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST and bool(form.fullmatch(value))
