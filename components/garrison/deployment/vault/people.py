"""People of the embedded issuer, with a client at hand: who there is, in which groups. Plain hvac, no Pulumi.

A person is a login by password and an entity of the same name; groups and what a condition asks for hang on the entity.
Passwords are made here, said once, and known to nobody afterwards but their owner.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import hvac
from hvac.exceptions import InvalidPath

from garrison.deployment.vault.connection import StoreError
from garrison.derive.users import PERSON, USER
from garrison.errors import did_you_mean

CLAIM: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
MAX_VALUE: Final = 200
PASSWORD_BYTES: Final = 15  # 120 bits, 20 letters


@dataclass(frozen=True)
class Person:
    name: str
    groups: tuple[str, ...]
    claims: Mapping[str, str]


def add(store: hvac.Client, name: str, groups: Sequence[str], claims: Mapping[str, str]) -> str:
    """Make a person known; returns the password. Their login comes last: what is cut off before it lets nobody in."""
    if not PERSON.fullmatch(name):
        raise StoreError(f"{name!r} is no name for a user; use lower-case letters, digits and '-._@', 63 at most")
    for key, value in claims.items():
        if not CLAIM.fullmatch(key) or not value or len(value) > MAX_VALUE or not value.isprintable():
            raise StoreError(f"{key}={value!r} is no claim; write NAME=VALUE, a line of at most {MAX_VALUE} letters")
    if _read(store, f"auth/userpass/users/{name}") is not None:
        raise StoreError(f"there is a user {name!r} already; `garrison users reset {name}` makes a new password")
    _known(store, groups)
    store.write_data(f"identity/entity/name/{name}", data={"metadata": dict(claims)})
    entity = _entity(store, name)
    mount: Any = store.read("sys/internal/ui/mounts/auth/userpass")
    alias = {"name": name, "canonical_id": entity["id"], "mount_accessor": mount["data"]["accessor"]}
    store.write_data("identity/entity-alias", data=alias)
    for group in groups:
        _member(store, group, entity["id"], there=True)
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    login = {"password": password, "token_policies": USER, "token_no_default_policy": "true"}
    store.write_data(f"auth/userpass/users/{name}", data=login)
    return password


def remove(store: hvac.Client, name: str) -> None:
    """Take a person away: no new login, and what they are logged in as is nobody from now on."""
    login = _read(store, f"auth/userpass/users/{name}")
    entity = _read(store, f"identity/entity/name/{name}")
    if login is None and entity is None:
        raise _unknown(store, name)
    store.delete(f"auth/userpass/users/{name}")
    store.delete(f"identity/entity/name/{name}")


def reset(store: hvac.Client, name: str) -> str:
    """A new password for somebody; returns it. The old one is over, groups stay."""
    if _read(store, f"auth/userpass/users/{name}") is None:
        raise _unknown(store, name)
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    store.write_data(f"auth/userpass/users/{name}", data={"password": password})
    return password


def regroup(store: hvac.Client, name: str, groups: Sequence[str], *, there: bool) -> None:
    """Put a person into groups, or take them out; the next token says so."""
    if _read(store, f"auth/userpass/users/{name}") is None:
        raise _unknown(store, name)
    _known(store, groups)
    for group in groups:
        _member(store, group, _entity(store, name)["id"], there=there)


def everybody(store: hvac.Client) -> list[Person]:
    names = {group["id"]: name for name, group in _groups(store).items()}
    return [_person(name, _read(store, f"identity/entity/name/{name}") or {}, names) for name in _logins(store)]


def _person(name: str, entity: Mapping[str, Any], groups: Mapping[str, str]) -> Person:
    inside = sorted(groups.get(one, one) for one in entity.get("group_ids") or ())
    return Person(name, tuple(inside), entity.get("metadata") or {})


def members(store: hvac.Client) -> dict[str, tuple[str, ...]]:
    """Every group with the people in it."""
    people = everybody(store)
    return {group: tuple(p.name for p in people if group in p.groups) for group in sorted(_groups(store))}


def _member(store: hvac.Client, group: str, entity: str, *, there: bool) -> None:
    found = _read(store, f"identity/group/name/{group}") or {}
    inside = set(found.get("member_entity_ids") or ())
    wanted = inside | {entity} if there else inside - {entity}
    if wanted != inside:
        store.write_data(f"identity/group/name/{group}", data={"member_entity_ids": sorted(wanted)})


def _known(store: hvac.Client, groups: Sequence[str]) -> None:
    """Groups are the program's: one that no route names would give nothing."""
    there = _listed(store, "identity/group/name")
    for group in groups:
        if group not in there:
            remedy = did_you_mean(group, there, f"known: {', '.join(sorted(there)) or 'none; deploy the estate first'}")
            raise StoreError(f"there is no group {group!r}; {remedy}")


def _unknown(store: hvac.Client, name: str) -> StoreError:
    return StoreError(
        f"there is no user {name!r}; {did_you_mean(name, _logins(store), '`garrison users list` has all')}"
    )


def _groups(store: hvac.Client) -> dict[str, dict[str, Any]]:
    names = _listed(store, "identity/group/name")
    return {name: _read(store, f"identity/group/name/{name}") or {"id": ""} for name in names}


def _logins(store: hvac.Client) -> list[str]:
    return sorted(_listed(store, "auth/userpass/users"))


def _entity(store: hvac.Client, name: str) -> dict[str, Any]:
    found = _read(store, f"identity/entity/name/{name}")
    if found is None:
        raise StoreError(f"{name!r} logs in by password and is nobody here; remove and add them")
    return found


def _read(store: hvac.Client, path: str) -> dict[str, Any] | None:
    try:
        answer: Any = store.read(path)
    except InvalidPath:
        return None
    return answer["data"] if answer else None


def _listed(store: hvac.Client, path: str) -> list[str]:
    answer: Any = store.list(path)
    return list(answer["data"]["keys"]) if answer else []
