"""What the policy rules say of the documents: what Garrison refuses, what contradicts itself, what it makes good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from garrison import credentials
from garrison.findings import Finding
from garrison_import.read.parts import Variable
from garrison_policies.language.evaluate import evaluate
from garrison_policies.language.objects import Inventory, Object
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


def is_secret(one: Variable) -> bool:
    """Whether a variable has what looks like a credential, by its own name or by that of the ConfigMap's entry."""
    if one.value is None:
        return False
    return (
        credentials.named(one.name, one.value)
        or credentials.among([one.value, *one.value.split()])  # options of a runtime: -Ddb.password=...
        or (one.config is not None and is_secret_entry(one.config[1], one.value))
    )


def is_secret_entry(key: str, text: str) -> bool:
    """Whether an entry of a ConfigMap holds one: a value by its key, a file by what is in it."""
    return credentials.inside(text) or ("\n" not in text and credentials.named(key, text))
