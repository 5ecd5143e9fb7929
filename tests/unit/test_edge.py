"""Laws of what is derived for the edge, on an estate with every kind of route."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from garrison import App, IntentError, Rate, render
from garrison import defaults as d
from garrison.cluster import Cluster, Entrance
from garrison.declare.issuers import Issuer
from garrison.derive import contract_filter
from garrison.derive import login as logins
from garrison.derive.edge import files, names
from garrison.derive.edge.login import oauth2, responses, token_rules
from garrison.derive.names import label_of
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.model.names import EDGE_CONFIG_MAPS
from garrison.words import Ref
from garrison_policies.language.evaluate import evaluate
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.places.estate import compare
from garrison_policies.rules import catalogue
from unit.authority import Authority
from unit.edges import API, LOGIN, WWW, edge_app, opaque_app
from unit.estates import DIGEST, IMAGES, shop_app

NODE = Cluster(entrance=Entrance(port=8443, service="NodePort", node_port=30443))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return edge_app().graph()


def of(graph: Graph, kind: str, name: str, cluster: Cluster | None = None) -> Manifest:
    there = (item for item in render(graph, cluster) if item["kind"] == kind)
    return next(i for i in there if (i["metadata"].get("namespace", "edge"), i["metadata"]["name"]) == ("edge", name))


def routes(graph: Graph, host: str, cluster: Cluster = NODE) -> list[dict[str, Any]]:
    file = json.loads(files.dynamic(graph, cluster)[names.routes_file(host)])
    found: list[dict[str, Any]] = file["resources"][0]["virtual_hosts"][0]["routes"]
    return found


def bootstrap(graph: Graph, cluster: Cluster = NODE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(of(graph, "ConfigMap", "edge-proxy", cluster)["data"]["envoy.json"])
    return found


def test_without_hosts_nothing_is_derived_of_it() -> None:
    assert [item for item in render(shop_app().graph()) if item["metadata"].get("namespace") == "edge"] == []


def found_by_the_rules(graph: Graph) -> list[object]:
    found: list[object] = []
    private = replace(NODE, entrance=replace(NODE.entrance, issuer_ranges=("10.1.2.0/24",)))
    for cluster in (Cluster(), NODE, private):
        inventory = Inventory(tuple(Object(item, "rendered") for item in render(graph, cluster)))
        found += [*evaluate(catalogue(cluster.issuer), inventory), *compare(graph, inventory, cluster=cluster)]
    return found


def test_the_rules_find_nothing_in_it(graph: Graph) -> None:
    assert found_by_the_rules(graph) == []


def test_one_service_opens_a_way_in_and_leads_to_the_port_of_clients(graph: Graph) -> None:
    outside = [i for i in render(graph) if i["kind"] == "Service" and i["spec"].get("type", "ClusterIP") != "ClusterIP"]
    (service,) = outside
    assert (service["metadata"]["namespace"], service["metadata"]["name"]) == ("edge", "public")
    assert service["spec"]["externalTrafficPolicy"] == "Local"
    assert [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [(443, d.EDGE_PORT)]
    assert of(graph, "Service", "public", NODE)["spec"]["ports"][0]["nodePort"] == 30443
    hard = [of(graph, "ResourceQuota", "quota", cluster)["spec"]["hard"] for cluster in (Cluster(), NODE)]
    assert [one["services.nodeports"] for one in hard] == ["1", "1"]
    assert [one["services.loadbalancers"] for one in hard] == ["1", "0"]


def test_its_network_is_what_it_serves_and_who_asks_it_for_keys(graph: Graph) -> None:
    spec = of(graph, "NetworkPolicy", "edge")["spec"]
    anybody, *sidecars = spec["ingress"]
    assert anybody == {"ports": [{"port": d.EDGE_PORT, "protocol": "TCP"}]}
    assert sorted(map(_peer, sidecars)) == ["bank/payments:8443", "shop/orders:8443"]
    _, *served = spec["egress"]
    assert sorted(map(_peer, served)) == ["shop/catalog:8443", "shop/orders:8443", "users/users:8200"]
    assert of(graph, "NetworkPolicy", "default-deny")["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_no_policy_opens_the_port_where_a_pod_is_told_to_leave(graph: Graph) -> None:
    """The kubelet reaches it from the pod's own node, past every policy; whoever else does could drain the edge."""
    (proxy,) = of(graph, "Deployment", "edge")["spec"]["template"]["spec"]["containers"]
    leave = proxy["lifecycle"]["preStop"]["httpGet"]
    assert (leave["path"], leave["port"]) == ("/leave", contract_filter.HEALTH_PORT)
    policies = [i for i in render(graph) if i["kind"] == "NetworkPolicy" and i["metadata"]["namespace"] == "edge"]
    assert any(one["spec"]["podSelector"] == {} and not one["spec"].get("ingress") for one in policies)
    rules = [rule for one in policies for rule in one["spec"].get("ingress", ())]
    assert all(rule.get("ports") for rule in rules)  # without ports a rule opens all of them
    ports = {port["port"] for rule in rules for port in rule["ports"]}
    assert ports == {d.EDGE_PORT, d.MTLS_PORT}
    assert not any("endPort" in port for rule in rules for port in rule["ports"])
    services = [i for i in render(graph) if i["kind"] == "Service" and i["metadata"]["namespace"] == "edge"]
    assert {port["targetPort"] for one in services for port in one["spec"]["ports"]} == {d.EDGE_PORT, d.MTLS_PORT}


