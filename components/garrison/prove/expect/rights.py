"""What is expected of the API server's RBAC: the declared permissions, and nothing next to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from garrison.model.graph import Graph, Permission
from garrison.model.permissions import VERBS
from garrison.prove.model import Review
from garrison.words import Ref

ALWAYS = (  # the ways from a service account to more, asked of everybody
    Review("get", "secrets"),
    Review("list", "pods"),
    Review("create", "pods"),
    Review("create", "serviceaccounts/token"),
)
EVERYTHING = Review("*", "*", "*")
NOBODYS = "garrison-probe"


def reviews(graph: Graph, account: Ref) -> dict[Review, bool]:
    """Every question about an account once, and whether the answer has to be yes."""
    mine = graph.permissions_of.get(account, ())
    asked = dict.fromkeys((*ALWAYS, *(review for p in graph.permissions for review in _exactly(p))))
    for permission in mine:
        asked |= dict.fromkeys(_beside(graph, permission))
    return {review: any(_covers(p, review) for p in mine) for review in asked}


def _exactly(permission: Permission) -> Iterator[Review]:
    """What was declared; by others too, for whom it was not."""
    for verb in permission.verbs:
        for name in permission.names or ("",):
            yield Review(verb, permission.resource, permission.group, name)


def _beside(graph: Graph, permission: Permission) -> Iterator[Review]:
    """One step aside in each direction: another verb, object, namespace and subresource; and everything."""
    exact = next(_exactly(permission))
    for verb in VERBS:
        yield replace(exact, verb=verb)
    if permission.names:
        yield replace(exact, name=NOBODYS)
        yield replace(exact, name="")
    for namespace in (n for n in (*graph.namespaces, "kube-system") if n != permission.service.namespace):
        yield replace(exact, namespace=namespace)
    if "/" not in exact.resource:
        yield replace(exact, resource=f"{exact.resource}/{NOBODYS}")
    yield EVERYTHING


def _covers(permission: Permission, review: Review) -> bool:
    """Whether a permission grants what is asked: RBAC's own rule, for one Role in one namespace."""
    same = (review.resource, review.group) == (permission.resource, permission.group) and not review.namespace
    named = not permission.names or review.name in permission.names
    return same and named and review.verb in permission.verbs
