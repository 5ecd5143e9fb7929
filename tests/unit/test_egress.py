"""Hosts outside: what may be declared, and what the gateway is derived to be, on any graph."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrison import App, Graph, IntentError, Service, render
from garrison import defaults as d
from garrison.cluster import Cluster, Egress
from garrison.derive.egress import bootstrap
from garrison.derive.egress.ranges import addresses, permitted
from garrison.derive.mesh import config
from garrison.manifest import Manifest, identity
from garrison.model.externals import External
from garrison.settings import SettingsError, parse
from garrison.words import Ref
from garrison_policies.places import guard
from unit.estates import DIGEST, apps, empty_app, shop_app
from unit.netmodel import Pod, allowed, pods

THERE = Cluster(egress=Egress(allowed=("172.18.0.50/32",), closed=("203.0.114.0/24",)), api_server=("198.50.100.7/32",))
GATEWAY = ("egress", "gateway")
Json = dict[str, Any]


def estate() -> tuple[App, Service, Service]:
    app = empty_app()
    bank = app.namespace("bank")
    payments, reports = (
        bank.service(name, image="registry.example/s" + DIGEST, port=8080) for name in ("payments", "reports")
    )
    return app, payments, reports


def problems(app: App) -> list[str]:
    with pytest.raises(IntentError) as found:
        app.graph()
    return [f"{one.what}; {one.remedy}" for one in found.value.problems]


@pytest.mark.parametrize(
    "host",
    [
        *("10.0.0.1", "127.1", "0x7f.1", "2130706433", "::1", "[::1]", "a.svc.cluster.local", "db.internal"),
        *("localhost", "API.psp.example", "api.psp.example.", "psp", "a.localhost", "x.local", "*.psp.example", ""),
    ],
)
def test_a_host_outside_is_a_name_in_dns_that_means_nothing_within(host: str) -> None:
    app, payments, _ = estate()
    payments.calls(app.external(host), "GET /x")
    assert problems(app)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_its_port_is_one(port: int) -> None:
    app, _, _ = estate()
    app.external("api.psp.example", port)
    assert problems(app) == [f"{port} is not a port; use 1 to 65535"]


def test_what_is_said_twice_or_of_the_estates_own_hosts_is_a_problem_with_both_lines() -> None:
    app, payments, _ = estate()
    app.external("api.psp.example")
    app.external("api.psp.example", port=8443)  # another port is another host
    app.external("api.psp.example")
    host = app.host("api.estate.example")
    payments.serves("GET /x", at=host, public="a test")
    app.external("api.estate.example")
    found = problems(app)
    assert [one.partition(" (see")[0] for one in found] == [
        "'api.psp.example:443' was declared before",
        "'api.estate.example' is a host of this estate",
    ]
    assert all("test_egress.py:" in one for one in found)


def test_one_caller_uses_a_host_in_one_way_and_hands_it_no_users_token() -> None:
    app, payments, reports = estate()
    psp = app.external("api.psp.example")
    payments.calls(psp, "GET /x")
    payments.connects(psp)
    reports.calls(psp, "GET /x", token="forward")
    app.namespace("egress")
    found = " ".join(problems(app))
    assert "'bank/payments' calls 'api.psp.example' and connects to it" in found
    assert "'bank/reports' would hand users' tokens to 'api.psp.example'" in found
    assert "namespace 'egress' belongs to the egress gateway" in found


def test_grpc_with_a_host_outside_is_the_applications_own_connection() -> None:
    """Requests leave as HTTP/1.1: a client of gRPC would find nobody who understands it."""
    app, payments, reports = estate()
    host = app.external("pubsub.queue.example")
    reports.calls(host, "POST /v1/Publish", "POST /twirp/queue.Topics/Publish")
    payments.connects(host)
    assert app.graph(), "the control"
    reports.calls(host, "queue.v1.Topics/Publish")
    (found,) = problems(app)
    assert "'POST /queue.v1.Topics/Publish' at 'pubsub.queue.example' is gRPC" in found
    assert "say connects(...)" in found


def test_an_address_of_a_host_outside_is_never_a_setting() -> None:
    app = empty_app()
    env = {"PSP": "https://api.psp.example/v1"}
    app.namespace("bank").service("payments", image="registry.example/s" + DIGEST, port=8080, env=env)
    app.external("api.psp.example")
    (found,) = problems(app)
    assert "names 'api.psp.example'" in found


def test_a_graph_without_hosts_outside_is_written_as_before_and_one_with_them_comes_back() -> None:
    app, payments, reports = estate()
    assert "externals" not in app.graph().to_json()
    psp = app.external("api.psp.example", port=8443)
    payments.calls(psp, "POST /v1/charges", timeout=60)
    reports.connects(psp)
    graph = app.graph()
    assert Graph.from_json(graph.to_json()) == graph
    assert graph.externals == (External("api.psp.example", 8443),)
    undeclared = json.loads(graph.to_json())
    del undeclared["externals"]
    with pytest.raises(IntentError, match="nobody declared"):
        Graph.from_json(json.dumps(undeclared))


def test_a_host_that_nobody_uses_makes_nothing() -> None:
    app, _, _ = estate()
    before = render(app.graph())
    app.external("api.psp.example")
    assert render(app.graph()) == before


def test_the_application_finds_the_host_where_it_was_told() -> None:
    app, payments, reports = estate()
    psp = app.external("api.psp.example")
    payments.calls(psp, "POST /v1/charges", env={"PSP_URL": "{url}/v1"})
    reports.connects(psp)
    made = {m["metadata"]["name"]: m["spec"]["template"]["spec"] for m in render(app.graph()) if _is_workload(m)}
    calling, connecting = ({e["name"]: e["value"] for e in made[n]["containers"][0]["env"]} for n in NAMES)
    assert calling["PSP_URL"] == "http://127.0.0.1:15101/v1"
    assert connecting["API_PSP_EXAMPLE_ADDR"] == "api.psp.example:443"
    assert made["reports"]["hostAliases"] == [{"ip": "127.0.1.1", "hostnames": ["api.psp.example"]}]
    assert made["reports"]["securityContext"]["sysctls"][0]["name"] == "net.ipv4.ip_unprivileged_port_start"


NAMES = ("payments", "reports")


def _is_workload(item: Manifest) -> bool:
    return bool(item["kind"] == "Deployment")


# --- addresses: two layers with one list --------------------------------------------------------------------------


def matches(permission: Json, address: str, port: int) -> bool:
    """An independent reading of Envoy's permissions, as far as the rule about addresses uses them."""
    match permission:
        case {"and_rules": {"rules": rules}}:
            return all(matches(rule, address, port) for rule in rules)
        case {"or_rules": {"rules": rules}}:
            return any(matches(rule, address, port) for rule in rules)
        case {"not_rule": rule}:
            return not matches(rule, address, port)
        case {"matcher": {"typed_config": {"upstream_port_range": {"start": start, "end": end}}}}:
            return bool(start <= port < end)
        case {"matcher": {"typed_config": {"upstream_ip": {"address_prefix": prefix, "prefix_len": length}}}}:
            return bool(ipaddress.ip_address(address) in ipaddress.ip_network(f"{prefix}/{int(length)}"))
    raise AssertionError(permission)


