"""An issuer that nobody here wrote, in a process of its own: npm's oidc-provider, with keys and groups of a test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from harness import build
from harness.ports import free_port
from servers.edges import CLIENT_ID
from servers.issuing import text
from servers.proxies import eventually
from unit.authority import Authority
from unit.served import WWW

Json = dict[str, Any]


def key(name: str) -> Json:
    """A private key as a JWK (RFC 7517)."""
    made = rsa.generate_private_key(65537, 2048)
    private, public = made.private_numbers(), made.public_key().public_numbers()
    numbers = {
        "n": public.n,
        "e": public.e,
        "d": private.d,
        "p": private.p,
        "q": private.q,
        "dp": private.dmp1,
        "dq": private.dmq1,
        "qi": private.iqmp,
    }
    parts = {field: text(value.to_bytes((value.bit_length() + 7) // 8, "big")) for field, value in numbers.items()}
    return {"kty": "RSA", "kid": name, "use": "sig", "alg": "RS256", **parts}


OLD, NEW = key("old"), key("new")


@dataclass
class Foreign:
    folder: Path
    port: int
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def ca(self) -> Path:
        return self.folder / "tls" / "ca.pem"

    def start(self, *keys: Json, groups: tuple[str, ...] = ("customers",), life: int = 300) -> None:
        """With these keys, the first of which signs; tokens live so many seconds."""
        self.stop()
        library = (build.obtain("oidc-provider") / "node_modules" / "oidc-provider" / "lib" / "index.js").as_uri()
        config = {
            "library": library,
            "port": self.port,
            "tls": str(self.folder / "tls"),
            "keys": keys,
            "groups": groups,
            "life": life,
            "client": {"id": CLIENT_ID, "secret": "x" * 32},
            "callback": f"https://{WWW}:8443/oauth2/callback",
        }
        (self.folder / "config.json").write_text(json.dumps(config))
        command = ["node", str(Path(__file__).with_name("foreign.mjs")), str(self.folder / "config.json")]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, text=True)
        eventually(lambda: "ready" in (self.folder / "log").read_text(), "the issuer is up")

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def gave_keys(self) -> int:
        """How often it was asked for them since it started."""
        return (self.folder / "log").read_text().count("keys")

    @property
    def asked(self) -> int:
        """How often it was asked about a token since it started."""
        return (self.folder / "log").read_text().count("asked")

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(10)

    def ask(self, path: str, client: str = "machine", **form: str) -> requests.Response:
        sent = {"timeout": 20, "verify": str(self.ca), "auth": (client, "machine-secret")}
        return requests.post(f"{self.url}{path}", data=form, **sent)  # type: ignore[arg-type]

    def token(self, audience: str = "estate", kind: str = "", client: str = "machine") -> str:
        """For a machine, or for a `stranger` in no group; `kind` is "opaque:" for one that says nothing itself."""
        answer = self.ask("/token", client, grant_type="client_credentials", resource=f"urn:{kind}{audience}")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


@contextmanager
def serving(folder: Path, root: Authority) -> Iterator[Foreign]:
    """One that runs, with a certificate of this authority."""
    made = Foreign(folder, free_port())
    root.issue(folder / "tls", dns="localhost")
    made.start(OLD)
    yield made
    made.stop()


def garrison(foreign: Foreign, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`garrison issuer` of it."""
    command = [sys.executable, "-m", "garrison", "issuer", foreign.url, "--ca", str(foreign.ca), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
