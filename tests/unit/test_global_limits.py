"""The limiter as it is derived: only where a cluster says so, and then with all that every workload has."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from garrison import IntentError
from garrison.cluster import Cluster, Entrance
from garrison.derive import render
from garrison.derive.edge import counting
from garrison.findings import Severity
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.model.names import EDGE_CONFIG_MAPS
from garrison.settings import SettingsError, parse
from garrison_policies.language.evaluate import evaluate
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.places.estate import compare
from garrison_policies.rules import catalogue
from unit.edges import API, edge_app
from unit.estates import DIGEST

GLOBAL = Cluster(entrance=Entrance(limits="global"))
ROLES = {role: f"registry.example/{role}{DIGEST}" for role in ("ratelimit", "redis")}


@pytest.fixture(scope="module")
def graph() -> Graph:
    made = edge_app().graph()
    return replace(made, images=tuple((dict(made.images) | ROLES).items()))


def keyed(items: list[Manifest]) -> dict[tuple[str, ...], Manifest]:
    return {(i["kind"], i["metadata"].get("namespace", ""), i["metadata"]["name"]): i for i in items}


def of(graph: Graph, kind: str, name: str = "limits") -> Manifest:
    return keyed(render(graph, GLOBAL))[kind, "edge", name]


def test_a_cluster_that_counts_in_each_pod_has_nothing_of_it(graph: Graph) -> None:
    local = render(graph, Cluster())
    assert not [item for item in local if item["metadata"]["name"].startswith("limits")]
    assert "limit.global" not in json.dumps(local)
    assert local == render(edge_app().graph(), Cluster())  # nor do images that nobody uses change anything
    own = {name for kind, space, name in keyed(render(graph, GLOBAL)).keys() - keyed(local).keys()}
    assert own == {"limits", "limits-proxy"}


def test_the_rules_find_in_it_only_that_it_is_one(graph: Graph) -> None:
    inventory = Inventory(tuple(Object(item, "rendered") for item in render(graph, GLOBAL)))
    found = [(one.rule, one.severity, str(one.object)) for one in evaluate(catalogue(GLOBAL.issuer), inventory)]
    # advice, as for databases: it is one because it counts
    assert found == [("single-replica", Severity.LOW, "Deployment edge/limits")]
    assert list(compare(graph, inventory, cluster=GLOBAL)) == []


def test_its_images_are_needed_there_and_nowhere_else() -> None:
    with pytest.raises(IntentError, match="no pinned image for 'ratelimit'.*\n.*no pinned image for 'redis'"):
        render(edge_app().graph(), GLOBAL)


def test_the_edge_alone_gets_to_it_and_it_gets_to_nobody(graph: Graph) -> None:
    spec = of(graph, "NetworkPolicy")["spec"]
    (rule,) = spec["ingress"]
    assert rule["from"][0]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "edge"}}
    assert ("egress" in spec, spec["policyTypes"]) == (False, ["Ingress", "Egress"])
    assert of(graph, "Certificate")["spec"]["uris"] == ["spiffe://estate.example/ns/edge/sa/limits"]
    listeners = json.loads(of(graph, "ConfigMap", "limits-proxy")["data"]["envoy.json"])["static_resources"][
        "listeners"
    ]
    filters = listeners[0]["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
    (policy,) = filters[0]["typed_config"]["rules"]["policies"].values()
    assert "spiffe://estate.example/ns/edge/sa/edge" in json.dumps(policy["principals"])
    assert {"limits", "limits-proxy"} <= {*EDGE_CONFIG_MAPS}  # which the deployer alone writes


def test_all_but_the_sidecar_is_on_loopback_and_nothing_is_kept(graph: Graph) -> None:
    pod = of(graph, "Deployment")["spec"]["template"]["spec"]
    assert [one["name"] for one in (*pod["initContainers"], *pod["containers"])] == ["proxy", "redis", "ratelimit"]
    environment = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    assert {environment[name] for name in ("HOST", "GRPC_HOST", "DEBUG_HOST")} == {"127.0.0.1"}
    arguments = pod["initContainers"][1]["args"]
    said = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert (said["--bind"], said["--save"], said["--appendonly"]) == ("127.0.0.1", "", "no")
    assert not any("persistentVolumeClaim" in volume for volume in pod["volumes"])


def asked(graph: Graph) -> list[dict[str, Any]]:
    """Each descriptor that a route of the API host asks for, as the file of its routes says."""
    file = json.loads(of(graph, "ConfigMap", "edge-dynamic")["data"]["routes-api-estate-example.json"])
    routes = file["resources"][0]["virtual_hosts"][0]["routes"]
    found = [route["typed_per_filter_config"].get(counting.FILTER, {"rate_limits": []}) for route in routes]
    return [one for config in found for one in config["rate_limits"]]


def test_every_limit_of_a_route_is_one_that_the_limiter_knows(graph: Graph) -> None:
    known = {row.get("value"): row for row in json.loads(of(graph, "ConfigMap")["data"]["config.json"])["descriptors"]}
    limits = [one["actions"] for one in asked(graph)]
    assert len(limits) == sum(len(route.rates) for route in graph.routes if route.host == API) == 4
    for limit, route, *whom in limits:
        row = known[limit["generic_key"]["descriptor_value"]]
        assert route["generic_key"]["descriptor_value"].startswith(API)
        keys = [one["metadata"]["descriptor_key"] if "metadata" in one else "remote_address" for one in whom]
        for key in ("route", *keys):
            (row,) = row["descriptors"]
            assert row["key"] == key
        assert row["rate_limit"]["requests_per_unit"] > 0


def test_another_limit_than_those_is_none_at_all(graph: Graph) -> None:
    *_, other = json.loads(counting.known(graph))["descriptors"]
    assert "value" not in other
    text = json.dumps(other)
    assert text.count('"requests_per_unit": 0') == text.count("requests_per_unit") == 3  # all, address, user


def test_a_changed_limit_rolls_nothing_and_the_limiters_own_configuration_rolls_it(graph: Graph) -> None:
    def rolled(one: Graph, name: str) -> str:
        made: str = of(one, "Deployment", name)["spec"]["template"]["metadata"]["annotations"]["garrison.dev/config"]
        return made

    text = graph.to_json().replace('"requests": 30', '"requests": 31')
    assert text != graph.to_json()
    other = Graph.from_json(text)
    assert counting.known(other) != counting.known(graph)
    assert [rolled(other, name) for name in ("edge", "limits")] == [rolled(graph, name) for name in ("edge", "limits")]


def test_a_stack_says_where_it_counts() -> None:
    said = {"charts": ".", "installCertManager": "false", "installTrustManager": "false", "issuer": "ours"}
    assert parse(said, {}).cluster.entrance.limits == "local"
    assert parse(said | {"edgeLimits": "global"}, {}).cluster.entrance.limits == "global"
    with pytest.raises(SettingsError, match="write local or global"):
        parse(said | {"edgeLimits": "both"}, {})
    with pytest.raises(IntentError, match="use local or global"):
        Cluster(entrance=Entrance(limits="both"))  # type: ignore[arg-type]
    assert Cluster.from_json(GLOBAL.to_json()) == GLOBAL