ADDRESSES = st.one_of(st.ip_addresses().map(str), st.sampled_from(d.NOT_PUBLIC).flatmap(lambda cidr: _in(cidr)))


def _in(cidr: str) -> st.SearchStrategy[str]:
    return st.ip_addresses(network=cidr).map(str)


def out_by_policy(policy: Manifest, address: str, port: int) -> bool:
    gateway, there = Pod.named("egress", **{d.NAME: "gateway"}), replace(Pod.named("", x="y"), address=address)
    return allowed([policy], gateway, there, port)


@given(ADDRESSES, st.sampled_from([443, 80]))
def test_the_proxy_and_the_network_let_out_to_the_same_addresses(address: str, port: int) -> None:
    (policy,) = (m for m in render(used(), THERE) if m["kind"] == "NetworkPolicy" and _at(m, GATEWAY))
    mapped = ipaddress.ip_address(address) in ipaddress.ip_network(d.MAPPED)
    assert matches(permitted(addresses(THERE), 443), address, port) == (
        out_by_policy(policy, address, port) and not mapped
    )


@given(ADDRESSES)
def test_nothing_that_python_knows_to_be_no_address_of_the_internet_is_let_out(address: str) -> None:
    known = ipaddress.ip_address(address)
    if not known.is_global or known.is_multicast:
        assert not matches(permitted(addresses(Cluster()), 443), address, 443)


