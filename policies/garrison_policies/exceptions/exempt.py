"""Exceptions in CEL: the object itself, and what the controllers of the cluster make of a workload.

A pod of a Deployment has a name of its own, so an exception for the Deployment has to reach its ReplicaSets and
Pods, and nobody else's. Owner references alone can be written by anyone; together with the controller's user they
cannot. The generated part of a name holds no dash, so "web" does not cover what belongs to "web-admin".

CEL at admission knows no present time, but the API server stamps every write before it validates it: an
exception that has expired is refused from its day on, without another deployment.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from garrison_policies.exceptions.file import PolicyException
from garrison_policies.language.expr import literal


@dataclass(frozen=True)
class Made:
    """`controller` makes objects of `kind` whose owner is an `owner`."""

    owner: str
    kind: str
    controller: str


MAKERS = (
    Made("Deployment", "ReplicaSet", "deployment-controller"),
    Made("ReplicaSet", "Pod", "replicaset-controller"),
    Made("ReplicationController", "Pod", "replication-controller"),
    Made("StatefulSet", "Pod", "statefulset-controller"),
    Made("DaemonSet", "Pod", "daemon-set-controller"),
    Made("CronJob", "Job", "cronjob-controller"),
    Made("Job", "Pod", "job-controller"),
)
GENERATED = "-[a-z0-9]+$"


def makes(owner: str, kind: str) -> bool:
    """Whether a controller makes objects of `kind` for an `owner`; references to other owners anyone may write."""
    return any((row.owner, row.kind) == (owner, kind) for row in MAKERS)


def covered(exception: PolicyException) -> str:
    """CEL that is true for the object of an exception and for what its controllers make, until it expires."""
    ways = [_itself(exception), *_made(exception.kind, f"^{_quoted(exception.name)}$", exception.namespace)]
    return f"({fresh(exception.expires)} && ({' || '.join(ways)}))"


def fresh(expires: datetime.date) -> str:
    """CEL that is true until the end of that day (UTC), by the time the API server stamps on this write."""
    end = f"timestamp({literal(f'{expires + datetime.timedelta(days=1)}T00:00:00Z')})"
    written = "has(object.metadata.managedFields) && size(object.metadata.managedFields) > 0"
    return f"({written} && object.metadata.managedFields.all(f, has(f.time) && timestamp(f.time) < {end}))"


def _itself(exception: PolicyException) -> str:
    name = f"object.kind == {literal(exception.kind)} && object.metadata.name == {literal(exception.name)}"
    return f"({name} && {_in(exception.namespace)})"


def _in(namespace: str) -> str:
    if not namespace:
        return "!has(object.metadata.namespace)"
    return f"has(object.metadata.namespace) && object.metadata.namespace == {literal(namespace)}"


def _made(owner: str, name: str, namespace: str) -> list[str]:
    """What is made of the owner of that name, and of what is made of it."""
    ways = []
    for row in MAKERS:
        if row.owner == owner:
            users = [f"system:serviceaccount:kube-system:{row.controller}", "system:kube-controller-manager"]
            owned = (
                f"object.metadata.ownerReferences.exists(o, has(o.controller) && o.controller && "
                f"o.kind == {literal(owner)} && o.name.matches({literal(name)}))"
            )
            ways.append(
                f"(object.kind == {literal(row.kind)} && {_in(namespace)} && request.userInfo.username in "
                f"{literal(users)} && has(object.metadata.ownerReferences) && {owned})"
            )
            ways += _made(row.kind, name.removesuffix("$") + GENERATED, namespace)
    return ways


def _quoted(name: str) -> str:
    return name.replace(".", "\\.")
