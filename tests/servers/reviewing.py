"""The API server's TokenReview, played: it vouches for the tokens it is told of, for one audience each."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from garrison.words import Ref
from servers.issuing import Signer
from unit.authority import Authority


@dataclass
class Reviewer:
    port: int
    ca: str
    signer: Signer = field(default_factory=lambda: Signer("https://kubernetes.default.svc", "x"))
    known: dict[str, tuple[Ref, str]] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        """What OpenBao's Kubernetes login is told of it."""
        return {
            "kubernetes_host": f"https://localhost:{self.port}",
            "kubernetes_ca_cert": self.ca,
            "token_reviewer_jwt": "reviewer",
            "disable_local_ca_jwt": True,
        }

    def token(self, account: Ref, audience: str) -> str:
        """A projected token of a service account."""
        names = {"namespace": account.namespace, "serviceaccount": {"name": account.name, "uid": f"uid-{account.name}"}}
        subject = f"system:serviceaccount:{account.namespace}:{account.name}"
        said: dict[str, Any] = {"aud": [audience], "kubernetes.io": names}
        made = self.signer.token(subject, **said)
        self.known[made] = account, audience
        return made

    def answer(self, spec: dict[str, Any]) -> dict[str, Any]:
        account, audience = self.known.get(spec["token"], (Ref("x", "x"), ""))
        if audience not in (spec.get("audiences") or [audience]) or not audience:
            return {"authenticated": False}
        name = f"system:serviceaccount:{account.namespace}:{account.name}"
        return {
            "authenticated": True,
            "audiences": [audience],
            "user": {"username": name, "uid": f"uid-{account.name}", "groups": ["system:serviceaccounts"]},
        }


@contextmanager
def reviewing(folder: Path, root: Authority) -> Iterator[Reviewer]:
    identity = root.issue(folder, dns="localhost")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps({**review, "status": made.answer(review["spec"])}).encode()
            self.send_response(201)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(identity / "tls.crt", identity / "tls.key")
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    made = Reviewer(int(server.server_address[1]), (identity / "ca.pem").read_text())
    made.signer.rotate()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
