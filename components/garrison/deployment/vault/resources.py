"""The dynamic resources: thin shells that hand each operation to store.py over a connection of their own.

The providers hold nothing, so that what Pulumi pickles into its state is small and the same on every run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from garrison.deployment.vault import store
from garrison.deployment.vault.connection import StoreConnection, patiently


class StoreProvider(ResourceProvider):
    """One object of the store's API, written as a whole."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        where, path, body = _parts(props)
        patiently(where, lambda client: store.write(client, path, body))
        return CreateResult(path, props)

    def diff(self, _id: str, old: dict[str, Any], new: dict[str, Any]) -> DiffResult:
        moved = old["path"] != new["path"]
        changed = moved or any(old.get(key) != new.get(key) for key in ("body", "connection"))
        return DiffResult(changes=changed, replaces=["path"] if moved else [], delete_before_replace=False)

    def update(self, _id: str, _old: dict[str, Any], new: dict[str, Any]) -> UpdateResult:
        where, path, body = _parts(new)
        patiently(where, lambda client: store.write(client, path, body))
        return UpdateResult(new)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        where, path, body = _parts(props)
        found = patiently(where, lambda client: store.read(client, path, body))
        return ReadResult(None, {}) if found is None else ReadResult(id_, {**props, "body": found})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        where, path, _ = _parts(props)
        patiently(where, lambda client: store.delete(client, path))


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


class GeneratedProvider(ResourceProvider):
    """A random value that is made in the store if nothing is there yet."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        where, path = StoreConnection.from_props(props["connection"]), props["path"]
        made = patiently(where, lambda client: store.generate(client, path))
        return CreateResult(path, {**props, "made": made})

    def diff(self, _id: str, old: dict[str, Any], new: dict[str, Any]) -> DiffResult:
        moved = old["path"] != new["path"]
        return DiffResult(changes=moved or old["connection"] != new["connection"], replaces=["path"] if moved else [])

    def update(self, _id: str, old: dict[str, Any], new: dict[str, Any]) -> UpdateResult:
        return UpdateResult({**new, "made": old["made"]})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        where, path = StoreConnection.from_props(props["connection"]), props["path"]
        there = patiently(where, lambda client: store.has_secret(client, path))
        return ReadResult(id_, props) if there else ReadResult(None, {})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Only what was made here is taken away; a secret that someone else put there stays."""
        where, path = StoreConnection.from_props(props["connection"]), props["path"]
        if props.get("made"):
            patiently(where, lambda client: store.forget(client, path))


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
