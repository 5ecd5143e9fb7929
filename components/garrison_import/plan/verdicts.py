"""What the policy rules say of the documents: what Garrison refuses, what contradicts itself, what it makes good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from garrison.findings import Finding
from garrison_import.read.parts import Variable
from garrison_policies.language.evaluate import evaluate, judge
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.rule import Rule
from garrison_policies.rules import RULES

# Two parts of the documents do not fit each other.
CONTRADICTIONS: Final = (
    "network-policy-dangling",
    "network-policy-peer-dangling",
    "service-dangling",
    "ingress-dangling",
    "disruption-budget-blocks",
    "disruption-budget-closed",
)
# What the manifests ask for and a program cannot say: it is left out, and stands as a comment with rule and remedy.
_REFUSED = (
    "privileged-container windows-host-process host-namespaces host-path runtime-socket host-ports host-probes"
    " added-capabilities dangerous-capabilities seccomp-unconfined selinux-options apparmor-profile proc-mount"
    " unsafe-sysctls restricted-volumes run-as-user ssh-port secret-in-environment secret-in-arguments"
    " secret-as-environment secret-in-manifest secret-in-configmap role-wildcard role-reads-secrets"
    " role-executes-in-pods role-escalates role-becomes-another role-approves-certificates role-changes-admission"
    " role-creates-pods role-creates-volumes cluster-admin-binding everybody-binding default-account-binding"
    " bound-to-everything bound-to-secrets bound-to-exec bound-to-escalation bound-to-another bound-to-pods"
    " node-port-service load-balancer-service external-ip-service ingress-tls ingress-host virtual-service-host"
    " gateway-tls route-tls gateway-host nginx-snippet nginx-annotation ingress-path image-digest image-tag"
)
REFUSED: Final = frozenset(_REFUSED.split())


@dataclass(frozen=True)
class Verdicts:
    """The findings of a check of the documents. `supplied` counts, by rule, what Garrison makes good by itself."""

    refused: tuple[Finding, ...]
    contradictions: tuple[Finding, ...]
    supplied: Mapping[str, int]

    def of(self, item: Object) -> list[Finding]:
        """What is refused of one object."""
        return [one for one in self.refused if one.object is item]


def verdicts(objects: Iterable[Object]) -> Verdicts:
    """All rules, on all documents."""
    found = list(evaluate(RULES, Inventory(tuple(objects))))
    supplied = Counter(one.rule for one in found if one.rule not in REFUSED and one.rule not in CONTRADICTIONS)
    return Verdicts(
        tuple(one for one in found if one.rule in REFUSED),
        tuple(one for one in found if one.rule in CONTRADICTIONS),
        dict(sorted(supplied.items())),
    )


@cache
def _rule(name: str) -> Rule:
    return next(rule for rule in RULES if rule.id == name)


def _breaks(rule: str, body: Mapping[str, Any]) -> bool:
    return any(judge(_rule(rule), Object(body)))


def _pod(**container: Any) -> Mapping[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [container]}}


def secret_variable(name: str, value: str) -> bool:
    """Whether a variable holds what looks like a credential (secret-in-environment)."""
    return _breaks("secret-in-environment", _pod(name="x", env=[{"name": name, "value": value}]))


def secret_line(word: str, line: Iterable[str]) -> bool:
    """Whether a command or its arguments carry one (secret-in-arguments)."""
    return _breaks("secret-in-arguments", _pod(name="x", **{word: list(line)}))


def secret_entry(key: str, text: str) -> bool:
    """Whether an entry of a ConfigMap holds one (secret-in-configmap)."""
    return _breaks(
        "secret-in-configmap", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {key: text}}
    )


def is_secret(one: Variable) -> bool:
    """Whether a variable has what looks like a credential, by its own name or by that of the ConfigMap's entry."""
    if one.value is None:
        return False
    return (
        secret_variable(one.name, one.value)
        or secret_line("args", [one.value, *one.value.split()])  # options of a runtime: -Ddb.password=...
        or (one.config is not None and secret_entry(one.config[1], one.value))
    )
