"""Day two: nothing to do twice, one line removed removes its objects, and whatever dies comes back unaided."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster import live
from cluster.estate import NAMESPACES, PLATFORM, in_estate, order, placed, planned, program_without, pulumi, ready
from cluster.live import eventually, kubectl
from harness import paths, shell
from harness.errors import HarnessError


def test_a_second_up_changes_nothing() -> None:
    assert json.loads(pulumi("up", "--yes", "--skip-preview", "--json").splitlines()[0]) is not None
    assert planned(paths.REPO) == {}


def test_removing_a_call_shows_exactly_what_hangs_on_it(tmp_path: Path) -> None:
    changes = planned(program_without("orders.calls(catalog", tmp_path))
    both = ("shop/orders", "shop/catalog")
    expected = {f"{kind} {name}": "update" for name in both for kind in ("NetworkPolicy", "Deployment")}
    expected |= {f"ConfigMap {name}-proxy": "update" for name in both}
    changes.pop("Estate estate", None)  # the component itself: its registered output is the graph
    assert changes == expected


def test_removing_a_secret_shows_exactly_what_hangs_on_it(tmp_path: Path) -> None:
    changes = planned(program_without("payments.reads(", tmp_path))
    changes.pop("Estate estate", None)
    kinds = {name.split(" ")[1] for name in changes}
    assert kinds == {"sys/policies/acl/bank.payments", "bank/payments-secrets", "bank/payments"}, changes
    assert set(changes.values()) == {"update"}


@pytest.mark.parametrize("namespaces", [NAMESPACES, *((one,) for one in PLATFORM)], ids=",".join)
def test_killing_every_pod_of_the_estate_or_of_a_part_of_the_platform_heals(namespaces: tuple[str, ...]) -> None:
    order()
    before = pods(namespaces)
    for namespace in namespaces:
        kubectl("delete", "pods", "--all", "-n", namespace, "--grace-period=0", "--force", "--wait=false")
    eventually(lambda: not before & pods(namespaces), f"the old pods of {', '.join(namespaces)} are gone", 120)
    ready()
    eventually(placed, "an order can be placed again", 120)


def pods(namespaces: tuple[str, ...]) -> set[str]:
    return {item["metadata"]["uid"] for item in in_estate("pods", *namespaces).values()}


def test_restarting_the_node_heals() -> None:
    order()
    for node in live.nodes():
        shell.run(["docker", "restart", "--time", "20", node], what=f"restarting {node}")
    eventually(answers, "the API server answers", 180)
    ready()
    eventually(placed, "an order can be placed again", 240)


def answers() -> bool:
    try:
        kubectl("get", "--raw", "/readyz")
    except HarnessError:
        return False
    return True
