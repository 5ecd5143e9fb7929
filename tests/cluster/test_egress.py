"""Node, pod and service addresses never leave the machine: the node's own rules reject such packets, and count them.

Each probe runs from the node and from a pod's network. The control is a declared service reached from the
same place by the same means, so that a probe that could not run never counts as a rejection.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator

import pytest

from cluster import live
from cluster import live_pods as pods
from cluster.live_pods import Place
from harness import kindconfig

NAMESPACE = "egress-probe"


@pytest.fixture(scope="module", params=["node", "pod"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "node":
        yield Place(live.nodes()[0])
        return
    live.apply(pods.namespace(NAMESPACE), pods.pod(NAMESPACE, "probe", pods.QUIET))
    pods.ready(NAMESPACE)
    yield pods.inside(NAMESPACE, "probe")
    live.kubectl("delete", "namespace", NAMESPACE)


def rejected(node: str, address: str) -> int:
    """Packets to `address` that the node's rules have rejected so far."""
    told = json.loads(live.on_node(node, "nft", "--json", "list", "set", "inet", "garrison", "rejected"))
    found = next(item["set"] for item in told["nftables"] if "set" in item).get("elem", [])
    counts = {item["elem"]["val"]: int(item["elem"]["counter"]["packets"]) for item in found}
    return counts.get(address, 0)


def unassigned_service() -> str:
    used = {service["spec"]["clusterIP"] for service in live.get("services", "--all-namespaces")["items"]}
    last = ipaddress.IPv4Network(kindconfig.SERVICE_RANGE).broadcast_address
    return next(str(last - n) for n in range(1, 100) if str(last - n) not in used)


def unassigned_pod() -> str:
    """An address of the pod range on no node."""
    used = [ipaddress.IPv4Network(node["spec"]["podCIDR"]) for node in live.get("nodes")["items"]]
    free = ipaddress.IPv4Network(kindconfig.POD_RANGE).subnets(new_prefix=24)
    return str(next(net for net in reversed(list(free)) if net not in used)[7])


def test_the_control_reaches_a_service(place: Place) -> None:
    assert place.connect("10.96.0.1", 443) == "connected"
    assert place.connect("10.96.0.10", 53) == "connected"


@pytest.mark.parametrize(
    ("what", "port"),
    [("documentation", 443), ("unassigned service", 443), ("unassigned pod", 8443)],
)
def test_what_would_leave_is_rejected_here_and_counted(place: Place, what: str, port: int) -> None:
    assert place.connect("10.96.0.1", 443) == "connected"
    address = {
        "documentation": lambda: "192.0.2.1",  # RFC 5737: belongs to nobody
        "unassigned service": unassigned_service,
        "unassigned pod": unassigned_pod,
    }[what]()
    before = rejected(place.node, address)
    assert place.connect(address, port) == "refused"
    assert rejected(place.node, address) > before


def test_every_node_has_one_set_of_rules_whatever_restarts_it_had() -> None:
    for node in live.nodes():
        rules = json.loads(live.on_node(node, "nft", "--json", "list", "table", "inet", "garrison"))["nftables"]
        guarded = [item["rule"]["chain"] for item in rules if "rule" in item and "jump" in str(item["rule"])]
        assert sorted(guarded) == ["forward", "output"]


def test_only_the_rules_count() -> None:
    """The same packet, dropped before it comes to the rejection, is refused too and not counted."""
    node = live.nodes()[0]
    live.on_node(node, "nft", 'insert rule inet garrison egress ip daddr 192.0.2.1 counter drop comment "bypass"')
    try:
        before = rejected(node, "192.0.2.1")
        assert Place(node).connect("192.0.2.1", 443) == "refused"
        assert rejected(node, "192.0.2.1") == before
    finally:
        listing = live.on_node(node, "nft", "--json", "--handle", "list", "chain", "inet", "garrison", "egress")
        handle = next(
            item["rule"]["handle"]
            for item in json.loads(listing)["nftables"]
            if item.get("rule", {}).get("comment") == "bypass"
        )
        live.on_node(node, "nft", "delete", "rule", "inet", "garrison", "egress", "handle", str(handle))
