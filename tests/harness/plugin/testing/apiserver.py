"""A control plane without nodes: etcd, kube-apiserver and the controllers, on loopback.

Everything the API server decides is real (server-side apply, validation, immutability, deletion,
owner references). There is no kubelet: pods stay Pending, unless a test reports their status.
"""

from __future__ import annotations

import secrets
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from harness.build import binary
from harness.plugin import kubeconfig
from harness.plugin.api import Api
from harness.plugin.errors import PluginError
from harness.ports import free_port

_SECONDS: Final = 90.0
# util-linux's: a killed test run takes its servers with it.
WITH_US: Final = ("setpriv", "--pdeathsig", "TERM")


@dataclass(frozen=True)
class ControlPlane:
    """A running API server: its kubeconfig and an admin's client."""

    kubeconfig: Path
    api: Api


@contextmanager
def _running(folder: Path, name: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{name}.log").open("wb") as log:
        command = [*WITH_US, str(binary(name)), *arguments]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answering(folder: Path, config: Path) -> Api:
    """The client of the server once it answers; points at the logs if it never does."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        if (api := _api(config)) is not None:
            return api
        time.sleep(0.1)
    raise TimeoutError(f"kube-apiserver did not come up in {_SECONDS:.0f} s; logs: {folder}")


def _write_kubeconfig(folder: Path, port: int, token: str) -> Path:
    named = {"name": "test"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{**named, "context": {"cluster": "test", "user": "test"}}],
        "clusters": [
            {
                **named,
                "cluster": {
                    "server": f"https://127.0.0.1:{port}",
                    "certificate-authority": str(folder / "certs" / "apiserver.crt"),
                },
            }
        ],
        "users": [{**named, "user": {"token": token}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


def _api(path: Path) -> Api | None:
    """A client once the server answers: its certificate appears only as it starts."""
    try:
        api = Api(kubeconfig.load(str(path)))
        api.client.get("/version")
        api.get({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
    except (PluginError, OSError, ssl.SSLError):
        return None
    return api


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """Start one and stop it again; takes a few seconds."""
    etcd, peer, port = free_port(), free_port(), free_port()
    token = secrets.token_hex(16)
    key = folder / "service-account.key"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    config = _write_kubeconfig(folder, port, token)
    with ExitStack() as stack:
        store = f"http://127.0.0.1:{etcd}"
        stack.enter_context(_running(folder, "etcd", *_etcd(folder, store, peer)))
        stack.enter_context(_running(folder, "kube-apiserver", *_server(folder, port, store, key)))
        api = _answering(folder, config)
        controllers = [f"--kubeconfig={config}", "--leader-elect=false", "--secure-port=0"]
        keys = [
            f"--service-account-private-key-file={key}",
            "--use-service-account-credentials=false",
        ]
        stack.enter_context(_running(folder, "kube-controller-manager", *controllers, *keys))
        yield ControlPlane(config, api)


def _etcd(folder: Path, store: str, peer: int) -> list[str]:
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={store}",
        f"--advertise-client-urls={store}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        "--unsafe-no-fsync",
    ]


def _server(folder: Path, port: int, store: str, key: Path) -> list[str]:
    return [
        f"--etcd-servers={store}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certs'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--disable-admission-plugins=ServiceAccount",
        "--authorization-mode=RBAC",
        "--allow-privileged=true",  # as kubeadm has it: admission decides, with a reason
    ]
