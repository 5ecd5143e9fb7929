"""What lets a request pass a policy unread: conditions in CEL, each for what controllers must be able to do.

Every one of them compares with what was there before, so that none is a way to make a bad object of a good one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from garrison_policies.places.people import deployer

Condition = dict[str, str]

# What changes on an object when a finalizer is taken off: the list itself, and the API server's own book-keeping.
_KEPT_BY_THE_SERVER: Final = ("finalizers", "managedFields", "resourceVersion", "generation")


def _same(new: str, old: str, *, but: tuple[str, ...]) -> str:
    """CEL: the two maps have the same fields with the same values, whatever stands in the fields `but`."""
    # dyn(): the API server knows the type of `object`, and its type check iterates over maps only
    left, right = f"dyn({new})", f"dyn({old})"
    kept = f"k in {list(but)}"
    return (
        f"{left}.all(k, {kept} || (k in {right} && {left}[k] == {right}[k])) && {right}.all(k, {kept} || k in {left})"
    )


# An object on its way out may lose its finalizers. Any other change is judged: it can still be used while it waits.
LEAVING: Final[Condition] = {
    "name": "not-leaving",
    "expression": "oldObject == null || !has(oldObject.metadata.deletionTimestamp) || !("
    + " && ".join(
        (
            _same("object", "oldObject", but=("metadata",)),
            _same("object.metadata", "oldObject.metadata", but=_KEPT_BY_THE_SERVER),
        )
    )
    + ")",
}
SPEC_CHANGED: Final[Condition] = {
    "name": "spec-is-new",
    "expression": "oldObject == null || (has(object.spec) ? object.spec != oldObject.spec : object != oldObject)",
}
# A Deployment winds its old ReplicaSets down, also where what they run may no longer start (an image whose signature is
# gone from the list, a rule that is new). How many is all that may change so, and each pod is judged when it is made.
COUNTED: Final[Condition] = {
    "name": "not-another-number",
    "expression": "oldObject == null || object.kind != 'ReplicaSet' || !("
    + _same("object.spec", "oldObject.spec", but=("replicas",))
    + ")",
}
# The API server keeps its bootstrap roles, and aggregates roles, under these names; nobody else can have them.
ITS_OWN: Final[Condition] = {
    "name": "not-the-api-server",
    "expression": "!(request.userInfo.username in ['system:apiserver', "
    "'system:serviceaccount:kube-system:clusterrole-aggregation-controller'])",
}


def of_the_proof(deployers: Sequence[str]) -> Condition:
    """What `garrison prove` asks for in its own namespace, so as to be refused: names in a domain that is nobody's."""
    space = "object.metadata.namespace.matches('^garrison-probe-[0-9a-f]{6}$')"
    names = "has(object.spec.uris) && object.spec.uris.all(u, u.startsWith('spiffe://evil.example/'))"
    bare = "!has(object.spec.dnsNames) && !(has(object.spec.commonName) && object.spec.commonName != 'garrison-probe')"
    return {
        "name": "not-of-the-proof",
        "expression": f"!({deployer(deployers)} && {space} && {names} && {bare})",
    }
