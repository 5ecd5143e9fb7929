"""Whether a store that is somebody else's has what this cluster needs: asked before anything is changed, all at once.

Each lack is one line that says what its administrator has to do. Nothing is written to find out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import hvac
from hvac.exceptions import Forbidden, InvalidPath

from garrison.deployment.derived import Contents
from garrison.deployment.platform.store_config import ASKING, Grant, required
from garrison.deployment.vault import store
from garrison.deployment.vault.connection import StoreConnection, StoreError, patiently

SAMPLE: Final = "garrison-check"  # stands for all that a line of the policy is for


def check(where: StoreConnection, kept: Contents, generated: Sequence[str] = (), *, outside: bool = False) -> None:
    """Raises StoreError with every lack of a store that is somebody else's; the platform's own is not asked.

    outside: whether it is not in this cluster, so that names of the cluster mean nothing to it.
    """
    if where.foreign and (kept.objects or kept.generated or generated):
        needed = store.needed([one.path for one in kept.objects], [*kept.generated, *generated], where)
        found = patiently(where, lambda client: [*lacks(client, where, needed, outside=outside)], patience=0.0)
        if found:
            raise StoreError(found, f"the secret store {where.address or where.server_name} lacks:")


def lacks(
    client: hvac.Client, where: StoreConnection, needed: Mapping[str, Sequence[str]], *, outside: bool = False
) -> Iterator[str]:
    """What is missing: engines and login where they should be, lines of the policy, rights at these very paths."""
    leases = any(path.startswith(where.connection("")) for path in needed)
    engines = {where.kv: f"bao secrets enable -path={where.kv} -version=2 kv"}
    engines |= {where.database: f"bao secrets enable -path={where.database} database"} if leases else {}
    try:
        missing = [*_granted(client, where, leases=leases)]
    except InvalidPath as error:
        yield f"the namespace {where.tenant or 'root'} ({_words(error)}): name one that is there, or have it made"
        return
    yield from (f"in the policy of {where.name(where.role)}: {grant}" for grant in missing)
    lines = {grant.path for grant in missing}
    for mount, remedy in engines.items():
        if not any(line.startswith(f"{mount}/") for line in lines):
            yield from _engine(client, mount, "kv" if mount == where.kv else "database", remedy)
    yield from _login(client, where, outside=outside)
    if not missing and (paths := store.lacking(client, needed)):
        yield f"something in the policy of {where.name(where.role)} denies {', '.join(paths)}: have it taken out"


def _granted(client: hvac.Client, where: StoreConnection, *, leases: bool) -> Iterator[Grant]:
    """The lines of the policy that the login in use does not have."""
    wanted = [one for one in required(where, where.role) if "deny" not in one.capabilities]
    needless = () if leases else (where.connection(""), where.leases(""), *_ended(where))
    asked = {one.path.replace("*", SAMPLE): one for one in wanted if not one.path.startswith(needless)}
    try:
        answer: Any = client.write_data("sys/capabilities-self", data={"paths": [*asked]})
    except Forbidden:
        yield ASKING
        return
    for path, grant in asked.items():
        has = {*answer["data"][path]}
        if "root" not in has and not has.issuperset(grant.capabilities):
            yield grant


def _ended(where: StoreConnection) -> tuple[str, ...]:
    """Where leases are looked for and ended."""
    return tuple(f"sys/leases/{what}/{where.lease('')}" for what in ("lookup", "revoke-prefix"))


def _engine(client: hvac.Client, mount: str, kind: str, remedy: str) -> Iterator[str]:
    found = _mounted(client, mount)
    if found.get("path") != f"{mount}/":
        yield f"an engine at {mount}/: {remedy}"
    elif found["type"] != kind:
        yield f"an engine of type {kind} at {mount}/, where there is one of type {found['type']}: name another mount"
    elif kind == "kv" and str((found.get("options") or {}).get("version")) != "2":
        yield f"version 2 of the engine at {mount}/: bao kv enable-versioning {mount}, or name another mount"


def _login(client: hvac.Client, where: StoreConnection, *, outside: bool) -> Iterator[str]:
    """The Kubernetes login is there, and can ask an API server for tokens, as far as its configuration tells."""
    found = _mounted(client, f"auth/{where.auth}")
    if found.get("path") != f"{where.auth}/":
        yield f"a login at auth/{where.auth}/: bao auth enable -path={where.auth} kubernetes"
        return
    if found["type"] != "kubernetes":
        yield f"a login of type kubernetes at auth/{where.auth}/, where there is one of type {found['type']}"
        return
    try:
        config = _data(client, f"auth/{where.auth}/config")
    except Forbidden:
        return  # the line of the policy is missing, which is said already
    if not config.get("kubernetes_host"):
        yield f"the API server of auth/{where.auth}/: bao write auth/{where.auth}/config kubernetes_host=https://..."
    elif outside and config["kubernetes_host"].endswith((".svc", ".svc.cluster.local")):
        what = f"an API server that it reaches, where auth/{where.auth}/ has {config['kubernetes_host']}"
        yield f"{what}: bao write auth/{where.auth}/config kubernetes_host=https://... as seen from the store"


def _mounted(client: hvac.Client, path: str) -> dict[str, Any]:
    """What is mounted there, as anybody with any right there is told."""
    try:
        return _data(client, f"sys/internal/ui/mounts/{path}")
    except Forbidden:
        return {}


def _data(client: hvac.Client, path: str) -> dict[str, Any]:
    try:
        answer: Any = client.read(path)
    except InvalidPath:
        return {}
    return answer["data"] if answer else {}


def _words(error: Exception) -> str:
    return " ".join(str(error).split()).partition(", on ")[0]
