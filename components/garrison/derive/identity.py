"""Identity layer: one short-lived X.509-SVID per service, and a server certificate per database.

The SPIFFE id is the only name in a service's certificate (SPIFFE X.509-SVID section 2: exactly one URI SAN).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster, Issuer
from garrison.derive.names import full_host, secret_name
from garrison.manifest import Manifest, manifest
from garrison.model.graph import Graph
from garrison.words import Ref

API = "cert-manager.io/v1"


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    for service in graph.workloads:
        names = {"uris": [graph.spiffe_id(service.ref)]}
        usages = ["digital signature", "client auth", "server auth"]
        yield certificate(graph, cluster.authority, service.ref, names, usages, secret_name(service.ref))
    for database in graph.databases:
        short = f"{database.ref.name}.{database.ref.namespace}.svc"
        names = {"dnsNames": [short, full_host(database.ref)]}
        usages = ["digital signature", "server auth"]
        yield certificate(graph, cluster.authority, database.ref, names, usages, secret_name(database.ref))


def certificate(
    graph: Graph, issuer: Issuer, ref: Ref, names: dict[str, Any], usages: list[str], secret: str
) -> Manifest:
    """A short-lived leaf of an issuer, kept by cert-manager in that Secret."""
    spec = {
        "secretName": secret,
        **names,
        "duration": d.CERTIFICATE_LIFE,
        "renewBefore": d.CERTIFICATE_RENEW_BEFORE,
        "privateKey": dict(d.KEY),
        "usages": usages,
        "issuerRef": issuer.reference,
    }
    return manifest(API, "Certificate", ref, {"spec": spec}, app=graph.name)
