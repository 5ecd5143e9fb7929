"""An issuer that is nobody's here: a kind of its own, and a controller that signs what cert-manager approved."""

from __future__ import annotations

import datetime
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from garrison.cluster import Issuer
from harness.plugin.api import Api
from harness.plugin.errors import PluginError

ISSUER = Issuer(name="corporate", kind="ExampleClusterIssuer", group="issuing.example", account="corporate/signer")
Json = dict[str, Any]
REQUESTS = "/apis/cert-manager.io/v1"


def kind(name: str = ISSUER.kind, *, scope: str = "Cluster") -> Json:
    """Its definition, as its own chart would bring it."""
    plural = Issuer(name="x", kind=name, group=ISSUER.group).resource
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema, "subresources": {"status": {}}}
    spec = {
        "group": ISSUER.group,
        "names": {"kind": name, "plural": plural, "singular": name.lower(), "listKind": f"{name}List"},
        "scope": scope,
        "versions": [version],
    }
    meta = {"name": f"{plural}.{ISSUER.group}"}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": meta, "spec": spec}


class Authority:
    """A CA that signs what it is asked for, as it is asked."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a corporation")])
        basic = x509.BasicConstraints(ca=True, path_length=None)
        self.certificate = self._begun(self.name, self.key.public_key(), 30).add_extension(basic, critical=True)
        self.pem = self.certificate.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _begun(self, subject: x509.Name, public: Any, days: int) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public)
        made = made.serial_number(x509.random_serial_number()).not_valid_before(now)
        return made.not_valid_after(now + datetime.timedelta(days=days))

    def signed(self, request: bytes) -> bytes:
        asked = x509.load_pem_x509_csr(request)
        made = self._begun(asked.subject, asked.public_key(), 1)
        for extension in asked.extensions:
            made = made.add_extension(extension.value, critical=extension.critical)
        return made.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


@contextmanager
def controller(api: Api, authority: Authority) -> Iterator[list[str]]:
    """Signs until the end; `api` speaks for its account. Yields what it was told where it could not."""
    over = threading.Event()
    refused: list[str] = []

    def work() -> None:
        while not over.wait(0.2):
            for item in api.client._send("GET", f"{REQUESTS}/certificaterequests")["items"]:
                if item["spec"]["issuerRef"].get("group") == ISSUER.group and _approved(item):
                    try:
                        answer(api, item, authority)
                    except PluginError as error:  # somebody wrote to it meanwhile: it is looked at again
                        refused.append(str(error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield refused
    finally:
        over.set()
        thread.join()


def _approved(item: Json) -> bool:
    status = item.get("status", {})
    return "certificate" not in status and any(
        one["type"] == "Approved" and one["status"] == "True" for one in status.get("conditions", ())
    )


def answer(api: Api, item: Json, authority: Authority) -> None:
    """The certificate, into the request's status."""
    meta, status = item["metadata"], item.get("status", {})
    ready = {"type": "Ready", "status": "True", "reason": "Issued", "message": "signed"}
    ready["lastTransitionTime"] = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = b64encode(authority.signed(b64decode(item["spec"]["request"]))).decode()
    said = {**status, "certificate": made, "ca": b64encode(authority.pem).decode()}
    kept = [one for one in status.get("conditions", ()) if one["type"] != "Ready"]
    path = f"{REQUESTS}/namespaces/{meta['namespace']}/certificaterequests/{meta['name']}/status"
    api.client._send("PUT", path, body={**item, "status": {**said, "conditions": [*kept, ready]}})
