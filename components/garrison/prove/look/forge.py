"""Certificates that must not be accepted, made by the cluster's own cert-manager in the probe's own namespace.

One per service and kind: the right path in a foreign trust domain, signed by the estate's own authority; and the
right name, signed by an authority that nobody trusts. The second is what an attacker can make, the first is worse: a
cluster that issues identities to their own namespace only does not make it, which `refused` finds out. What such a
cluster gives to everybody is `certify.own_identity`: good, and of nobody in the graph.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from garrison import defaults as d
from garrison.cluster import Issuer
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.prove.judge import refusal
from garrison.prove.kubectl import Kubectl
from garrison.prove.look.pods import ACCOUNT, LABEL
from garrison.prove.model import Credential, ProveError
from garrison.words import Ref

API = "cert-manager.io/v1"
FOREIGN_DOMAIN = "evil.example"
NO_AUTHORITY = {"group": "cert-manager.io", "kind": "Issuer", "name": "self"}
NOBODY = Ref("", ACCOUNT)  # whoever has an identity that no graph declares
Forged = Mapping[tuple[Credential, Ref], "KeyPair"]


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its key, as PEM text."""

    certificate: str
    key: str


def manifests(
    graph: Graph, refs: Iterable[Ref], namespace: str, run: str, issuer: Issuer | str = d.ISSUER
) -> Iterator[Manifest]:
    """The throw-away authority, and for each ref one certificate of the estate's own authority and one of that.

    Without an issuer both are of the throw-away one.
    """
    own_authority = Issuer.of(issuer).reference if issuer else NO_AUTHORITY
    yield _object("Issuer", "self", namespace, run, {"selfSigned": {}})
    for ref in refs:
        foreign = f"spiffe://{FOREIGN_DOMAIN}/ns/{ref.namespace}/sa/{ref.name}"
        yield _certificate("foreign domain", ref, namespace, run, foreign, own_authority)
        yield _certificate("foreign authority", ref, namespace, run, graph.spiffe_id(ref), NO_AUTHORITY)


def refused(kubectl: Kubectl, certificate: Manifest) -> bool:
    """Whether admission keeps the estate's own authority from signing this; ProveError when that cannot be known."""
    flags = ("--dry-run=server", "--output=name", "--filename=-")
    code, _, error = kubectl.attempt("create", *flags, stdin=json.dumps(certificate))
    if not code:
        return False
    seen = refusal.said(error)
    if seen.layer == "admission":
        return True
    raise ProveError(f"the probes' certificates cannot be asked for: {seen.reason}")


def name(credential: Credential, ref: Ref) -> str:
    return f"{credential.replace(' ', '-')}.{ref.namespace}.{ref.name}"


def read(secrets: Iterable[Manifest], refs: Iterable[Ref]) -> Forged:
    """The key pairs out of the Secrets that cert-manager filled; that of an undeclared identity, where it is one."""
    data = {secret["metadata"]["name"]: secret["data"] for secret in secrets}
    kinds: tuple[Credential, ...] = ("foreign domain", "foreign authority")
    found = {(credential, ref): _pair(data[name(credential, ref)]) for ref in refs for credential in kinds}
    return found | ({("undeclared identity", NOBODY): _pair(data[ACCOUNT])} if ACCOUNT in data else {})


def _pair(data: Mapping[str, str]) -> KeyPair:
    return KeyPair(_text(data["tls.crt"]), _text(data["tls.key"]))


def _certificate(
    credential: Credential, ref: Ref, namespace: str, run: str, uri: str, issuer: Mapping[str, str]
) -> Manifest:
    spec = {
        "secretName": name(credential, ref),
        "commonName": "garrison-probe",
        "uris": [uri],
        "duration": "1h",
        "renewBefore": "10m",
        "privateKey": dict(d.KEY),
        "usages": ["digital signature", "client auth"],
        "issuerRef": dict(issuer),
    }
    return _object("Certificate", name(credential, ref), namespace, run, spec)


def _object(kind: str, called: str, namespace: str, run: str, spec: Mapping[str, Any]) -> Manifest:
    meta = {"name": called, "namespace": namespace, "labels": {LABEL: run}}
    return {"apiVersion": API, "kind": kind, "metadata": meta, "spec": dict(spec)}


def _text(value: str) -> str:
    return b64decode(value).decode()