def test_the_state_of_the_files_has_a_name_that_follows_them(graph: Graph) -> None:
    first, again = (files.dynamic(one, NODE)[names.STATE] for one in (graph, edge_app().graph()))
    assert first == again != files.dynamic(edge_app(wider=True).graph(), NODE)[names.STATE]


def _peer(rule: dict[str, Any]) -> str:
    (peer,) = rule.get("from") or rule["to"]
    space, name = (peer[key]["matchLabels"] for key in ("namespaceSelector", "podSelector"))
    return f"{space[d.NAMESPACE_LABEL]}/{name[d.NAME]}:{rule['ports'][0]['port']}"


def test_each_host_has_a_chain_a_certificate_and_filters_of_its_own(graph: Graph) -> None:
    public = bootstrap(graph)["static_resources"]["listeners"][0]
    chains = {chain["name"]: chain for chain in public["filter_chains"]}
    assert sorted(chains) == [API, LOGIN, WWW]
    for host, chain in chains.items():
        assert chain["filter_chain_match"] == {"server_names": [host]}
        tls = chain["transport_socket"]["typed_config"]["common_tls_context"]
        assert tls["tls_params"]["tls_minimum_protocol_version"] == "TLSv1_3"
        assert [one["name"] for one in tls["tls_certificate_sds_secret_configs"]] == [host]
        certificate = of(graph, "Certificate", f"{label_of(host)}-host")["spec"]
        assert (certificate["dnsNames"], certificate["issuerRef"]["name"]) == ([host], "garrison")
        assert "uris" not in certificate
    other = Cluster(entrance=Entrance(issuer="public-ca"))
    assert of(graph, "Certificate", "api-estate-example-host", other)["spec"]["issuerRef"]["name"] == "public-ca"
    assert of(graph, "Certificate", "edge", other)["spec"]["issuerRef"]["name"] == "garrison"


def test_filters_stand_in_order_and_tokens_before_rules_before_services(graph: Graph) -> None:
    public = bootstrap(graph)["static_resources"]["listeners"][0]
    managers = {c["name"]: c["filters"][0]["typed_config"] for c in public["filter_chains"]}
    order = {host: [one["name"] for one in manager["http_filters"]] for host, manager in managers.items()}
    rbac, contract, router = (f"envoy.filters.http.{name}" for name in ("rbac", "ext_authz", "router"))
    head, tail = ["answer", "size", "limit.address"], [rbac, "limit.route", contract, "cookies", "bearer", router]
    assert order[API] == [*head, f"jwt.{API}", *tail]
    assert order[WWW] == [*head, "origin", f"oauth2.{WWW}", f"jwt.{WWW}", *tail]
    assert order[LOGIN] == [*head, rbac, "limit.route", "alike", "cookies", "bearer", router]


def test_every_route_says_whom_it_lets_in_and_what_is_left_over_is_not_there(graph: Graph) -> None:
    for host in (API, WWW, LOGIN):
        found = routes(graph, host)
        assert all("envoy.filters.http.rbac" in one["typed_per_filter_config"] for one in found)
        assert (found[-1]["match"], found[-1]["direct_response"]) == ({"prefix": "/"}, {"status": 404})
    served = {one["name"]: one for one in routes(graph, API) if "route" in one}
    for name, one in served.items():
        assert one["route"]["cluster"] == name.partition(":")[0]
        public = "GET /items" in name or "search" in name
        rules = one["typed_per_filter_config"]["envoy.filters.http.rbac"]["rbac"]["rules"]["policies"]
        ((_, policy),) = rules.items()
        assert (policy["principals"] == [{"any": True}]) == public
        assert ("bearer" in one["typed_per_filter_config"]) != public


