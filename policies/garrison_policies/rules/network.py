"""Network policies: what one must say. An allow-all is not a policy; a deny-all is the best of them."""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.expr import (
    All,
    Either,
    Entries,
    Every,
    Is,
    Matches,
    Not,
    Path,
    Predicate,
    Present,
    Some,
    Whole,
)
from garrison_policies.language.rule import Check, Rule, Subject
from garrison_policies.language.subjects import NETWORK_POLICIES
from garrison_policies.rules.portranges import CoversAllPorts

NOTHING = Not(Present(""))  # no element satisfies it


def empty(path: Path) -> Predicate:
    """The list at `path` is absent or empty."""
    return Every(path, NOTHING)


# Every namespace carries it; what is demanded by leaving something out is demanded of nearly nobody.
_EVERY_NAMESPACE = "kubernetes.io/metadata.name"
_DEMANDS_LITTLE = Either(
    All(Is("operator", ("Exists",)), Is("key", (_EVERY_NAMESPACE,))),
    All(
        Is("operator", ("NotIn", "DoesNotExist")),
        Not(All(Is("key", (_EVERY_NAMESPACE,)), Is("operator", ("DoesNotExist",)))),
    ),
)
# 0.0.0.0/0, in halves, quarters or whatever is more than a hundredth of all addresses. From f on IPv6 is private.
_WIDE = r"^[0-9.]+/[0-7]$|^([0-9a-eA-E][0-9a-fA-F]{0,3})?:[0-9a-fA-F:.]*/([0-9]|1[01])$"
# What is left out of it is too little to matter: less than a /16, or a /48 of IPv6.
_SMALL = r"^[0-9.]+/(1[7-9]|[23][0-9])$|^[0-9a-fA-F]*:[0-9a-fA-F:.]*/(49|[5-9][0-9]|1[0-9][0-9])$"


def nearly_unlimited(path: Path) -> Predicate:
    """The label selector at `path` is written, and whom it selects is nearly everybody."""
    return All(Present(path), Entries(f"{path}.matchLabels", ""), Every(f"{path}.matchExpressions", _DEMANDS_LITTLE))


# Everybody in the cluster, or everybody at all. All pods of one's own namespace are neither: `podSelector: {}` alone.
EVERYBODY = Either(
    All(nearly_unlimited("namespaceSelector"), Either(Not(Present("podSelector")), nearly_unlimited("podSelector"))),
    All(Matches("ipBlock.cidr", _WIDE), Every("ipBlock.except", Matches("", _SMALL))),
)
EVERY_PORT = Either(empty("ports"), Some("ports", Not(Present("port"))), CoversAllPorts("ports"))


def narrow(peers: str) -> Predicate:
    """A rule of a policy that leaves somebody or some port out."""
    return Not(All(Either(empty(peers), Some(peers, EVERYBODY)), EVERY_PORT))


# Without policyTypes a policy is one of ingress, and of egress too when it has egress rules.
_UNTYPED = empty("spec.policyTypes")
INGRESS = Either(_UNTYPED, Some("spec.policyTypes", Is("", ("Ingress",))))
EGRESS = Either(All(_UNTYPED, Not(empty("spec.egress"))), Some("spec.policyTypes", Is("", ("Egress",))))
# It denies something: in one of its directions no rule lets everything through.
ISOLATES = Either(
    All(INGRESS, Every("spec.ingress", narrow("from"))),
    All(EGRESS, Every("spec.egress", narrow("to"))),
)

RULES = (
    Rule(
        id="network-policy-open-ingress",
        title="a network policy does not let everybody in on every port",
        severity=Severity.HIGH,
        remedy="name in `from` who may come in, or in `ports` where; for none at all, leave `ingress` out",
        controls=("net.policy_missing",),
        references=("CIS 5.3.2", "NSA network separation", "OWASP K07"),
        checks=(
            Check(
                subject=Subject(kinds=NETWORK_POLICIES.kinds, each=("spec.ingress",)),
                require=Either(Whole(Not(INGRESS)), narrow("from")),
            ),
        ),
        good="""
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: orders, namespace: shop}
            spec:
              podSelector: {matchLabels: {app: orders}}
              policyTypes: [Ingress]
              ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 8080}]}]
        """,
        bad="""
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: orders, namespace: shop}
            spec:
              podSelector: {}
              policyTypes: [Ingress]
              ingress: [{}]
        """,
    ),
    Rule(
        id="network-policy-open-egress",
        title="a network policy does not let everything out on every port",
        severity=Severity.MEDIUM,
        remedy="name in `to` whom it may call, or in `ports` where; for none at all, leave `egress` out",
        controls=("net.policy_missing",),
        references=("CIS 5.3.2", "NSA network separation", "OWASP K07"),
        checks=(
            Check(
                subject=Subject(kinds=NETWORK_POLICIES.kinds, each=("spec.egress",)),
                require=Either(Whole(Not(EGRESS)), narrow("to")),
            ),
        ),
        good="""
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: deny-all, namespace: shop}
            spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
        """,
        bad="""
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: orders, namespace: shop}
            spec:
              podSelector: {}
              policyTypes: [Egress]
              egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]
        """,
    ),
    Rule(
        id="network-policy-selector",
        title="a network policy says which pods it is for",
        severity=Severity.MEDIUM,
        remedy="write spec.podSelector; `podSelector: {}` is every pod of the namespace",
        controls=("net.selector",),
        references=("CIS 5.3.2", "NSA network separation", "OWASP K07"),
        checks=(Check(subject=NETWORK_POLICIES, at="spec.podSelector", require=Present("spec.podSelector")),),
        admission=False,
        why_not_admission="the API server has filled it in by then, with every pod of the namespace",
        good="""
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: deny-all, namespace: shop}
            spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
        """,
        bad="""
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: deny-all, namespace: shop}
            spec: {policyTypes: [Ingress, Egress]}
        """,
    ),
)
