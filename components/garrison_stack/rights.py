"""What whoever deploys may have to ask the API server for, and nothing more: computed from what is derived. Pure.

A right is one verb at one resource, of one namespace or of the cluster, of one name or of any. Where objects of the
whole cluster are made, and wherever RBAC itself or a Secret is written, it has a name; in the estate's own namespaces
it has none, so that a change of a program asks for another role only where it brings a new kind.

Every object is made by server-side apply, which is a PATCH at its name: the API server judges `create` of that by the
name, too. Made by POST it could not: RBAC has no name for what is not there yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Final, Self

from garrison.manifest import Manifest, identity
from garrison.words import resource_of
from garrison_stack import questions
from garrison_stack.right import READING, Right
from garrison_stack.whole import Whole

RBAC: Final = "rbac.authorization.k8s.io"
ROLES: Final = ("Role", "ClusterRole")
BINDINGS: Final = ("RoleBinding", "ClusterRoleBinding")
# Written by name even in the estate's namespaces: whoever may write any could give or take what is not the estate's.
NAMED: Final = frozenset({(RBAC, "roles"), (RBAC, "rolebindings"), ("", "secrets")})
# What is read while an object is awaited, or to say why it does not become ready.
AWAITED: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "Deployment": (("apps", "replicasets"), ("", "pods"), ("", "persistentvolumeclaims")),
    "StatefulSet": (("", "pods"),),
    "DaemonSet": (("", "pods"),),
    "Job": (("", "pods"),),
    "Certificate": (("cert-manager.io", "certificaterequests"),),
}
ENFORCE: Final = "pod-security.kubernetes.io/enforce"
NAMESPACE: Final = {"apiVersion": "v1", "kind": "Namespace"}
ENDPOINTS: Final = ("discovery.k8s.io", "endpointslices")


@dataclass(frozen=True)
class Rights:
    """All rights, by what they are for."""

    made: frozenset[Right] = frozenset()
    """Without one of them something is not made, or not taken away."""
    read: frozenset[Right] = frozenset()
    """To see that it is ready, and why not."""
    held: frozenset[Right] = frozenset()
    """What is given to workloads: nobody gives what he does not have."""

    def __or__(self, other: Rights) -> Rights:
        return Rights(*(getattr(self, one.name) | getattr(other, one.name) for one in fields(self)))

    @property
    def every(self) -> frozenset[Right]:
        return self.made | self.read | self.held

    @classmethod
    def of(cls, what: Whole, *, logs_in: bool = True) -> Self:
        """Of all that is made for one App on one cluster, and of what the program itself asks the cluster.

        logs_in: whether it asks for a login at the secret store. Who has a token of the store's does not.
        """
        platform = [item for step in what.platform for item in step.items]
        items = [*what.admission, *platform, *what.estate.manifests]
        endpoints = _read(ENDPOINTS, (item for item in platform if item["kind"] == "Service"))
        made = frozenset(right for item in items for right in _made(item))
        read = frozenset(right for item in items for right in _awaited(item))
        read |= {*endpoints, *questions.seen(what.settings)}
        return cls(made | {*questions.asked(what, logs_in=logs_in)}, read, frozenset(_held(items)))


def namespaces(what: Whole) -> dict[str, Manifest]:
    """Those that are made, by name: a Role needs one to stand in, so they come with the roles.

    Closed to privileged pods from the first moment, and else bare: what they are otherwise is the deployer's to say.
    """
    found = (item["metadata"] for step in what.steps() for item in step.items if item["kind"] == "Namespace")
    kept = {meta["name"]: {ENFORCE: meta["labels"][ENFORCE]} for meta in found}
    return {name: {**NAMESPACE, "metadata": {"name": name, "labels": labels}} for name, labels in sorted(kept.items())}


def resource(item: Manifest) -> tuple[str, str]:
    """Group and resource of an object, as RBAC writes them."""
    return item["apiVersion"].rpartition("/")[0], resource_of(item["kind"])


def _made(item: Manifest) -> Iterator[Right]:
    _, kind, space, name = identity(item)
    group, plural = resource(item)
    verbs = {"get", "create", "patch", "delete"}
    verbs -= {"create"} if kind == "Namespace" else set()  # an administrator's: the roles stand in it
    verbs |= {"update"} if kind == "CustomResourceDefinition" else set()  # replaced as a whole
    named = not space or (group, plural) in NAMED
    for verb in verbs:
        yield Right(space, group, plural, verb, name if named else "")


def _awaited(item: Manifest) -> Iterator[Right]:
    """The kind itself, which is watched until it is ready or gone; Secrets are not, but by name."""
    _, kind, space, _ = identity(item)
    if resource(item) != ("", "secrets"):
        yield from _read(resource(item), [item])
    if space:
        for looked in (*AWAITED.get(kind, ()), ("", "events")):
            yield from _read(looked, [item])


def _read(what: tuple[str, str], items: Iterable[Manifest]) -> Iterator[Right]:
    for item in items:
        for verb in READING:
            yield Right(item["metadata"].get("namespace", ""), *what, verb)


def _held(items: list[Manifest]) -> Iterator[Right]:
    """The rules of derived roles, and leave to bind those that somebody else wrote."""
    known = {identity(item)[1:] for item in items if item["kind"] in ROLES}
    for item in items:
        space = item["metadata"].get("namespace", "")
        if item["kind"] in ROLES:
            for rule in item.get("rules") or ():
                yield from of_rule(space, rule)
        elif item["kind"] in BINDINGS:
            role = item["roleRef"]
            home = space if role["kind"] == "Role" else ""
            if (role["kind"], home, role["name"]) not in known:
                yield Right(home, RBAC, resource_of(role["kind"]), "bind", role["name"])


def of_rule(space: str, rule: dict[str, Any]) -> Iterator[Right]:
    """Every right that a rule gives."""
    for group in rule.get("apiGroups", ()):
        for plural in rule.get("resources", ()):
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames") or [""]:
                    yield Right(space, group, plural, verb, name)