@pytest.mark.parametrize(
    ("address", "out"),
    [
        ("93.184.216.34", True),
        ("2606:2800:21f:cb07::1", True),
        ("172.18.0.50", True),  # the one that is let out
        *(("172.18.0.51", False), ("203.0.114.9", False), ("198.50.100.7", False), ("198.50.100.8", True)),
        *((one, False) for one in ("169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254", "::1")),
        *((one, False) for one in ("::ffff:93.184.216.34", "64:ff9b::a00:1", "0.0.0.0", "224.0.0.1")),
    ],
)
def test_which_addresses_are_outside(address: str, out: bool) -> None:
    assert matches(permitted(addresses(THERE), 443), address, 443) == out


@pytest.mark.parametrize(
    "bad",
    [
        {"allowed": ("10.0.0.0/8",)},
        {"allowed": ("169.254.169.254/32",)},
        {"allowed": ("127.0.0.1/32",)},
        {"allowed": ("0.0.0.0/0",)},
        {"allowed": ("fd00:ec2::254/128",)},
        {"allowed": "10.1.2.3/32"},
        {"closed": ("0.0.0.0/0",)},
        {"closed": ("everything",)},
        {"authorities": (("api.psp.example", "no certificate"),)},
        {"authorities": "x"},
        {"replicas": 0},
    ],
)
def test_no_setting_opens_more_than_a_provider(bad: Json) -> None:
    with pytest.raises(IntentError):
        Cluster(egress=Egress(**bad))


def test_a_cluster_with_a_way_out_comes_back_from_json() -> None:
    there = replace(THERE, egress=replace(THERE.egress, authorities=(("a.example", "-----BEGIN CERTIFICATE-----\n"),)))
    assert Cluster.from_json(there.to_json()) == there


# --- the gateway on any graph -------------------------------------------------------------------------------------


def used() -> Graph:
    app, payments, reports = estate()
    psp = app.external("api.psp.example")
    payments.calls(psp, "POST /v1/charges")
    reports.connects(psp)
    return app.graph()


def _at(item: Manifest, where: tuple[str, str]) -> bool:
    return (item["metadata"].get("namespace"), item["metadata"]["name"]) == where


def chains(graph: Graph) -> dict[str, Json]:
    (outer, *_) = json.loads(bootstrap.config(graph, Cluster())["envoy.json"])["static_resources"]["listeners"]
    return {chain["filter_chain_match"]["server_names"][0]: chain for chain in outer["filter_chains"]}


def admitted(chain: Json) -> set[str]:
    context = chain["transport_socket"]["typed_config"]
    assert context["require_client_certificate"]
    names = context["common_tls_context"]["combined_validation_context"]["default_validation_context"]
    return {name["matcher"]["exact"] for name in names["match_typed_subject_alt_names"]}


@given(apps())
def test_each_way_out_has_a_chain_for_exactly_its_callers(app: App) -> None:
    graph = app.graph()
    wanted: dict[str, set[str]] = {}
    for call in graph.calls:
        if not call.callee.namespace:
            outside, way = External.of(call.callee), "connects" if call.connects else "calls"
            name = f"{way}.{outside.port}.{outside.host}"
            wanted.setdefault(name, set()).add(graph.spiffe_id(call.caller))
    if wanted:
        assert {name: admitted(chain) for name, chain in chains(graph).items()} == wanted
    assert bool(wanted) == any(m["metadata"].get("namespace") == "egress" for m in render(graph))


@given(apps())
def test_nobody_but_the_gateway_gets_out_and_it_at_declared_ports_alone(app: App) -> None:
    graph = app.graph()
    manifests = render(graph, THERE)
    ports = {External.of(call.callee).port for call in graph.calls if not call.callee.namespace}
    for who, pod in pods(manifests).items():
        for address in ("93.184.216.34", "172.18.0.50"):
            there = replace(Pod.named("", app="anything"), address=address)
            for port in (443, 8443, 465, 80, 53):
                out = allowed(manifests, pod, there, port)
                if who == GATEWAY:
                    assert out == (port in ports)
                elif who != ("edge", "edge"):  # to issuers
                    assert not out
        for address in ("169.254.169.254", "10.244.0.9", "172.18.0.2", "198.50.100.7", "127.0.0.1"):
            there = replace(Pod.named("", app="anything"), address=address)
            if who == GATEWAY:
                assert not any(allowed(manifests, pod, there, port) for port in (443, 8443, 465, 80, 6443, 10250))


