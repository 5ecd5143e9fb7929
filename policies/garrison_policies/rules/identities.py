"""Who may be called what: certificates of the estate's issuer carry the name of their own namespace and account.

cert-manager signs what it is asked for, in every namespace. Whoever may create a Certificate anywhere would be any
service without these rules. They speak of our issuer only: certificates of others mean nothing to the estate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from garrison import defaults as d
from garrison.cluster import Issuer
from garrison.findings import Severity
from garrison_policies.language.expr import (
    All,
    Either,
    Every,
    Is,
    Matches,
    Not,
    OnlyKeys,
    Predicate,
    Present,
    Whole,
)
from garrison_policies.language.named import AtMost, Own
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import CERTIFICATES, ISSUERS

# What a certificate may say at all: fields that are new upstream are not among them.
FIELDS: Final = (
    *("secretName", "uris", "dnsNames", "commonName", "ipAddresses", "usages", "isCA", "issuerRef"),
    *("duration", "renewBefore", "renewBeforePercentage", "privateKey", "revisionHistoryLimit"),
)
USAGES: Final = ("digital signature", "key encipherment", "client auth", "server auth")
LIFE: Final = r"^([0-9]|1[0-9]|2[0-4])h(0m)?(0s)?$"  # 24 hours at most, as Garrison's own; cert-manager's is 90 days
INTERNAL: Final = r"\.(svc|local|localhost|internal|arpa)$|\.svc\."
SPIFFE: Final = r"^spiffe://[a-z0-9._-]+/ns/[^/]+/sa/[^/]+$"
_REFERENCES = ("OWASP K06", "SPIFFE X.509-SVID 2", "NSA authentication and authorization")


OWN_ID: Final = Own(SPIFFE, ("/ns/{namespace}/sa/{name}",))
OWN_HOST: Final = Own(r"^[a-z0-9.-]+$", (".{namespace}.svc", f".{{namespace}}.{d.CLUSTER_DOMAIN}"))
# The secret store, as the platform makes it: its own probes reach it on loopback, databases know it by common name.
_STORE = Is("metadata.namespace", (d.STORE_NAMESPACE,))


# The edge's namespace alone is given names of the world outside, and never one that means something within a cluster.
_HOSTS: Final = All(
    Is("metadata.namespace", (d.EDGE.namespace,)), Matches("metadata.name", "-host$"), Not(Present("spec.uris"))
)
HOST_OF_THE_EDGE: Final = All(
    Matches("", r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$"),
    Not(Matches("", INTERNAL)),
    Whole(_HOSTS),
)


def ours(issuer: Issuer) -> Predicate:
    """The object asks the estate's issuer.

    External kinds say elsewhere, in words of their own, which authority they speak for: another issuer of the same
    group may well sign with the same key. So everything of that group counts as the estate's.
    """
    if issuer.external:
        return Is("spec.issuerRef.group", (issuer.group,))
    group = Is("spec.issuerRef.group", ("cert-manager.io", ""), absent=True)
    return All(Is("spec.issuerRef.name", (issuer.name,)), Is("spec.issuerRef.kind", ("ClusterIssuer",)), group)


def rules(issuer: Issuer | str = d.ISSUER) -> tuple[Rule, ...]:
    """The rules for the estate's issuer."""
    who = Issuer.of(issuer)
    return (_named(who), _plain(who), _authority(who))


def _checks(issuer: Issuer, required: Mapping[str, Predicate]) -> tuple[Check, ...]:
    other = Not(ours(issuer))
    return tuple(
        Check(subject=CERTIFICATES, at=place, require=Either(other, require)) for place, require in required.items()
    )


def _named(issuer: Issuer) -> Rule:
    alone = Not(All(Present("spec.uris"), Either(Present("spec.dnsNames"), Present("spec.commonName"))))
    store = All(_STORE, Is("spec.commonName", (d.STORE_NAMESPACE,)), Not(Present("spec.dnsNames")))
    return Rule(
        id="identity-of-another",
        title="a certificate of the estate's issuer names its own namespace and account, and nothing else",
        severity=Severity.CRITICAL,
        remedy="ask for spiffe://DOMAIN/ns/<its namespace>/sa/<its name>, or for names below <its namespace>.svc",
        controls=("identity.own_name",),
        references=_REFERENCES,
        checks=_checks(
            issuer,
            {
                "spec.uris": All(AtMost("spec.uris", 1), Every("spec.uris", OWN_ID), alone),
                "spec.dnsNames": Every(
                    "spec.dnsNames", Either(OWN_HOST, HOST_OF_THE_EDGE, All(Is("", ("localhost",)), Whole(_STORE)))
                ),
                "spec.commonName": Either(Not(Present("spec.commonName")), store),
                "spec.ipAddresses": Every("spec.ipAddresses", All(Is("", ("127.0.0.1",)), Whole(_STORE))),
            },
        ),
        good=_certificate(issuer, "uris: ['spiffe://estate.example/ns/shop/sa/orders']"),
        bad=_certificate(issuer, "uris: ['spiffe://estate.example/ns/bank/sa/payments']"),
    )


def _plain(issuer: Issuer) -> Rule:
    return Rule(
        id="identity-plain",
        title="a certificate of the estate's issuer is a leaf of at most 24 hours, with names and usages only",
        severity=Severity.HIGH,
        remedy=f"write duration: 24h, usages among {', '.join(USAGES)}, and none but {', '.join(FIELDS)}",
        controls=("identity.plain",),
        references=_REFERENCES,
        checks=_checks(
            issuer,
            {
                "spec": OnlyKeys("spec", FIELDS),
                "spec.isCA": Is("spec.isCA", (False,), absent=True),
                "spec.usages": Every("spec.usages", Is("", USAGES)),
                "spec.duration": Matches("spec.duration", LIFE),
            },
        ),
        good=_certificate(issuer, "dnsNames: [orders.shop.svc]"),
        bad=_certificate(issuer, "literalSubject: 'CN=openbao'"),
    )


def _authority(issuer: Issuer) -> Rule:
    """A second issuer with the same key would be asked for what ours refuses."""
    own = d.ISSUER if issuer.external else issuer.name
    only = All(Is("kind", ("ClusterIssuer",)), Is("metadata.name", (own,)))
    elsewhere = All(Is("kind", ("Issuer",)), Not(Is("metadata.namespace", (d.ISSUER_NAMESPACE,))))
    return Rule(
        id="issuer-key-shared",
        title="no second issuer signs with the key of the estate's own",
        severity=Severity.CRITICAL,
        remedy=f"give the issuer a Secret of its own; {d.ROOT} is for ClusterIssuer {own}",
        controls=("identity.authority",),
        references=_REFERENCES,
        checks=(
            Check(
                subject=ISSUERS,
                at="spec.ca.secretName",
                require=Either(Not(Is("spec.ca.secretName", (d.ROOT,))), only, elsewhere),
            ),
        ),
        good=_issuer(own),
        bad=_issuer("second"),
    )


def _issuer(name: str) -> str:
    return f"""
            apiVersion: cert-manager.io/v1
            kind: ClusterIssuer
            metadata: {{name: {name}}}
            spec: {{ca: {{secretName: {d.ROOT}}}}}
    """


def _certificate(issuer: Issuer, names: str) -> str:
    group = f"group: {issuer.group}, " if issuer.external else ""
    return f"""
            apiVersion: cert-manager.io/v1
            kind: Certificate
            metadata: {{name: orders, namespace: shop}}
            spec:
                secretName: orders-identity
                duration: 24h
                issuerRef: {{{group}kind: {issuer.kind}, name: {issuer.name}}}
                {names}
    """


RULES = rules()
