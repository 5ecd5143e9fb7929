"""Who asks, in CEL: the deployer, the controllers of the cluster, and the platform's own accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from garrison import defaults as d
from garrison_policies.language.expr import literal

_WHO = "request.userInfo.username"
_GROUPS = "has(request.userInfo.groups) && request.userInfo.groups"


def account(namespace: str, name: str) -> str:
    """CEL: a service account asks."""
    return f"{_WHO} == {literal(f'system:serviceaccount:{namespace}:{name}')}"


def accounts_of(namespace: str) -> str:
    """CEL: some service account of that namespace asks."""
    return f"({_GROUPS}.exists(g, g == {literal(f'system:serviceaccounts:{namespace}')}))"


def deployer(deployers: Sequence[str]) -> str:
    """CEL: one of `user:NAME` and `group:NAME` asks, or somebody who broke the glass."""
    users = [one.removeprefix("user:") for one in deployers if one.startswith("user:")]
    groups = [one.removeprefix("group:") for one in deployers if one.startswith("group:")] + [d.BREAK_GLASS]
    named = [f"{_WHO} in {literal(users)}"] if users else []
    return f"({' || '.join([*named, f'({_GROUPS}.exists(g, g in {literal(groups)}))'])})"


_PLANE: Final = ["system:kube-controller-manager", "system:kube-scheduler", "system:apiserver"]
# What Kubernetes itself does: its controllers, its scheduler and its nodes, each bounded by its own rights.
CONTROL_PLANE: Final = (
    f"({_WHO} in {literal(_PLANE)} || "
    f"({_GROUPS}.exists(g, g in {literal(['system:nodes', 'system:serviceaccounts:kube-system'])})))"
)
ISSUING: Final = account(d.ISSUER_NAMESPACE, "cert-manager")
TRUSTING: Final = account(d.ISSUER_NAMESPACE, "trust-manager")