def test_only_what_may_be_done_twice_is_tried_again_once_it_was_sent(graph: Graph) -> None:
    retries = {one["name"]: one["route"]["retry_policy"]["retry_on"] for one in routes(graph, API) if "route" in one}
    assert {name for name, on in retries.items() if on.endswith(",reset")} == {
        name for name in retries if ": POST " not in name
    }


def test_a_changed_route_changes_the_routes_of_its_hosts_and_rolls_nothing(graph: Graph) -> None:
    app = edge_app(wider=True)
    before, after = files.dynamic(graph, NODE), files.dynamic(app.graph(), NODE)
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed == {"cds.json", names.routes_file(API), names.STATE}  # one more service is served
    pods = [of(one, "Deployment", "edge")["spec"]["template"] for one in (graph, app.graph())]
    assert pods[0] == pods[1]
    more = edge_app()
    more.host("new.estate.example")
    assert of(more.graph(), "Deployment", "edge")["spec"]["template"] != pods[0]


def test_clusters_are_called_after_callees_and_know_them_by_identity(graph: Graph) -> None:
    clusters = {one["name"]: one for one in json.loads(files.dynamic(graph, NODE)["cds.json"])["resources"]}
    assert sorted(clusters) == ["shop/catalog", "shop/orders", "users"]
    tls = clusters["shop/orders"]["transport_socket"]["typed_config"]["common_tls_context"]
    (name,) = tls["combined_validation_context"]["default_validation_context"]["match_typed_subject_alt_names"]
    assert name["matcher"] == {"exact": graph.spiffe_id(Ref("shop", "orders"))}
    for one in clusters.values():
        assert one["circuit_breakers"]["thresholds"][0]["max_requests"] > 0


def test_limits_of_users_and_addresses_have_room_for_those_that_were_promised(graph: Graph) -> None:
    limits = [
        one["typed_per_filter_config"]["limit.route"]
        for host in (API, WWW, LOGIN)
        for one in routes(graph, host)
        if "limit.route" in one["typed_per_filter_config"]
    ]
    assert len(limits) == 7, "five of routes; guesses at the login host: of passwords, and at a change of one"
    for limit in limits:
        assert limit["max_dynamic_descriptors"] == d.PROMISED
        assert limit["filter_enabled"] == limit["filter_enforced"]
        assert limit["filter_enforced"]["default_value"]["numerator"] == 100
        assert len(limit["rate_limits"]) == len(limit["descriptors"])


def test_several_limits_of_a_route_are_counted_apart() -> None:
    app = edge_app()
    rates = [Rate.per_second(5, per="user"), Rate.per_hour(100, per="user"), Rate.per_minute(50, per="all")]
    service = app.namespace("more").service("s", image=IMAGES["prober"], port=8080)
    service.serves("GET /s", at=API, to=Issuer("users").anyone(), rate=rates)
    found = next(one for one in routes(app.graph(), API) if one["name"] == "more/s: GET /s")
    limit = found["typed_per_filter_config"]["limit.route"]
    keys = [[entry.get("value", entry["key"]) for entry in one["entries"]] for one in limit["descriptors"]]
    assert keys == [["user/1", "iss", "sub"], ["all/60"], ["user/3600", "iss", "sub"]]


def test_a_session_is_an_encrypted_token_that_no_script_and_no_other_site_gets(graph: Graph) -> None:
    config = oauth2(graph, NODE, WWW, "the client")["config"]
    assert config["credentials"]["client_id"] == "the client"
    assert config["redirect_uri"] == f"https://{WWW}:8443{d.LOGIN_CALLBACK}"
    assert config["allowed_redirect_domains"] == [WWW]
    assert config["use_refresh_token"] is False
    assert {cookie["same_site"] for cookie in config["cookie_configs"].values()} == {"LAX"}
    assert config["end_session_endpoint"] == f"https://{LOGIN}:8443/ui/vault/logout"
    layer = bootstrap(graph)["layered_runtime"]["layers"][0]["static_layer"]
    assert layer["envoy.reloadable_features.oauth2_use_gcm_encryption"] is True
    assert layer["envoy.reloadable_features.oauth2_legacy_cbc_decrypt_compat"] is False
    with pytest.raises(KeyError):
        oauth2(graph, NODE, API, "x")


