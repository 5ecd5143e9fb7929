"""NetworkPolicy is enforced in both directions, between nodes too; every refusal is of a path that worked before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cluster import live
from cluster import live_pods as pods

NAMESPACE = "policy-probe"
FRIEND = [{"podSelector": {"matchLabels": {"app": "friend"}}}]
SERVER = [{"podSelector": {"matchLabels": {"app": "server"}}}]


def policy(name: str, app: str, **rules: Any) -> dict[str, Any]:
    """A policy for the pods of one name: what it does not list is denied."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "podSelector": {"matchLabels": {"app": app}},
            "policyTypes": [direction.capitalize() for direction in rules],
            **rules,
        },
    }


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[str]:
    """The server on the last node, two clients on the first: with two nodes every path crosses between them."""
    names = live.nodes()
    live.apply(
        pods.namespace(NAMESPACE),
        pods.pod(NAMESPACE, "server", pods.ANSWERING, names[-1]),
        pods.pod(NAMESPACE, "friend", pods.QUIET, names[0]),
        pods.pod(NAMESPACE, "stranger", pods.QUIET, names[0]),
    )
    pods.ready(NAMESPACE)
    yield pods.address(NAMESPACE, "server")
    live.kubectl("delete", "namespace", NAMESPACE)


@pytest.fixture(autouse=True)
def no_policies() -> Iterator[None]:
    yield
    live.kubectl("delete", "networkpolicies", "--all", "--namespace", NAMESPACE)


def expect(server: str, **answers: str) -> None:
    """Wait until each client gets the answer it should."""
    for client, answer in answers.items():
        place = pods.inside(NAMESPACE, client)
        live.eventually(lambda p=place, a=answer: p.connect(server) == a, f"{client} is {answer}", 30)  # type: ignore[misc]


def test_ingress(server: str) -> None:
    expect(server, friend="connected", stranger="connected")
    live.apply(policy("deny", "server", ingress=[]))
    expect(server, friend="refused", stranger="refused")
    live.apply(policy("allow", "server", ingress=[{"from": FRIEND}]))
    expect(server, friend="connected", stranger="refused")


def test_egress(server: str) -> None:
    expect(server, friend="connected", stranger="connected")
    live.apply(policy("deny", "friend", egress=[]))
    expect(server, friend="refused", stranger="connected")
    live.apply(policy("allow", "friend", egress=[{"to": SERVER, "ports": [{"port": pods.PORT, "protocol": "TCP"}]}]))
    expect(server, friend="connected")


def test_an_allowed_port_does_not_open_another(server: str) -> None:
    other = [{"from": FRIEND, "ports": [{"port": 8080, "protocol": "TCP"}]}]
    expect(server, friend="connected")
    live.apply(policy("deny", "server", ingress=other))
    expect(server, friend="refused")
