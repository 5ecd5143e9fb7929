"""Certificates of the estate's issuer: what each may be called, and who else may sign."""

from __future__ import annotations

from policies.written import Pair

OURS = "issuerRef: {kind: ClusterIssuer, name: garrison}"
OWN = "spiffe://estate.example/ns/shop/sa/orders"
ID = f"uris: ['{OWN}']"
HOST = "dnsNames: [orders.shop.svc]"


def certificate(names: str, rest: str = "duration: 24h", issuer: str = OURS, namespace: str = "shop") -> str:
    """A Certificate `orders` in a namespace."""
    spec = ", ".join(part for part in (names, rest, issuer, "secretName: orders-identity") if part)
    meta = f"{{name: orders, namespace: {namespace}}}"
    return f"{{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {meta}, spec: {{{spec}}}}}"


def authority(kind: str, name: str, secret: str, namespace: str = "") -> str:
    meta = f"{{name: {name}{f', namespace: {namespace}' if namespace else ''}}}"
    spec = f"{{ca: {{secretName: {secret}}}}}"
    return f"{{apiVersion: cert-manager.io/v1, kind: {kind}, metadata: {meta}, spec: {spec}}}"


def named(what: str, bad: str, good: str = ID) -> Pair:
    return ("identity.own_name", what, certificate(good), certificate(bad))


def plain(what: str, bad: str, good: str = "duration: 24h") -> Pair:
    return ("identity.plain", what, certificate(ID, good), certificate(ID, bad))


PAIRS: list[Pair] = [
    named("namespace", "uris: ['spiffe://estate.example/ns/bank/sa/payments']"),
    named("account", "uris: ['spiffe://estate.example/ns/shop/sa/payments']"),
    named("second id", f"uris: ['{OWN}', 'spiffe://estate.example/ns/bank/sa/payments']"),
    named("path before", "uris: ['spiffe://estate.example/ns/bank/sa/payments/ns/shop/sa/orders']"),
    named("port", "uris: ['spiffe://estate.example:443/ns/shop/sa/orders']"),
    named("user", "uris: ['spiffe://bank@estate.example/ns/shop/sa/orders']"),
    named("scheme", "uris: ['https://estate.example/ns/shop/sa/orders']"),
    named("query", "uris: ['spiffe://estate.example/?/ns/shop/sa/orders']"),
    named("common name", "commonName: openbao"),
    named("common name beside", f"{ID}, commonName: openbao"),
    named("host", "dnsNames: [openbao.openbao.svc]", HOST),
    named("host of all", "dnsNames: ['*.shop.svc']", HOST),
    named("suffix", "dnsNames: [openbao.bank-shop.svc]", HOST),
    named("foreign host", "dnsNames: [www.example.com]", HOST),
    named("loopback host", "dnsNames: [localhost]", HOST),
    named(
        "second host", "dnsNames: [orders.shop.svc, orders.bank.svc]", "dnsNames: [orders.shop.svc, a.orders.shop.svc]"
    ),
    named("host and id", f"{ID}, {HOST}"),
    named("address", f"{HOST}, ipAddresses: [10.96.0.1]", HOST),
    (
        "identity.own_name",
        "issuer of another",
        certificate("commonName: openbao", issuer="issuerRef: {kind: Issuer, name: garrison}"),
        certificate("commonName: openbao"),
    ),
    (
        "identity.own_name",
        "the store's name",
        certificate("commonName: openbao", namespace="openbao"),
        certificate("commonName: openbao", namespace="openbao-2"),
    ),
    plain("life", "duration: 2160h"),
    plain("no life", ""),
    plain("days in minutes", "duration: 99999m"),
    plain("authority", "duration: 24h, isCA: true", "duration: 24h, isCA: false"),
    plain("subject", "duration: 24h, literalSubject: 'CN=openbao'"),
    plain("subject in parts", "duration: 24h, subject: {organizations: ['system:masters']}"),
    plain("mail", "duration: 24h, emailAddresses: [a@b.example]"),
    plain("other name", "duration: 24h, otherNames: [{oid: 1.3.6.1.4.1.311.20.2.3, utf8Value: a@b.example}]"),
    plain("keystore", "duration: 24h, keystores: {pkcs12: {create: true, passwordSecretRef: {name: p, key: p}}}"),
    plain("template", "duration: 24h, secretTemplate: {labels: {a: b}}"),
    plain("usage", "duration: 24h, usages: [any]", "duration: 24h, usages: [client auth]"),
    plain("signing", "duration: 24h, usages: [cert sign]"),
    plain("constraints", "duration: 24h, nameConstraints: {critical: true}"),
    (
        "identity.authority",
        "second",
        authority("ClusterIssuer", "garrison", "garrison-root"),
        authority("ClusterIssuer", "second", "garrison-root"),
    ),
    (
        "identity.authority",
        "namespaced",
        authority("Issuer", "garrison", "garrison-root", "shop"),
        authority("Issuer", "garrison", "garrison-root", "cert-manager"),
    ),
    (
        "identity.authority",
        "key",
        authority("ClusterIssuer", "second", "another-root"),
        authority("ClusterIssuer", "second", "garrison-root"),
    ),
]
