"""Asking for identities as somebody who may ask: an editor of the run's own namespace, whom the operator speaks for.

The editor's rights are those that cert-manager's chart gives to `edit`, so that RBAC is not what refuses. Nobody can
log in as that user; the Role and its binding go with the namespace.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.cluster import Issuer
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.prove.kubectl import Kubectl
from garrison.prove.look import api
from garrison.prove.look.pods import ACCOUNT, LABEL
from garrison.prove.model import Certify, Kind, Probe, Seen

USER = "garrison-probe-editor"
RBAC = "rbac.authorization.k8s.io"
API = "cert-manager.io/v1"
# A well-formed request (PKCS#10, P-256) in nobody's name; its key was thrown away. With `openssl req -new -newkey ec
# -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=garrison-probe`, then base64.
REQUEST = (
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIVU1Ic0NBUUF3R1RFWE1CVUdBMVVFQXd3T1oyRnljbWx6YjI0"
    "dGNISnZZbVV3V1RBVEJnY3Foa2pPUFFJQgpCZ2dxaGtqT1BRTUJCd05DQUFUVXhDbHJnUmF2aTJoVWxoNmdzdFBLWEY2UkhzQ1VB"
    "VTVlblh5eXB1MllkWjQvCjFUcS9IWTloQkdJZXN6ZEpUaThSV1pIMWpvN0VCdXZRZkJWNVNkKzhvQUF3Q2dZSUtvWkl6ajBFQXdJ"
    "RFNRQXcKUmdJaEFJZzlaV0VZN1RnR2sraklxalI0a2xEMWtxaUlzZ1ROWVFoWUFaTzBtVk5VQWlFQW5hamZ0bUxHZkFncgoxakV6"
    "aUYxdENQTU9hSCsvd2JKdTRtKzZhQk1ReldrPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K"
)


def rights(namespace: str, run: str) -> Iterator[Manifest]:
    """What the editor may do, where it may do it."""
    meta = {"name": USER, "namespace": namespace, "labels": {LABEL: run}}
    rule = {"apiGroups": ["cert-manager.io"], "resources": ["certificates", "certificaterequests"], "verbs": ["create"]}
    yield {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta, "rules": [rule]}
    to, who = {"apiGroup": RBAC, "kind": "Role", "name": USER}, {"apiGroup": RBAC, "kind": "User", "name": USER}
    yield {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": meta, "roleRef": to, "subjects": [who]}


def own_identity(graph: Graph, namespace: str, issuer: Issuer | str, account: str = ACCOUNT) -> Manifest:
    """A certificate that the estate's authority gives in any namespace: of the trust domain, and in no declaration."""
    names = {"uris": [f"spiffe://{graph.trust_domain}/ns/{namespace}/sa/{account}"]}
    return _object("Certificate", namespace, _certificate(issuer, names), account)


def ask(kubectl: Kubectl, graph: Graph, probe: Probe, namespace: str, issuer: Issuer | str) -> Seen:
    """What the API server says to the editor."""
    assert isinstance(probe.attempt, Certify)
    item = own_identity(graph, namespace, issuer, f"{ACCOUNT}-asked")  # what the run itself has may be there
    if probe.attempt.what == Kind.REQUEST_BY_HAND:
        spec = {"request": REQUEST, "usages": item["spec"]["usages"], "issuerRef": item["spec"]["issuerRef"]}
        item = _object("CertificateRequest", namespace, spec)
    elif probe.attempt.name:
        field, name = probe.attempt.field, probe.attempt.name
        item["spec"] = _certificate(issuer, {field: name if field == "commonName" else [name]})
    return api.taken(kubectl, item, f"--as={USER}")


def _certificate(issuer: Issuer | str, names: dict[str, Any]) -> dict[str, Any]:
    return {
        "secretName": ACCOUNT,
        **names,
        "duration": "1h",
        "renewBefore": "10m",
        "privateKey": dict(d.KEY),
        "usages": ["digital signature", "client auth"],
        "issuerRef": Issuer.of(issuer).reference,
    }


def _object(kind: str, namespace: str, spec: dict[str, Any], name: str = ACCOUNT) -> Manifest:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}
