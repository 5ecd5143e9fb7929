"""`garrison store apply`: what the file says is brought into the stores, for clusters that Pulumi does not deploy.

It may be run again at any time and from anywhere: each object is written as a whole, a value that is there stays.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import hvac

from garrison.deployment.derived import Contents
from garrison.deployment.platform import seal
from garrison.deployment.store_file import StoreFile, gone
from garrison.deployment.vault import checking, store
from garrison.deployment.vault.connection import StoreConnection, StoreError, patiently
from garrison.kube import kubectl
from garrison.words import Ref


def applied(new: StoreFile, old: StoreFile | None, patience: float) -> Iterator[str]:
    """Do it, and say what was done, a line for each step. Raises StoreError or KubectlError for what could not be.

    old: the file that was applied before; what it has and the new one has not is taken away, values excepted.
    patience: seconds in which a namespace or a store that is being deployed meanwhile may come to be there.
    """
    for kept in new.kept:
        checking.check(_where(new, kept.server), kept, outside=bool(new.store and new.store.ranges))
    for key in new.keys:
        _wait_for(key.namespace, patience)
        made = seal.ensure(key.namespace, key.name)
        yield f"{key}: {'made' if made else 'is there'}"
    for kept in new.kept:
        yield f"{kept.server}: {_written(_where(new, kept.server), kept, patience)}"
    for server, path in gone(new, old) if old else ():
        where = _where(new, server)
        patiently(where, partial(store.delete, path=path, there=where), patience)
        yield f"{server}: {path} taken away"


def _where(file: StoreFile, server: Ref) -> StoreConnection:
    """The secret store may be elsewhere; the embedded issuer never is."""
    if file.store and server.name == StoreConnection.service:
        return StoreConnection.at(file.store, file.address, file.ca)
    if file.address and server.name == StoreConnection.service:
        return StoreConnection(address=file.address, ca_file=file.ca)
    return StoreConnection.to(server)


def _written(where: StoreConnection, kept: Contents, patience: float) -> str:
    """All objects over one connection. What was written before it broke is not written again."""
    left = list(kept.objects)
    rights = store.needed([one.path for one in left], kept.generated, where)
    made = 0

    def act(client: hvac.Client) -> None:
        nonlocal made
        if paths := store.lacking(client, rights):
            raise StoreError(where.refuses(paths))
        while left:
            store.write(client, left[0].path, left[0].body)
            del left[0]
        made += sum(store.generate(client, path, where) for path in kept.generated)

    patiently(where, act, patience)
    return f"{len(kept.objects)} objects written, {made} of {len(kept.generated)} values made up"


def _wait_for(namespace: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    while not kubectl(["get", "namespace", namespace, "--ignore-not-found", "--output", "name"]):
        if time.monotonic() > deadline:
            raise StoreError(f"there is no namespace {namespace} after {patience:.0f} s; deploy the files, then again")
        time.sleep(1)
