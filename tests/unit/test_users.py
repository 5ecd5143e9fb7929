"""What the embedded issuer is told, as values: exactly what the graph says, in a language that cannot be misread."""

from __future__ import annotations

import json
import re

import pytest

from garrison import App, IntentError, claim, path
from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.deployment.platform import users_config
from garrison.derive import login
from garrison.derive.users import RESERVED, USER, claims, groups, template, users_objects
from garrison.model.graph import Graph
from unit.estates import DIGEST, IMAGES, shop_app
from unit.served import API, served_app

GRAPH = served_app().graph()


def bodies(graph: Graph) -> dict[str, dict[str, object]]:
    return {item.path: dict(item.body) for item in users_objects(graph, Cluster())}


def with_route(group: str = "", claimed: str = "customer") -> Graph:
    app = App("estate", trust_domain="estate.example", images={**IMAGES, "edge": "registry.example/edge" + DIGEST})
    orders = app.namespace("shop").service("orders", image="registry.example/orders" + DIGEST, port=8080)
    users = app.users()
    to = users.group(group) if group else users.anyone()
    orders.serves("GET /orders/{id}", at=app.host(API), to=to, where=claim(claimed) == path("id"))
    return app.graph()


def test_without_users_there_is_nothing_to_tell() -> None:
    assert bodies(shop_app().graph()) == {}


def test_groups_are_those_that_routes_name() -> None:
    assert groups(GRAPH) == ("claims-managers", "customers")
    assert groups(with_route()) == ()


def test_a_token_has_the_claims_that_conditions_ask_for() -> None:
    assert claims(GRAPH) == ("customer",)
    assert claims(with_route(claimed="sub")) == (), "every token says it"
    for name in RESERVED:
        assert claims(with_route(claimed=name)) == ()
    issuer = GRAPH.embedded_issuer
    assert issuer
    filled = re.sub(r"\{\{identity\.entity\.([a-z.]+)\}\}", r'"\1"', template(GRAPH, issuer))
    assert json.loads(filled) == {"groups": "groups.names", "name": "name", "customer": "metadata.customer"}


def test_only_the_one_client_of_a_host_is_admitted_and_only_the_asked_groups_log_in() -> None:
    told = bodies(GRAPH)
    for label in ("www-estate-example", "desk-estate-example"):
        admitted = told[f"identity/oidc/provider/{label}"]["allowed_client_ids"]
        assert admitted == [{"path": f"identity/oidc/client/{label}", "field": "client_id"}]
    assert told["identity/oidc/client/www-estate-example"]["assignments"] == ["allow_all"], "a route is for anyone"
    assert told["identity/oidc/client/desk-estate-example"]["assignments"] == ["desk-estate-example"]
    among = told["identity/oidc/assignment/desk-estate-example"]["group_ids"]
    assert among == [{"path": "identity/group/name/claims-managers", "field": "id"}]


def test_whoever_deploys_may_write_exactly_what_is_derived() -> None:
    """Each path stands in the policy of `garrison-admin`, and each path of the policy is one that something needs."""
    lines = re.findall(r'^path "([^"]+)"', users_config.ADMIN_POLICY, re.MULTILINE)
    patterns = {line: re.compile(re.escape(line).replace(r"\+", "[^/]+").replace(r"\*", ".+")) for line in lines}
    needed = [*bodies(GRAPH), *(f"secret/data/{path}" for path in login.cookie_paths(GRAPH, d.USERS))]
    needed += [f"secret/metadata/{path}" for path in login.cookie_paths(GRAPH, d.USERS)]
    assert [path for path in needed if not any(p.fullmatch(path) for p in patterns.values())] == []
    assert [line for line, p in patterns.items() if not any(map(p.fullmatch, needed))] == []


def test_a_person_may_do_nothing_with_a_pattern_in_it() -> None:
    policy = str(bodies(GRAPH)[f"sys/policies/acl/{USER}"]["policy"])
    assert not re.search(r'path "[^"]*[*+]', policy)
    assert "sudo" not in policy
    assert "secret/" not in policy


@pytest.mark.parametrize("group", ["a/../b", "a//b", "..", "../customers"])
def test_no_group_leads_to_another_path(group: str) -> None:
    with pytest.raises(IntentError, match="not the name of a group"):
        with_route(group)


def test_there_is_no_default_person() -> None:
    assert [r.path for r in users_config.initial_requests() if r.path.startswith("auth/userpass")] == []
    assert not re.search(r'"password": "', json.dumps(users_config.users_config()))
