"""The embedded issuer on loopback: a real OpenBao with what the platform tells it and what the graph derives for it."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hvac
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from garrison.cluster import Cluster
from garrison.deployment.platform import users_config
from garrison.deployment.platform.store_config import ADMIN, BREAK_GLASS
from garrison.deployment.platform.users_config import PEOPLE
from garrison.deployment.vault import people, store
from garrison.derive.tokens import url
from garrison.derive.users import users_objects
from garrison.model.graph import Graph
from servers.bao import Bao, Json, serving
from unit.authority import Authority
from unit.served import LOGIN

LOCKOUT = 2  # seconds, in tests
CLUSTER = Cluster()
HOME = f"https://{LOGIN}"


@dataclass(frozen=True)
class Users:
    """The issuer, and those who may do something in it."""

    bao: Bao
    graph: Graph

    def __getattr__(self, name: str) -> hvac.Client:
        return self.bao.user({"admin": ADMIN, "people": PEOPLE, "breaker": BREAK_GLASS}[name])

    def ask(self, method: str, path: str, token: str = "", **more: Any) -> requests.Response:
        headers = {"x-vault-token": token} if token else {}
        return requests.request(
            method, f"{self.bao.address}/v1/{path}", verify=self.bao.ca_file, headers=headers, timeout=20, **more
        )

    def person(self, name: str, *groups: str, **claims: str) -> str:
        """A new person; returns the password."""
        return people.add(self.people, name, groups, claims)

    def login(self, name: str, password: str) -> requests.Response:
        return self.ask("POST", f"auth/userpass/login/{name}", json={"password": password})

    def session(self, name: str, password: str) -> str:
        answer = self.login(name, password)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["auth"]["client_token"])

    def token(self, session: str) -> str:
        return str(self.ask("GET", "identity/oidc/token/api", session).json()["data"]["token"])

    def client(self, host: str) -> tuple[str, str]:
        """The id and the secret of a host's client."""
        data: Any = self.breaker.read(f"identity/oidc/client/{host.replace('.', '-')}")
        return data["data"]["client_id"], data["data"]["client_secret"]


@dataclass(frozen=True)
class Browser:
    """The code flow at one host (RFC 6749 section 4.1 with RFC 7636)."""

    users: Users
    host: str
    verifier: str = ""

    @property
    def provider(self) -> str:
        return f"identity/oidc/provider/{self.host.replace('.', '-')}"

    def authorize(self, session: str, **more: str) -> requests.Response:
        client, _ = self.users.client(self.host)
        asked = {
            "client_id": client,
            "redirect_uri": f"{url(self.users.graph, CLUSTER, self.host)}/oauth2/callback",
            "response_type": "code",
            "scope": "openid groups",
            "state": "s",
            "nonce": "n",
        }
        if self.verifier:
            hashed = hashlib.sha256(self.verifier.encode()).digest()
            asked |= {"code_challenge": base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()}
            asked |= {"code_challenge_method": "S256"}
        return self.users.ask("GET", f"{self.provider}/authorize", session, params=asked | more)

    def exchange(self, code: str, **more: str) -> requests.Response:
        said = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{url(self.users.graph, CLUSTER, self.host)}/oauth2/callback",
            **({"code_verifier": self.verifier} if self.verifier else {}),
        }
        return self.users.ask("POST", f"{self.provider}/token", data=said | more, auth=self.users.client(self.host))

    def id_token(self, session: str, **more: str) -> str:
        code = self.authorize(session, **more).json()["code"]
        return str(self.exchange(code).json()["id_token"])


def browser(users: Users, host: str) -> Browser:
    return Browser(users, host, secrets.token_urlsafe(48))


def public_keys(key_set: Json) -> dict[str, rsa.RSAPublicKey]:
    """A key set (RFC 7517) by key id."""
    return {
        key["kid"]: rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key() for key in key_set["keys"]
    }


def verified(token: str, key_set: Json) -> Json:
    """What a token says, once its signature was checked; raises InvalidSignature or KeyError."""
    signed, _, _signature = token.rpartition(".")
    key = public_keys(key_set)[header(token)["kid"]]
    key.verify(_part(token, 2), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return claims(token)


def _number(text: str) -> int:
    return int.from_bytes(_decoded(text), "big")


def claims(token: str) -> Json:
    """What a token says, unverified."""
    return dict(json.loads(_part(token, 1)))


def header(token: str) -> Json:
    return dict(json.loads(_part(token, 0)))


def _part(token: str, index: int) -> bytes:
    return _decoded(token.split(".")[index])


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@contextmanager
def issuing(
    folder: Path,
    graph: Graph,
    cluster: Cluster = CLUSTER,
    reviewer: Json | None = None,
    root: Authority | None = None,
) -> Iterator[Users]:
    """The issuer of a graph, with everything that the deployment writes."""

    def config(**places: Any) -> Json:
        return users_config.users_config(lockout=f"{LOCKOUT}s", **places)

    with serving(folder, config, users_config.initial_requests, (ADMIN, PEOPLE, BREAK_GLASS), reviewer, root) as bao:
        made = Users(bao, graph)
        admin = made.admin
        for wanted in users_objects(graph, cluster):
            store.write(admin, wanted.path, wanted.body)
        yield made
