"""The dynamic resources: thin shells that hand each operation to store.py, over a login that the next ones share.

The providers hold nothing, so that what Pulumi pickles into its state is small and the same on every run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from garrison.deployment.vault import store
from garrison.deployment.vault.connection import PATIENCE, StoreConnection, StoreError, patiently, shared
from garrison.version import VERSION


class StoreProvider(ResourceProvider):
    """One object of the store's API, written as a whole."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        where, path, body = _parts(props)
        shared(where).do(lambda client: store.write(client, path, body))
        return CreateResult(path, props)

    def diff(self, _id: str, old: dict[str, Any], new: dict[str, Any]) -> DiffResult:
        moved = old["path"] != new["path"]
        changed = moved or any(old.get(key) != new.get(key) for key in ("body", "connection"))
        return DiffResult(changes=changed, replaces=["path"] if moved else [], delete_before_replace=False)

    def update(self, _id: str, _old: dict[str, Any], new: dict[str, Any]) -> UpdateResult:
        where, path, body = _parts(new)
        shared(where).do(lambda client: store.write(client, path, body))
        return UpdateResult(new)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        where, path, body = _parts(props)
        found = shared(where).do(lambda client: store.read(client, path, body))
        return ReadResult(None, {}) if found is None else ReadResult(id_, {**props, "body": found})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        where, path, _ = _parts(props)
        shared(where).do(lambda client: store.delete(client, path, where))


class StoreResource(Resource, name="StoreObject"):
    """Something that has to exist in the secret store: an API path and what is written there. Never a secret value."""

    def __init__(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        connection: StoreConnection,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"path": path, "body": dict(body), "connection": connection.to_props()}
        super().__init__(StoreProvider(), _name(path, connection), props, opts)


class RightsProvider(ResourceProvider):
    """Looks whether the login in use may write all that is about to be written, and refuses before any of it is."""

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """In a preview already, where the store was there before; one that does not answer says nothing yet."""
        failures: list[CheckFailure] = []
        if olds and olds != news:
            with suppress(StoreError):
                if said := self._lacking(news, patience=0.0):
                    failures.append(CheckFailure("needed", said))
        return CheckResult(news, failures)

    def create(self, props: dict[str, Any]) -> CreateResult:
        self._refuse(props)
        return CreateResult("rights", props)

    def diff(self, _id: str, old: dict[str, Any], new: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=any(old.get(key) != new[key] for key in ("needed", "version", "connection")))

    def update(self, _id: str, _old: dict[str, Any], new: dict[str, Any]) -> UpdateResult:
        self._refuse(new)
        return UpdateResult(new)

    def _refuse(self, props: dict[str, Any]) -> None:
        if said := self._lacking(props):
            raise StoreError(said)

    def _lacking(self, props: dict[str, Any], patience: float = PATIENCE) -> str:
        where = StoreConnection.from_props(props["connection"])
        needed = {path: list(may) for path, may in props["needed"].items()}
        paths = patiently(where, lambda client: store.lacking(client, needed), patience)
        return where.refuses(paths) if paths else ""


class StoreRights(Resource, name="StoreRights"):
    """That the store lets Garrison write these objects; asked again when there are others, or another Garrison."""

    def __init__(
        self,
        paths: Sequence[str],
        generated: Sequence[str],
        *,
        connection: StoreConnection,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        needed = store.needed(paths, generated, connection)
        props = {"needed": needed, "version": VERSION, "connection": connection.to_props()}
        super().__init__(RightsProvider(), _name("rights", connection), props, opts)


class GeneratedProvider(ResourceProvider):
    """A random value that is made in the store if nothing is there yet."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        where, path = StoreConnection.from_props(props["connection"]), props["path"]
        made = shared(where).do(lambda client: store.generate(client, path, where))
        return CreateResult(path, {**props, "made": made})

    def diff(self, _id: str, old: dict[str, Any], new: dict[str, Any]) -> DiffResult:
        moved = old["path"] != new["path"]
        return DiffResult(changes=moved or old["connection"] != new["connection"], replaces=["path"] if moved else [])

    def update(self, _id: str, old: dict[str, Any], new: dict[str, Any]) -> UpdateResult:
        return UpdateResult({**new, "made": old["made"]})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        where, path = StoreConnection.from_props(props["connection"]), props["path"]
        there = shared(where).do(lambda client: store.has_secret(client, path, where))
        return ReadResult(id_, props) if there else ReadResult(None, {})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Only what was made here is taken away; a secret that someone else put there stays."""
        where, path = StoreConnection.from_props(props["connection"]), props["path"]
        if props.get("made"):
            shared(where).do(lambda client: store.forget(client, path, where))


class GeneratedSecret(Resource, name="GeneratedSecret"):
    """A random value at a path of the KV store, field `value`, for stacks that have no real secrets."""

    def __init__(self, path: str, *, connection: StoreConnection, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {"path": path, "connection": connection.to_props()}
        super().__init__(GeneratedProvider(), _name(f"secret/{path}", connection), props, opts)


def _name(path: str, connection: StoreConnection) -> str:
    """What a resource is called: by its path in the secret store; elsewhere its store says so first."""
    return path if connection.service == StoreConnection.service else f"{connection.service}/{path}"


def _parts(props: Mapping[str, Any]) -> tuple[StoreConnection, str, dict[str, Any]]:
    body = {key: _whole(value) for key, value in props["body"].items()}
    return StoreConnection.from_props(props["connection"]), props["path"], body


def _whole(value: Any) -> Any:
    """Pulumi knows one kind of number; the store refuses a duration of 3600.0 seconds."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
