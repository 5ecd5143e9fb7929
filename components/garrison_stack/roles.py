"""The rights of who deploys as objects of RBAC, for an administrator to apply. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from garrison import defaults as d
from garrison.cluster import is_person
from garrison.derive.names import deployer_role
from garrison.errors import GarrisonError
from garrison.manifest import Manifest
from garrison.words import DNS_NAME
from garrison_stack.right import Right, rules
from garrison_stack.rights import RBAC

API: Final = f"{RBAC}/v1"
ACCOUNT: Final = "system:serviceaccount:"


class SubjectError(GarrisonError):
    """Nobody is named to whom a role could be given."""


def subjects(people: Sequence[str]) -> list[dict[str, str]]:
    """Of `user:NAME` and `group:NAME`, as settings say them; those who may do everything need no role.

    Raises SubjectError where nobody is left.
    """
    found = [_subject(one) for one in people if one not in d.DEPLOYERS]
    if not found:
        raise SubjectError(
            "nobody is named who deploys: say --account NAMESPACE/NAME, --user NAME or --group NAME, or set "
            "garrison:deployers to somebody else than the cluster's administrators"
        )
    return found


def of_account(said: str) -> str:
    """NAMESPACE/NAME as the user that a service account is; raises SubjectError for anything else."""
    space, _, name = said.partition("/")
    if not (DNS_NAME.fullmatch(space) and DNS_NAME.fullmatch(name)):
        raise SubjectError(f"--account {said!r} is no service account: write NAMESPACE/NAME")
    return f"user:{ACCOUNT}{space}:{name}"


def _subject(said: str) -> dict[str, str]:
    if not is_person(said):
        raise SubjectError(f"{said!r} is nobody in particular: name a user, a group or an account")
    kind, _, name = said.partition(":")
    if kind == "user" and name.startswith(ACCOUNT) and name.count(":") == 3:
        space, account = name.removeprefix(ACCOUNT).split(":")
        return {"kind": "ServiceAccount", "name": account, "namespace": space}
    return {"apiGroup": RBAC, "kind": kind.capitalize(), "name": name}


def objects(
    app: str, rights: frozenset[Right], spaces: Iterable[Manifest], people: Sequence[dict[str, str]]
) -> Iterator[Manifest]:
    """The namespaces first, since roles stand in them; then one role for the cluster, and one for each namespace."""
    name = deployer_role(app)
    yield from spaces
    for space in sorted({right.namespace for right in rights}):
        kind = "Role" if space else "ClusterRole"
        metadata = {"name": name, **({"namespace": space} if space else {}), "labels": {d.PART_OF: app}}
        allowed = rules(right for right in rights if right.namespace == space)
        yield {"apiVersion": API, "kind": kind, "metadata": metadata, "rules": allowed}
        role = {"apiGroup": RBAC, "kind": kind, "name": name}
        yield {
            "apiVersion": API,
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": role,
            "subjects": [*people],
        }