@given(apps())
def test_a_sidecar_asks_the_gateway_by_name_and_demands_its_identity(app: App) -> None:
    graph = app.graph()
    for service in graph.services:
        outside = {str(c.target): c for c in graph.calls_from.get(service.ref, ()) if not c.callee.namespace}
        made = json.loads(config(graph, Cluster(), service)["envoy.json"])["static_resources"]["clusters"]
        for cluster in (one for one in made if one["name"] in outside):
            context = cluster["transport_socket"]["typed_config"]
            call = outside[cluster["name"]]
            assert context["sni"].startswith("connects." if call.connects else "calls.")
            names = context["common_tls_context"]["combined_validation_context"]["default_validation_context"]
            assert names["match_typed_subject_alt_names"][0]["matcher"] == {"exact": graph.spiffe_id(d.EGRESS)}
            address = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
            assert address["socket_address"]["address"] == "gateway.egress.svc.cluster.local"


def test_the_certificate_of_the_host_is_demanded_by_its_name_of_the_system_or_of_its_own_authority() -> None:
    ca = "-----BEGIN CERTIFICATE-----\n"
    for there, trust in (
        (Cluster(), {"filename": d.SYSTEM_TRUST}),
        (Cluster(egress=Egress(authorities=(("api.psp.example", ca),))), {"inline_string": ca}),
    ):
        made = json.loads(bootstrap.config(used(), there)["envoy.json"])["static_resources"]["clusters"]
        context = made[0]["transport_socket"]["typed_config"]
        assert context["sni"] == "api.psp.example"
        validation = context["common_tls_context"]["validation_context"]
        assert validation["trusted_ca"] == trust
        (name,) = validation["match_typed_subject_alt_names"]
        assert name == {"san_type": "DNS", "matcher": {"exact": "api.psp.example"}}
        assert context["common_tls_context"]["tls_params"]["tls_minimum_protocol_version"] == "TLSv1_2"


def test_removing_the_last_way_out_removes_the_gateway() -> None:
    app, payments, _ = estate()
    before = render(app.graph())
    payments.calls(app.external("api.psp.example"), "GET /x")
    assert {m["metadata"]["namespace"] for m in render(app.graph()) if m["kind"] != "Namespace"} == {"bank", "egress"}
    assert Ref(*GATEWAY) == d.EGRESS
    assert not any(m["metadata"].get("namespace") == "egress" for m in before)


# --- settings, and who may change it ------------------------------------------------------------------------------


def test_a_stack_says_what_is_let_out_and_who_vouches(tmp_path: Path) -> None:
    ca = tmp_path / "psp.pem"
    ca.write_text("-----BEGIN CERTIFICATE-----\n")
    said = {
        "egressAllowed": '["172.18.0.50/32"]',
        "egressClosed": '["203.0.114.0/24"]',
        "egressAuthorities": json.dumps({"api.psp.example": str(ca)}),
        "egressReplicas": "3",
        "installCertManager": "false",
        "installTrustManager": "false",
        "issuer": "corporate",
    }
    found = parse(said, {}).cluster.egress
    authorities = (("api.psp.example", ca.read_text()),)
    assert found == Egress(allowed=("172.18.0.50/32",), closed=("203.0.114.0/24",), authorities=authorities, replicas=3)
    for key, bad in (
        ("egressAllowed", '["10.0.0.0/8"]'),
        ("egressAllowed", '["127.0.0.1/32"]'),
        ("egressAllowed", "172.18.0.50/32"),
        ("egressClosed", '["::/0"]'),
        ("egressAuthorities", '{"api.psp.example": "/nowhere.pem"}'),
        ("egressAuthorities", "psp.pem"),
        ("egressReplicas", "0"),
    ):
        with pytest.raises(SettingsError, match=key):
            parse(said | {key: bad}, {})


def test_the_estates_guard_keeps_the_gateway_too() -> None:
    policy, _ = guard.estate(used())
    text = json.dumps(policy)
    assert '"egress"' in text and "gateway-proxy" in text
    assert '"egress"' not in json.dumps(guard.estate(shop_app().graph()))


def test_one_more_way_out_changes_its_caller_and_the_gateway_alone() -> None:
    app, payments, reports = estate()
    psp = app.external("api.psp.example")
    payments.calls(psp, "POST /v1/charges")
    before = {identity(m): m for m in render(app.graph())}
    reports.calls(psp, "GET /v1/charges/{id}")
    after = {identity(m): m for m in render(app.graph())}
    assert before.keys() == after.keys()
    changed = {(kind, name) for (api, kind, ns, name), m in after.items() if m != before[api, kind, ns, name]}
    both = ("reports", "gateway")
    assert changed == {("NetworkPolicy", n) for n in both} | {("Deployment", n) for n in both} | {
        ("ConfigMap", f"{n}-proxy") for n in both
    }