def test_a_token_of_a_session_is_for_its_client_alone(graph: Graph) -> None:
    said = responses(graph, NODE)(WWW, "the client")
    rules = said["jwt"]["resources"][0]["typed_config"]
    (provider,) = rules["providers"].values()
    assert (provider["audiences"], provider["clock_skew_seconds"], provider["require_expiration"]) == (
        ["the client"],
        5,
        True,
    )
    bare = token_rules(graph, NODE, API)
    assert [one["audiences"] for one in bare["providers"].values()] == [["estate"]]


def test_the_agents_have_what_the_bootstrap_watches(graph: Graph) -> None:
    text = of(graph, "ConfigMap", "edge-proxy", NODE)["data"]["envoy.json"]
    for file in files.dynamic(graph, NODE):
        assert file.endswith(".sha256") or f'"{d.RUN_DIR}/{file}"' in text
    for kind in ("oauth2", "jwt"):
        assert f'"{logins.file(kind, WWW)}"' in text


def test_what_is_configured_is_known_by_name_to_the_guard(graph: Graph) -> None:
    limited = {"ratelimit": f"registry.example/ratelimit{DIGEST}", "redis": f"registry.example/redis{DIGEST}"}
    counted = replace(graph, images=tuple(sorted({**dict(graph.images), **limited}.items())))
    everything = render(counted, Cluster(entrance=Entrance(limits="global")))
    maps = [item["metadata"] for item in everything if item["kind"] == "ConfigMap"]
    assert {one["name"] for one in maps if one["namespace"] == "edge"} == {*EDGE_CONFIG_MAPS}


def test_an_issuer_of_the_internet_is_asked_by_name_and_reached_nowhere_else() -> None:
    app = App("estate", trust_domain="estate.example", images=IMAGES)
    service = app.namespace("shop").service("orders", image=IMAGES["prober"], port=8080)
    known = app.issuer("https://id.example/realm", audience="estate", jwks="https://id.example:8444/realm/keys")
    service.serves("GET /orders", at=app.host(API), to=known.anyone())
    graph = app.graph()
    clusters = {one["name"]: one for one in json.loads(files.dynamic(graph, NODE)["cds.json"])["resources"]}
    tls = clusters["id.example:8444"]["transport_socket"]["typed_config"]["common_tls_context"]
    context = tls["validation_context"]
    assert context["trusted_ca"] == {"filename": d.SYSTEM_TRUST}
    assert context["match_typed_subject_alt_names"] == [{"san_type": "DNS", "matcher": {"exact": "id.example"}}]
    internet = of(graph, "NetworkPolicy", "edge")["spec"]["egress"][-1]
    assert internet["ports"] == [{"port": 8444, "protocol": "TCP"}]
    assert all({*d.API_SERVER_RANGES} & {*one["ipBlock"]["except"]} for one in internet["to"])


def ways_out(graph: Graph, *ranges: str) -> dict[int, list[str]]:
    """Where the edge is let out to, by port, as address ranges."""
    there = replace(NODE, entrance=replace(NODE.entrance, issuer_ranges=ranges))
    policy = next(m for m in render(graph, there) if (m["kind"], m["metadata"]["name"]) == ("NetworkPolicy", "edge"))
    rules = [rule for rule in policy["spec"]["egress"] if "ipBlock" in rule["to"][0]]
    return {rule["ports"][0]["port"]: [one["ipBlock"]["cidr"] for one in rule["to"]] for rule in rules}


