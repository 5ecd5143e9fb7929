"""Network policies and workloads together: who is isolated, and which policy is for nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from garrison.findings import Severity
from garrison_policies.language.expr import get
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.operators import Operated
from garrison_policies.language.rule import Hit, Rule
from garrison_policies.language.selectors import Json, Selectors, is_empty
from garrison_policies.language.workloads import namespace, pods_by_label, running
from garrison_policies.rules.manifests import deployment, manifests
from garrison_policies.rules.network import ISOLATES


def selector(policy: Object) -> Json:
    """Whom it is for; the API server reads a missing selector as everybody."""
    found = get(policy.body, "spec.podSelector")
    return found if isinstance(found, dict) else {}


def _rules(policy: Object, path: str) -> list[Any]:
    found = get(policy.body, path)
    return found if isinstance(found, list) else []


def not_isolated(inventory: Inventory) -> Iterator[Hit]:
    policies = Selectors(
        (namespace(policy), selector(policy), policy)
        for policy in inventory.of("NetworkPolicy")
        if ISOLATES.holds(policy.body, policy.body)
    )
    for item, labels in running(inventory):
        if next(policies.matching(namespace(item), labels), None) is None:
            yield item, "metadata.labels", "no network policy that denies anything selects its pods"


def unprotected(inventory: Inventory) -> Iterator[Hit]:
    protected = {
        namespace(policy) for policy in inventory.of("NetworkPolicy") if ISOLATES.holds(policy.body, policy.body)
    }
    for item in inventory.of("Namespace"):
        if item.name not in protected:
            yield item, "metadata.name", "no network policy in it denies anything"


def selecting_nothing(inventory: Inventory) -> Iterator[Hit]:
    pods, operated = pods_by_label(inventory), Operated(inventory)
    for policy in inventory.of("NetworkPolicy"):
        place, chosen = namespace(policy), selector(policy)
        if is_empty(chosen) or operated.may_make(place, chosen):
            continue
        if next(pods.matching(place, chosen), None) is None:
            yield policy, "spec.podSelector", "selects no pod of its namespace"


def peers_of_nothing(inventory: Inventory) -> Iterator[Hit]:
    pods, operated = pods_by_label(inventory), Operated(inventory)
    for policy in inventory.of("NetworkPolicy"):
        for path, peer in _peers(policy):
            chosen = peer.get("podSelector")
            # Peers in other namespaces are other people's: what is not in sight here may well be there.
            if not isinstance(chosen, dict) or "namespaceSelector" in peer or is_empty(chosen):
                continue
            if operated.may_make(namespace(policy), chosen):
                continue
            if next(pods.matching(namespace(policy), chosen), None) is None:
                yield policy, f"{path}.podSelector", "this peer is no pod of the policy's namespace"


def _peers(policy: Object) -> Iterator[tuple[str, dict[str, Any]]]:
    for direction, peers in (("spec.ingress", "from"), ("spec.egress", "to")):
        for number, rule in enumerate(_rules(policy, direction)):
            found = rule.get(peers) if isinstance(rule, dict) else None
            for index, peer in enumerate(found if isinstance(found, list) else ()):
                if isinstance(peer, dict):
                    yield f"{direction}[{number}].{peers}[{index}]", peer


def _policy(spec: str) -> str:
    return f"""
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {{name: orders, namespace: shop}}
        spec: {spec}
    """


_NAMESPACE = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}"

RULES = (
    Rule(
        id="workload-not-isolated",
        title="a network policy selects every workload",
        severity=Severity.HIGH,
        remedy="deny by default: a NetworkPolicy with `podSelector: {}` and no rules in every namespace",
        controls=("net.policy_missing",),
        references=("CIS 5.3.2", "NSA network separation", "OWASP K07"),
        look=not_isolated,
        good=manifests(deployment(), _policy("{podSelector: {}, policyTypes: [Ingress, Egress]}")),
        bad=manifests(
            deployment(), _policy("{podSelector: {matchLabels: {app: order}}, policyTypes: [Ingress, Egress]}")
        ),
    ),
    Rule(
        id="namespace-without-policy",
        title="every namespace has a network policy",
        severity=Severity.MEDIUM,
        remedy="deny by default: a NetworkPolicy with `podSelector: {}` and no rules in the namespace",
        controls=("net.policy_missing",),
        references=("CIS 5.3.2", "NSA network separation", "OWASP K07"),
        look=unprotected,
        good=manifests(_NAMESPACE, _policy("{podSelector: {}, policyTypes: [Ingress, Egress]}")),
        bad=manifests(_NAMESPACE, _policy("{podSelector: {}, ingress: [{}]}")),
    ),
    Rule(
        id="network-policy-dangling",
        title="a network policy selects something",
        severity=Severity.MEDIUM,
        remedy="correct the labels of podSelector, or remove the policy: it protects nothing",
        controls=("net.policy_dangling",),
        references=("NSA network separation", "OWASP K07"),
        look=selecting_nothing,
        good=manifests(deployment(), _policy("{podSelector: {matchLabels: {app: orders}}}")),
        bad=manifests(deployment(), _policy("{podSelector: {matchLabels: {app: order}}}")),
    ),
    Rule(
        id="network-policy-peer-dangling",
        title="the peers of a network policy exist",
        severity=Severity.LOW,
        remedy="correct the peer's labels: who deploys something with them is let in",
        controls=("net.policy_dangling",),
        references=("NSA network separation", "OWASP K07"),
        look=peers_of_nothing,
        good=manifests(
            deployment(), _policy("{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: orders}}}]}]}")
        ),
        bad=manifests(
            deployment(), _policy("{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: gone}}}]}]}")
        ),
    ),
)
