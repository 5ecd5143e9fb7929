"""A store of one's own: what may be said of it, what follows from it, and that nothing else does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import hvac
import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrison import App, IntentError, render
from garrison import defaults as d
from garrison.cluster import Cluster, Layout, Store
from garrison.deployment import derived
from garrison.deployment.platform.store_config import ADMIN_POLICY, required
from garrison.deployment.store_command import commands_of, set_up
from garrison.deployment.vault import StoreConnection, checking
from garrison.derive import login, secrets
from garrison.derive.secrets import store_objects
from garrison.manifest import compact
from garrison.prove.expect.data import STORE, strangers_paths
from garrison.prove.expect.expected import expected, namespaces
from garrison.prove.kubectl import Kubectl
from garrison.prove.look.finding import Finder, addresses_of
from garrison.prove.model import FREE, Kind, Party, ProveError
from garrison.settings import SettingsError, parse
from garrison.words import Ref
from garrison_policies.language.evaluate import evaluate
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.places.estate import compare
from garrison_policies.rules import catalogue
from unit.edges import edge_app, opaque_app
from unit.estates import DIGEST, empty_app, shop_app

CA = "-----BEGIN CERTIFICATE-----\nsomebody\n-----END CERTIFICATE-----\n"
OWN = Store(
    address="https://vault.corp.example:8201",
    ca=CA,
    ranges=("10.1.2.3/32", "10.1.2.4/32"),
    kv="kv-shop",
    database="pg-shop",
    auth="k8s/prod",
    prefix="eu/prod",
    tenant="team-a",
    audience="vault.corp.example",
    deployer="platform/deployer",
    database_client="/etc/vault/garrison",
)
NEAR = Store(address="https://vault.vault.svc:8200", labels=(("app", "vault"), ("tier", "active")), prefix="prod")


def reader() -> App:
    app = empty_app()
    app.namespace("shop").service("orders", image="registry.example/x" + DIGEST, port=8080).reads("psp/api-key")
    return app


def but(field: str, value: Any) -> Store:
    said: dict[str, Any] = {field: value}
    return replace(OWN, **said)


# --- what may be said ------------------------------------------------------------------------------------------------

TRICKS = (
    "../x",
    "a/../b",
    'a"b',
    "a+b",
    "a*",
    "+",
    "*",
    "{{a}}",
    "/a",
    "a/",
    "a//b",
    "a b",
    "a\n",
    "a.b",
    "é",
    "-a",
    "a#",
)


@pytest.mark.parametrize("field", ["kv", "database", "auth", "tenant", "prefix"])
@pytest.mark.parametrize("trick", TRICKS)
def test_words_that_mean_more_than_themselves_are_refused(field: str, trick: str) -> None:
    with pytest.raises(IntentError) as refused:
        Cluster(store=but(field, trick))
    assert f"store.{field}: {trick!r} is not a path of a secret store" in str(refused.value)
    Cluster(store=but(field, "a-1/b"))  # the control


@pytest.mark.parametrize("name", ["storeKv", "storeDatabase", "storeAuth", "storeNamespace", "storePrefix"])
@pytest.mark.parametrize("trick", [one for one in TRICKS if one != "a/"])
def test_nor_as_settings(name: str, trick: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse({"installOpenbao": "false", name: trick}, {})
    assert [problem for problem in refused.value.problems if getattr(problem, "where", "") == name]


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"address": "http://vault.corp.example:8200"}, "is no address"),
        ({"address": "https://vault.corp.example"}, "is no address"),
        ({"address": "https://vault.corp.example:0"}, "is no address"),
        ({"address": "https://vault.corp.example:99999"}, "is no address"),
        ({"address": "https://vault.corp.example:8200/v1"}, "is no address"),
        ({"address": "https://me@vault.corp.example:8200"}, "is no address"),
        ({"address": 'https://vault.corp.example:8200"'}, "is no address"),
        ({"address": 7}, "is no address"),
        ({"address": "https://10.1.2.9:8200"}, "10.1.2.9 is in none of them"),
        ({"address": "https://vault.vault.svc:8200"}, "is in this cluster, where pods have labels"),
        ({"ranges": ()}, "the addresses of vault.corp.example are not known"),
        ({"ranges": ("10.0.0.0/8",)}, "far more than a provider has"),
        ({"ranges": ("0.0.0.0/0",)}, "far more than a provider has"),
        ({"ranges": ("169.254.169.254/32",)}, "where clouds keep credentials"),
        ({"ranges": "10.1.2.3/32"}, "is not a list of address ranges"),
        ({"ranges": (7,)}, "is not an address range"),
        ({"prefix": "", "tenant": ""}, "could be anybody's"),
        ({"kv": "sys"}, "'sys' is the store's own"),
        ({"database": "auth/x"}, "'auth/x' is the store's own"),
        ({"kv": "pg-shop"}, "is the mount of the KV engine"),
        ({"auth": "token"}, "names what every store has itself"),
        ({"ca": "x"}, "is no certificate"),
        ({"ca": CA + "-----BEGIN PRIVATE KEY-----"}, "has a private key"),
        ({"deployer": "deployer"}, "is no service account"),
        ({"deployer": "a/b/c"}, "is no service account"),
        ({"audience": 'x"'}, "is no audience"),
        ({"database_client": "/etc/../x"}, "is no folder"),
        ({"database_client": "/etc/x?y"}, "is no folder"),
        ({"database_ca": "x"}, "store.database_ca: is no certificate"),
        ({"database_ca": CA + "-----BEGIN PRIVATE KEY-----"}, "store.database_ca: has a private key"),
        ({"database_ca": CA, "database_client": ""}, "nothing says that the store enters databases"),
        ({"labels": ()}, "do not select pods"),
    ],
)
def test_what_does_not_hold_together_is_refused(said: dict[str, Any], says: str) -> None:
    with pytest.raises(IntentError) as refused:
        Cluster(store=replace(OWN, **said))
    assert says in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*Store.__dataclass_fields__]), JSON, max_size=4))
def test_anything_in_json_is_a_store_or_one_clear_refusal(said: dict[str, Any]) -> None:
    text = json.dumps({"schema": "garrison.dev/cluster/v1", "store": said})
    try:
        assert Cluster.from_json(text).store
    except IntentError as refused:
        assert refused.problems


SIX = replace(OWN, address="https://[fd00:1::7]:8200", ranges=("fd00:1::7/128",))


APART = replace(OWN, database_ca=CA.replace("somebody", "the store's own"))


@pytest.mark.parametrize("store", [Store(), OWN, NEAR, SIX, APART])
def test_there_and_back(store: Store) -> None:
    cluster = Cluster(store=store)
    assert Cluster.from_json(cluster.to_json()) == cluster


def test_settings_say_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(CA)
    said = {"installOpenbao": "false", "installCertManager": "false", "installTrustManager": "false", "issuer": "x"}
    said |= {"storeAddress": OWN.address, "storeCa": str(tmp_path / "ca.pem"), "storeRanges": json.dumps(OWN.ranges)}
    said |= {"storeKv": OWN.kv, "storeDatabase": OWN.database, "storeAuth": OWN.auth, "storePrefix": "eu/prod/"}
    said |= {"storeNamespace": OWN.tenant, "storeAudience": OWN.audience, "storeDeployer": OWN.deployer}
    said |= {"storeDatabaseClient": OWN.database_client}
    assert parse(said, {}).cluster.store == OWN
    (tmp_path / "own.pem").write_text(APART.database_ca)
    whole = said | {"storeDatabaseCa": str(tmp_path / "own.pem")}
    assert parse(whole, {}).cluster.store == APART
    del whole["storeDatabaseClient"]
    with pytest.raises(SettingsError, match="storeDatabaseCa: set, but nothing says that the store enters databases"):
        parse(whole, {})
    near = {"storeAddress": NEAR.address, "storeLabels": '{"tier": "active", "app": "vault"}', "storePrefix": "prod"}
    rest = {key: value for key, value in said.items() if not key.startswith("store")}
    assert parse(rest | near, {}).cluster.store == NEAR
    with pytest.raises(SettingsError, match="storeKv: set, but OpenBao is to be installed"):
        parse(said | {"installOpenbao": "true"}, {})
    with pytest.raises(SettingsError, match=r"storeRanges: the addresses of vault\.corp\.example are not known"):
        parse({key: value for key, value in said.items() if key != "storeRanges"}, {})


# --- what follows ----------------------------------------------------------------------------------------------------


def of(items: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    return next(item for item in items if item["kind"] == kind and item["metadata"]["name"] == name)


def test_no_word_of_the_platforms_store_is_left_in_what_is_derived() -> None:
    """With every word another, so that one that is written down somewhere would be seen."""
    graph = shop_app().graph()
    said = compact([*render(graph, Cluster(store=OWN)), *(o.body for o in store_objects(graph, OWN))])
    paths = " ".join(one.path for one in store_objects(graph, OWN))
    plain = compact([*render(graph), *(o.body for o in store_objects(graph))])
    words = ("secret/data", "auth/kubernetes", "database/creds", "openbao.openbao", '"audience":"openbao"')
    for word in words:
        assert word not in said + paths, word
        assert word in plain, f"the control: {word}"
    assert '"bank.payments"' not in said


def test_only_what_reaches_or_reads_the_store_changes() -> None:
    graph = shop_app().graph()
    pairs = zip(render(graph), render(graph, Cluster(store=OWN)), strict=True)
    changed = {(a["kind"], a["metadata"]["name"]) for a, b in pairs if a != b}
    assert changed == {
        ("NetworkPolicy", "payments"),
        ("NetworkPolicy", "ledger"),
        ("ConfigMap", "payments-secrets"),
        ("Deployment", "payments"),
    }


def test_the_way_there_is_its_few_addresses_at_its_port() -> None:
    items = render(reader().graph(), Cluster(store=OWN))
    egress = of(items, "NetworkPolicy", "orders")["spec"]["egress"]
    addresses = [{"ipBlock": {"cidr": "10.1.2.3/32"}}, {"ipBlock": {"cidr": "10.1.2.4/32"}}]
    assert egress[-1] == {"to": addresses, "ports": [{"port": 8201, "protocol": "TCP"}]}
    (there,) = of(render(reader().graph(), Cluster(store=NEAR)), "NetworkPolicy", "orders")["spec"]["egress"][-1]["to"]
    assert there == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "vault"}},
        "podSelector": {"matchLabels": {"app": "vault", "tier": "active"}},
    }


def test_the_agent_is_told_all_of_it() -> None:
    config = secrets.agent_config(reader().graph(), Ref("shop", "orders"), OWN)
    assert config["store-ca.pem"] == CA
    said = json.loads(config["agent.json"])
    assert said["vault"] == {
        "address": "https://vault.corp.example:8201",
        "ca_cert": "/etc/openbao-agent/store-ca.pem",
        "namespace": "team-a",
    }
    (method,) = said["auto_auth"]["method"]
    assert (method["mount_path"], method["namespace"]) == ("auth/k8s/prod", "team-a")
    assert method["config"]["role"] == "eu.prod.shop.orders"
    assert '"kv-shop/data/eu/prod/psp/api-key"' in said["template"][0]["contents"]
    (agent, *_) = [v for v in secrets.volumes(reader().graph(), Ref("shop", "orders"), OWN) if v["name"] == "token"]
    assert agent["projected"]["sources"][0]["serviceAccountToken"]["audience"] == OWN.audience


def test_the_edge_asks_it_too_and_the_embedded_issuer_stays_where_it_is() -> None:
    graph, cluster = opaque_app().graph(), Cluster(store=OWN)
    items = render(graph, cluster)
    data = of(items, "ConfigMap", "edge-login")["data"]
    assert data["store-ca.pem"] == CA
    said = json.loads(data["openbao.json"])
    assert said["vault"]["ca_cert"] == "/etc/login/store-ca.pem"
    assert said["auto_auth"]["method"][0]["config"]["role"] == "eu.prod.edge.edge"
    assert "kv-shop/data/eu/prod/people/introspection" in compact(said["template"])
    assert {"ipBlock": {"cidr": "10.1.2.3/32"}} in [
        peer for rule in of(items, "NetworkPolicy", "edge")["spec"]["egress"] for peer in rule["to"]
    ]
    paths = [one.path for one in derived.secrets(graph, cluster).objects]
    assert paths[-2:] == ["sys/policies/acl/eu.prod.edge.edge", "auth/k8s/prod/role/eu.prod.edge.edge"]
    embedded = edge_app().graph()
    assert login.keepers(embedded).keys() <= {d.USERS}
    assert derived.users(embedded, cluster) == derived.users(embedded, Cluster())
    was, now = (of(render(embedded, one), "ConfigMap", "edge-login")["data"] for one in (Cluster(), cluster))
    assert now == was


@pytest.mark.parametrize("store", [OWN, NEAR])
def test_the_rules_find_nothing_in_it(store: Store) -> None:
    cluster, graph = Cluster(store=store), reader().graph()
    inventory = Inventory(tuple(Object(item, "rendered") for item in render(graph, cluster)))
    assert [*evaluate(catalogue(cluster.issuer), inventory), *compare(graph, inventory, cluster=cluster)] == []
    assert [*compare(graph, inventory)], "the control: of another store it is a difference"


PREFIXES = st.lists(st.from_regex(r"[ab]([-ab]?[ab])?", fullmatch=True), max_size=2).map("/".join)
LABELS = st.from_regex(r"[ab]([-ab]?[ab])?", fullmatch=True)


@given(PREFIXES, PREFIXES, LABELS, LABELS, LABELS, LABELS)
def test_two_clusters_meet_in_no_name(p: str, q: str, a: str, b: str, c: str, e: str) -> None:
    one, other = Layout(prefix=p), Layout(prefix=q)
    if (p, a, b) != (q, c, e):
        assert one.of(Ref(a, b)) != other.of(Ref(c, e))
    assert one.of(Ref(a, b)) != other.name("garrison-admin")


def test_leases_need_a_word_that_the_store_can_enter_the_database() -> None:
    graph = shop_app().graph()
    there = Cluster(store=replace(OWN, database_client=""))
    (problem,) = derived.lacking(graph, there)
    assert problem.where == "bank/ledger"
    assert "vault.corp.example would have to enter it" in problem.what
    assert "storeDatabaseClient" in problem.remedy
    assert [*derived.lacking(graph, Cluster(store=OWN))] == [], "the control"
    assert [*derived.lacking(reader().graph(), there)] == [], "who reads alone needs no such word"
    (connection, *_) = store_objects(graph, OWN)
    assert connection.path == "pg-shop/config/eu.prod.bank.ledger"
    assert "sslcert=/etc/vault/garrison/tls.crt" in connection.body["connection_url"]
    ingress = of(render(graph, Cluster(store=OWN)), "NetworkPolicy", "ledger")["spec"]["ingress"]
    assert {"ipBlock": {"cidr": "10.1.2.3/32"}} in ingress[-1]["from"]


def test_an_authority_of_the_stores_own_is_asked_for_its_certificate_alone() -> None:
    """Where a database looks who may enter as the store, and nowhere else; its pod starts anew with it."""
    graph = shop_app().graph()
    pairs = [*zip(render(graph, Cluster(store=OWN)), render(graph, Cluster(store=APART)), strict=True)]
    changed = {(a["kind"], a["metadata"]["name"]): b for a, b in pairs if a != b}
    assert changed.keys() == {("ConfigMap", "ledger-config"), ("StatefulSet", "ledger")}
    data = changed["ConfigMap", "ledger-config"]["data"]
    assert data["store-ca.pem"] == APART.database_ca
    assert "ssl_ca_file = '/etc/postgres/store-ca.pem'\n" in data["postgresql.conf"]
    plain = of(render(graph, Cluster(store=OWN)), "ConfigMap", "ledger-config")["data"]
    assert "ssl_ca_file = '/run/trust/ca.pem'\n" in plain["postgresql.conf"], "the control"


def test_a_workloads_certificate_is_refused_in_the_handshake_then() -> None:
    graph = shop_app().graph()

    def layers(store: Store) -> set[str]:
        found = [one for one in expected(graph, store=store) if one.kind == Kind.WRONG_CERTIFICATE]
        return {layer for one in found for layer in one.layers}

    assert (layers(OWN), layers(APART)) == ({"database"}, {"identity"})


# --- Pulumi and the administrator ------------------------------------------------------------------------------------


def test_a_connection_of_the_platforms_store_is_what_it_was() -> None:
    """What lies in the states of stacks: any other word there would write every object again."""
    known = {"namespace": "openbao", "service": "openbao", "role": "garrison-admin", "audience": "openbao"}
    assert StoreConnection.at(Store()).to_props() == StoreConnection().to_props() == known
    there = StoreConnection.at(Store(), "https://store.example:8200", "/ca.pem")
    assert there == StoreConnection(address="https://store.example:8200", ca_file="/ca.pem")


@pytest.mark.parametrize("store", [OWN, NEAR])
def test_a_connection_comes_back_from_its_props(store: Store) -> None:
    there = StoreConnection.at(store, None, "/ca.pem")
    assert StoreConnection.from_props(there.to_props()) == there
    assert there.words == store.words
    assert there.enters == Ref.parse(store.deployer)
    assert there.address == (None if store.namespace else store.address)


@pytest.mark.parametrize("host", ["vault.vault.svc", "vault.vault.svc.cluster.local"])
def test_a_store_in_the_cluster_is_reached_at_its_port_under_the_name_of_its_certificate(host: str) -> None:
    there = StoreConnection.at(replace(NEAR, address=f"https://{host}:8443"))
    assert (there.namespace, there.service, there.port, there.server_name) == ("vault", "vault", "8443", host)
    assert StoreConnection.from_props(there.to_props()) == there


def test_what_an_administrator_grants_names_nothing_beside_this_cluster() -> None:
    said = set_up(OWN)
    assert "export BAO_NAMESPACE=team-a" in said
    assert "bao policy write eu.prod.deployer" in said
    assert "bao write auth/k8s/prod/role/eu.prod.deployer bound_service_account_names=deployer" in said
    assert "audience=vault.corp.example" in said
    for grant in required(OWN, "deployer"):
        ours = ("eu.prod.", "eu/prod/", "auth/k8s/prod/config", "sys/capabilities-self")
        assert any(word in grant.path for word in ours), grant
        assert str(grant) in said
    assert ADMIN_POLICY in commands_of(users=False), "of the platform's own it is what it was"


class Denying:
    """A store that grants nothing."""

    def write_data(self, path: str, data: dict[str, list[str]]) -> dict[str, Any]:
        assert path == "sys/capabilities-self"
        return {"data": {key: ["deny"] for key in data["paths"]}}

    def read(self, path: str) -> None:
        """Nothing is mounted."""


@pytest.mark.parametrize("database", ["shop", "shop/data", "pg"])
def test_the_name_of_one_mount_within_another_hides_no_lack(database: str) -> None:
    where = StoreConnection.at(replace(OWN, kv="kv-shop", database=database))
    needed = {one.path: ["create"] for one in store_objects(reader().graph(), OWN)}
    said = [*checking.lacks(cast("hvac.Client", Denying()), where, needed)]
    wanted = [one for one in required(where, "deployer") if "deny" not in one.capabilities]
    told = [one for one in wanted if any(str(one) in line for line in said)]
    assert [one.path for one in wanted if one not in told] == [
        f"{database}/config/eu.prod.*",
        f"{database}/roles/eu.prod.*",
        f"sys/leases/lookup/{database}/creds/eu.prod.*",
        f"sys/leases/revoke-prefix/{database}/creds/eu.prod.*",
    ], "a program without leases needs all but these"


# --- the proof -------------------------------------------------------------------------------------------------------


def test_the_proof_asks_it_and_leaves_its_surroundings_alone() -> None:
    graph = shop_app().graph()
    assert namespaces(graph, OWN) == [*graph.namespaces]
    at_store = [probe for probe in expected(graph, store=OWN) if probe.target == STORE]
    assert {probe.port for probe in at_store} == {8201}
    assert {probe.source.role for probe in at_store} == {"service", "database", "stray"}
    kinds = {probe.kind for probe in at_store}
    assert {Kind.OWN_PATH, Kind.UNDECLARED_PATH, Kind.ANOTHERS_PATH, Kind.WRONG_AUDIENCE, Kind.STORE_PORT} <= kinds
    assert strangers_paths(OWN) == ("kv-shop/data/eu/prod/garrison-probe", "kv-shop/data/garrison-probe")
    public = replace(OWN, ranges=("203.0.113.7/32",))
    nowhere = {probe.source for probe in expected(graph, store=OWN) if probe.source.namespace == "openbao"}
    assert nowhere == set(), "nobody of ours is in a namespace that only the platform's store has, in no phase"
    assert FREE not in {probe.source for probe in at_store}, "who is outside the estate is its administrator's affair"
    assert {Party("stray", "openbao"), FREE} <= {probe.source for probe in expected(graph)}, "the control"
    alone = [probe for probe in expected(graph, store=OWN) if probe.phase == "network open" and probe.target == STORE]
    assert alone, "the control"
    found = expected(graph, store=public)
    assert not [probe for probe in found if probe.phase == "network open" and probe.target == STORE]


class Pods:
    """A cluster with one pod of somebody's store, ready, and one that is not."""

    def items(self, kind: str, namespace: str = "", selector: str = "") -> list[dict[str, Any]]:
        assert kind == "pods"
        if (namespace, selector) != ("vault", "app=vault,tier=active"):
            return []
        status = {"podIP": "10.244.0.7", "conditions": [{"type": "Ready", "status": "True"}]}
        meta = {"name": "vault-0", "namespace": "vault", "labels": {"app": "vault"}}
        starting = {"metadata": {**meta, "name": "vault-1"}, "status": {**status, "conditions": []}}
        return [{"metadata": meta, "status": status}, starting]


def test_pods_of_a_store_in_the_cluster_are_found_by_its_labels() -> None:
    finder = Finder(cast("Kubectl", Pods()), reader().graph(), "run", NEAR)
    assert [(place.address, place.pod) for place in finder.at_store()] == [("10.244.0.7", "vault-0")]


def test_where_it_is_is_an_address_of_its_ranges() -> None:
    number = replace(OWN, address="https://10.1.2.4:8201")
    assert [place.address for place in addresses_of(number)] == ["10.1.2.4"]
    assert [place.address for place in addresses_of(SIX)] == ["fd00:1::7"]
    unknown = replace(OWN, address="https://vault.invalid:8201")
    assert [place.address for place in addresses_of(unknown)] == ["10.1.2.3", "10.1.2.4"], "nobody knows the name here"
    with pytest.raises(ProveError, match="is at none of"):
        addresses_of(replace(OWN, address="https://localhost:8201"))
