"""Saying what a service may do in the Kubernetes API."""

from __future__ import annotations

from dataclasses import dataclass

from garrison.declare.statements import Speaker, Statement, verb, where
from garrison.model.permissions import Permission
from garrison.words import Ref


@dataclass(frozen=True)
class MayStatement(Statement):
    row = "permissions"
    service: Ref
    verbs: str
    resource: str
    names: tuple[str, ...]
    group: str

    def value(self) -> Permission:
        return Permission(self.service, self.group, self.resource, self.names, tuple(self.verbs.split()))


class Rights(Speaker):
    @verb
    def may(self, verbs: str, resource: str, *names: str, group: str = "") -> None:
        """Permit this service `verbs` at a resource of its own namespace, through the Kubernetes API.

        `orders.may("get watch", "configmaps", "orders-flags")`: with names, those objects only. A resource outside
        the core group needs its `group`, without version: `orders.may("get update", "leases", "orders",
        group="coordination.k8s.io")`. Only then a pod gets a token for the API server, and a way there.
        """
        self._pen.add(MayStatement(where(), self.ref, verbs, resource, names, group))