def test_an_issuer_of_a_private_network_is_reached_in_its_ranges(tmp_path: Path) -> None:
    ca = Authority.fresh().issue(tmp_path, dns="id.example") / "ca.pem"
    app = App("estate", trust_domain="estate.example", images=IMAGES)
    service = app.namespace("shop").service("orders", image=IMAGES["prober"], port=8080)
    own = app.issuer("https://id.example", audience="estate", jwks="https://id.example/keys", ca=ca)
    api = app.host(API)
    service.serves("GET /orders", at=api, to=own.anyone())
    clusters = {one["name"]: one for one in json.loads(files.dynamic(app.graph(), NODE)["cds.json"])["resources"]}
    tls = clusters["id.example"]["transport_socket"]["typed_config"]["common_tls_context"]
    assert tls["validation_context"]["trusted_ca"] == {"inline_string": ca.read_text()}
    assert Graph.from_json(app.graph().to_json()) == app.graph()
    assert ways_out(app.graph()) == {443: ["0.0.0.0/0", "::/0"]}
    assert ways_out(app.graph(), "10.1.2.0/24") == {443: ["10.1.2.0/24"]}, "it has a CA of its own: nowhere else"
    other = app.issuer("https://public.example", name="public", audience="estate", jwks="https://public.example/k")
    service.serves("GET /other", at=api, to=other.anyone())
    assert ways_out(app.graph(), "10.1.2.0/24") == {443: ["10.1.2.0/24", "0.0.0.0/0", "::/0"]}


def test_who_asks_about_tokens_has_its_secret_of_the_store_and_a_way_there() -> None:
    graph = opaque_app().graph()
    assert ways_out(graph) == {9443: ["0.0.0.0/0", "::/0"]}
    assert found_by_the_rules(graph) == []
    rules = json.dumps(of(graph, "NetworkPolicy", "edge")["spec"]["egress"])
    assert '"kubernetes.io/metadata.name": "openbao"' in rules
    pod = of(graph, "Deployment", "edge")["spec"]["template"]
    assert pod["metadata"]["labels"][d.STORE_LABEL] == "true", "the store's own policy lets in whoever has it"
    by_name = {one["name"]: one for one in pod["spec"]["initContainers"]}
    assert {"login-store", "agent"} <= set(by_name)
    mounts = {one["name"] for one in by_name["agent"]["volumeMounts"]}
    assert {"login", "proxy"} <= mounts
    assert 'path "secret/data/people/introspection"' in logins.policy(graph, logins.STORE)
    said = json.loads(of(graph, "ConfigMap", "edge-proxy")["data"]["introspection.json"])["people"]
    assert (said["secret"], said["cache"]) == ("/run/login/introspection-people", 0)
    (config,) = logins.agent_config(graph, NODE, lambda *_: {}).values()
    assert '{{ with secret \\"secret/data/people/introspection\\" }}{{ .Data.data.value }}{{ end }}' in config
    assert d.STORE_LABEL not in of(edge_app().graph(), "Deployment", "edge")["spec"]["template"]["metadata"]["labels"]


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        (("payments.bank.svc",), "within a cluster"),
        (("x.svc.cluster.local",), "within a cluster"),
        (("a-b.example", "a.b.example"), "differ in '.' and '-' only"),
    ],
)
def test_a_host_has_a_name_of_the_world_outside_and_a_label_of_its_own(hosts: tuple[str, ...], said: str) -> None:
    app = edge_app()
    for host in hosts:
        app.host(host)
    with pytest.raises(IntentError, match=said):
        app.graph()


def test_where_sessions_begin_and_end_nothing_else_is_served() -> None:
    app = edge_app()
    service = app.namespace("more").service("s", image=IMAGES["prober"], port=8080)
    service.serves("GET /logout", at=WWW, public="a test")
    with pytest.raises(IntentError, match="begin or end"):
        app.graph()


def test_the_program_of_the_page_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "edge.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    said: dict[str, Any] = {}
    exec(program, said)
    graph = said["app"].graph()
    assert [host.name for host in graph.hosts] == [API, WWW]
    assert sorted(one["name"] for one in routes(graph, API) if "route" in one) == [
        "shop/catalog: GET /items",
        "shop/orders: GET /tenants/{tenant}/orders",
        "shop/orders: POST /orders",
    ]


def test_the_numbers_of_the_page_are_those_of_the_edge() -> None:
    page = " ".join((Path(__file__).parents[2] / "docs" / "edge.md").read_text().split())
    requests, _ = d.ADDRESS_RATE
    guesses, _ = d.PASSWORD_RATE
    for said in (
        f"{d.EDGE_HEADERS_KIB} KiB, {d.EDGE_HEADERS} headers",
        f"a body of at most {d.EDGE_BODY_BYTES // 2**20} MiB",
        f"an address has {requests} requests a second",
        f"embedded issuer, {guesses} a minute",
        f"counts {d.PROMISED:,} users",
        f"{d.CLOCK_SKEW_SECONDS} s of skew",
        f"again ({d.RETRIES} times)",
    ):
        assert said in page
