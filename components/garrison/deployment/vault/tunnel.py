"""The way into a cluster for as long as one operation takes: a port-forward, and who vouches for its far end."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from requests.adapters import HTTPAdapter

from garrison.defaults import TRUST_BUNDLE, TRUST_FILE
from garrison.kube import KubectlError, kubectl

PATIENCE = 90.0  # seconds; kubectl itself waits a minute for the pod


class NamedServer(HTTPAdapter):
    """Connects to one address and verifies the certificate of another name: the far end of a port-forward."""

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, server_hostname=self._name, assert_hostname=self._name)


@contextmanager
def trust_bundle(namespace: str) -> Iterator[str]:
    """The file of the cluster's trust bundle, as trust-manager put it into that namespace."""
    select = "jsonpath={.data.ca\\.pem}"
    bundle = kubectl(["get", "configmap", TRUST_BUNDLE, "--namespace", namespace, "--output", select])
    if not bundle:
        raise KubectlError(f"the ConfigMap {namespace}/{TRUST_BUNDLE} has no {TRUST_FILE} yet")
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(bundle)
        file.flush()
        yield file.name


@contextmanager
def port_forward(namespace: str, service: str, port: str) -> Iterator[int]:
    """A tunnel from a free loopback port to that port of a service."""
    command = ["kubectl", "port-forward", "--address", "127.0.0.1", "--namespace", namespace]
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            [*command, f"service/{service}", f":{port}"], stdout=subprocess.PIPE, stderr=complaints, text=True
        )
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            said = process.stdout.readline() if process.stdout else ""
            watchdog.cancel()
            if "Forwarding from" not in said:
                process.wait(10)
                complaints.seek(0)
                raise KubectlError(f"kubectl port-forward: {' '.join(complaints.read().split()) or 'ended'}")
            yield int(said.split(" -> ")[0].rpartition(":")[2])
        finally:
            watchdog.cancel()
            process.terminate()
            process.wait(10)
