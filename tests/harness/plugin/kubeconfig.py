"""Find the cluster: from a kubeconfig given as text or as a path, or from the environment.

Only what a kubeconfig can say about one context is read: the server, how to trust it, who we are
(client certificate, token or an exec credential plugin) and the default namespace.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.plugin.errors import PluginError


@dataclass(frozen=True)
class Cluster:
    """Where the API server is and how to talk to it."""

    server: str
    tls: ssl.SSLContext
    namespace: str
    headers: Mapping[str, str]
    server_name: str = ""


def load(given: str, context: str = "", cluster: str = "") -> Cluster:
    """The cluster that the provider arguments or the environment name."""
    config, folder = _document(given)
    chosen = context or str(config.get("current-context") or "")
    entry = _named(config, "contexts", "context", chosen)
    server = _named(config, "clusters", "cluster", cluster or str(entry.get("cluster") or ""))
    user = _named(config, "users", "user", str(entry["user"])) if entry.get("user") else {}
    if not server.get("server"):
        raise PluginError(f'kubeconfig: the cluster of context "{chosen}" names no server')
    credentials = {**user, **_exec(user["exec"])} if "exec" in user else user
    return Cluster(
        server=str(server["server"]).rstrip("/"),
        tls=_tls(server, credentials, folder),
        namespace=str(entry.get("namespace") or "default"),
        headers=_headers(credentials, folder),
        server_name=str(server.get("tls-server-name") or ""),
    )


def _document(given: str) -> tuple[dict[str, Any], Path]:
    if "\n" in given.strip() or given.lstrip().startswith("{"):
        return _parse(given, "the kubeconfig given to the provider"), Path.cwd()
    paths = [given] if given else os.environ.get("KUBECONFIG", "").split(os.pathsep)
    candidates = [Path(p).expanduser() for p in paths if p] or [Path.home() / ".kube" / "config"]
    for path in candidates:
        if path.is_file():
            return _parse(path.read_text(encoding="utf-8"), str(path)), path.parent
    names = ", ".join(map(str, candidates))
    raise PluginError(f"no kubeconfig at {names}: set KUBECONFIG, or give the provider a kubeconfig")


def _parse(text: str, origin: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        told = " ".join(str(problem).split())
        raise PluginError(f"{origin} is not valid YAML: {told}") from problem
    if not isinstance(document, dict):
        raise PluginError(f"{origin} is not a kubeconfig")
    return document


def _named(config: Mapping[str, Any], section: str, field: str, name: str) -> dict[str, Any]:
    for item in config.get(section) or []:
        if item.get("name") == name:
            return dict(item.get(field) or {})
    known = ", ".join(str(item.get("name")) for item in config.get(section) or []) or "none"
    raise PluginError(f'kubeconfig has no {field} "{name}" (it has: {known})')


def _exec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Ask a credential plugin (as the cloud providers' kubeconfigs do)."""
    extra = {item["name"]: item["value"] for item in spec.get("env") or []}
    info = {"apiVersion": spec["apiVersion"], "kind": "ExecCredential", "spec": {}}
    command = [str(spec["command"]), *map(str, spec.get("args") or [])]
    environment = {**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)}
    try:
        run = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
        status = json.loads(run.stdout)["status"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as problem:
        raise PluginError(f"credential plugin {command[0]} failed: {problem}") from problem
    pem = {"client-certificate-data": "clientCertificateData", "client-key-data": "clientKeyData"}
    found = {key: status[field] for key, field in pem.items() if field in status}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in found.items()}
    return {**encoded, "token": status.get("token", "")}


def _headers(user: Mapping[str, Any], folder: Path) -> dict[str, str]:
    token = str(user.get("token") or "")
    if not token and user.get("tokenFile"):
        token = (folder / str(user["tokenFile"])).read_text(encoding="utf-8").strip()
    if token:
        return {"authorization": f"Bearer {token}"}
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password', '')}".encode()
        return {"authorization": "Basic " + base64.b64encode(pair).decode()}
    return {}


def _tls(server: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if server.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif authority := _bytes(server, "certificate-authority", folder):
        context = ssl.create_default_context(cadata=authority.decode())
    certificate = _bytes(user, "client-certificate", folder)
    key = _bytes(user, "client-key", folder)
    if certificate and key:
        with _private_file(certificate + b"\n" + key) as path:
            context.load_cert_chain(path)
    return context


def _bytes(section: Mapping[str, Any], field: str, folder: Path) -> bytes:
    if data := section.get(f"{field}-data"):
        return base64.b64decode(data)
    return (folder / str(section[field])).read_bytes() if section.get(field) else b""


@contextmanager
def _private_file(content: bytes) -> Iterator[str]:
    """The ssl module reads keys from files only: one that only we can read, for a moment."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name
