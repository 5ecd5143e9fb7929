"""The ways to the node that the fixtures of others show only one or two of."""

from __future__ import annotations

from typing import Any

import pytest

from garrison_policies.language.objects import Object
from garrison_policies.rules import hostaccess
from policies.fixtures import findings


def broken(spec: dict[str, Any]) -> set[str]:
    return {one.rule for one in findings(hostaccess.RULES, [Object({"kind": "Pod", "spec": spec})])}


@pytest.mark.parametrize("handler", ["livenessProbe", "readinessProbe", "startupProbe", "postStart", "preStop"])
@pytest.mark.parametrize("way", ["httpGet", "tcpSocket"])
def test_no_handler_calls_another_host(handler: str, way: str) -> None:
    def asked(**host: str) -> set[str]:
        action = {handler: {way: {"port": 8080, **host}}}
        return broken({"containers": [action if handler.endswith("Probe") else {"lifecycle": action}]})

    assert asked() == asked(host="") == set()
    assert asked(host="169.254.169.254") == {"host-probes"}


@pytest.mark.parametrize(
    ("path", "breaks"),
    [
        ("/var/run/docker.sock", True),
        ("/run/containerd/containerd.sock", True),
        ("//var/run/crio/crio.sock/", True),
        ("/run/k3s/containerd/containerd.sock", True),
        (r"\\.\pipe\docker_engine", True),
        ("/", True),
        ("/run", True),
        ("/var/run/", True),
        ("/run/containerd", True),
        ("/var/run/thing.sock", False),
        ("/var/lib/app", False),
        ("/runner", False),
        ("/srv/docker.sock.d/app", False),
    ],
)
def test_the_runtime_is_out_of_reach(path: str, breaks: bool) -> None:
    found = broken({"volumes": [{"name": "v", "hostPath": {"path": path}}]})
    assert "host-path" in found
    assert ("runtime-socket" in found) is breaks
