"""What is done at the store, with a client at hand: write, read back, delete, generate. Plain hvac, no Pulumi."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import hvac
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest

from garrison.cluster import Layout
from garrison.deployment.vault.connection import StoreError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PROVIDER = re.compile(r"identity/oidc/provider/[^/]+")
_LASTING = ("identity/oidc/config",)  # a part of the server that can be written and not be taken away


def write(store: hvac.Client, path: str, body: Mapping[str, Any]) -> None:
    store.write_data(path, data=_known(store, dict(body)))


def _known(store: hvac.Client, value: Any) -> Any:
    """The value with what the store itself made up in place of `{"path": ..., "field": ...}`: an id, never a secret."""
    if isinstance(value, Mapping):
        if set(value) == {"path", "field"}:
            return _made_up(store, value["path"], value["field"])
        return {key: _known(store, item) for key, item in value.items()}
    return [_known(store, item) for item in value] if isinstance(value, (list, tuple)) else value


def _made_up(store: hvac.Client, path: str, field: str) -> Any:
    data = _data(store, path)
    if data is None or field not in data:
        raise StoreError(f"{path} has no {field} yet, and other objects of the store name it; run the same again")
    return data[field]


def needed(paths: Iterable[str], generated: Iterable[str], there: Layout) -> dict[str, list[str]]:
    """What the login in use has to be allowed, to write these objects and make these values up."""
    rights = {path: ["create", "update"] for path in paths}
    for path in generated:
        rights |= {there.secret(path): ["create"], there.metadata(path): ["read"]}
    return rights


def lacking(store: hvac.Client, needed: Mapping[str, Sequence[str]]) -> list[str]:
    """The paths at which the login in use has none of these capabilities; empty where it may not even ask."""
    try:
        answer: Any = store.write_data("sys/capabilities-self", data={"paths": [*needed]})
    except Forbidden:
        return []
    return [path for path, any_of in needed.items() if not {"root", *any_of} & {*answer["data"][path]}]


def read(store: hvac.Client, path: str, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """The object as the store has it, in the words of `wanted`; None if it is not there.

    The store adds defaults of its own and answers durations in seconds: only what was asked for is compared.
    """
    data = _data(store, path)
    if data is None:
        return None
    flat = {**data, **(data.get("connection_details") or {})}
    if _PROVIDER.fullmatch(path):  # it answers with the name of its tokens' issuer, which ends in its own path
        flat["issuer"] = str(data["issuer"]).removesuffix(f"/v1/{path}")
    return {
        key: value if _same(_known(store, value), flat.get(key)) else flat.get(key) for key, value in wanted.items()
    }


def delete(store: hvac.Client, path: str, there: Layout) -> None:
    """Take an object away; of a database role first every lease, so that no login outlives it."""
    if path.startswith(leases := there.leases("")):
        leased = there.lease(path.removeprefix(leases))
        store.write_data(f"sys/leases/revoke-prefix/{leased}", data={"sync": True})
    if path not in _LASTING:
        store.delete(path)


def generate(store: hvac.Client, path: str, there: Layout) -> bool:
    """Put a random value at a path of the KV store unless one is there. Whether it was made now.

    The value is made here, written once and forgotten: the login in use may create a secret but not read it back.
    """
    if has_secret(store, path, there):
        return False
    body = {"options": {"cas": 0}, "data": {"value": secrets.token_urlsafe(32)}}
    try:
        store.write_data(there.secret(path), data=body)
    except InvalidRequest as error:
        if "check-and-set" in str(error):
            return False
        raise
    return True


def forget(store: hvac.Client, path: str, there: Layout) -> None:
    """Delete a secret with all its versions."""
    store.delete(there.metadata(path))


def has_secret(store: hvac.Client, path: str, there: Layout) -> bool:
    found = _data(store, there.metadata(path))
    versions = (found or {}).get("versions") or {}
    if versions and not any(_alive(version) for version in versions.values()):
        raise StoreError(f"{there.kv}/{path} was deleted but not destroyed; undelete it or delete its metadata")
    return bool(versions)


def _data(store: hvac.Client, path: str) -> dict[str, Any] | None:
    try:
        answer: Any = store.read(path)
    except InvalidPath:
        return None
    return answer["data"] if answer else None


def _alive(version: Mapping[str, Any]) -> bool:
    return not version["deletion_time"] and not version["destroyed"]


def _same(wanted: object, found: object) -> bool:
    return _plain(wanted) == _plain(found)


def _plain(value: object) -> object:
    if isinstance(value, str):
        if match := re.fullmatch(r"(\d+)([smhd])", value):
            return int(match[1]) * _UNITS[match[2]]
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
