"""What is expected at the edge: for any route everything is tried, each refusal has its answer, and requests fit."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings

from garrison import App, Graph, Rate, claim, data, path, query
from garrison.cluster import Cluster
from garrison.declare.conditions import Condition
from garrison.derive import render
from garrison.manifest import Manifest
from garrison.prove.drill.edge import BEHIND, WEAKNESSES, cuts
from garrison.prove.expect.edge import TOKENS, WAYS, around, behind, trials
from garrison.prove.expect.fits import Bound, against, claims_for, holds, nested, proxied, solve
from garrison.prove.expect.messages import CannotFitError, compose
from garrison.prove.judge import entry as judge
from garrison.prove.judge.entry import probe_of
from garrison.prove.judge.report import as_json, as_table
from garrison.prove.judge.verdict import leaked
from garrison.prove.kubectl import Kubectl
from garrison.prove.look import entrance, execute, trail, trying
from garrison.prove.look.behind import Behind, pod
from garrison.prove.look.entrance import acting, from_outside
from garrison.prove.look.entry import Entry
from garrison.prove.look.forge_tokens import Key, decoded
from garrison.prove.look.session import misled
from garrison.prove.look.tickets import FRESH, NEEDS_KEY, Forging, FromFile, Keys, NotHadError
from garrison.prove.look.trying import Trying, distrusted, possible
from garrison.prove.look.world import Place
from garrison.prove.model import EDGE, ProveError, Result, Seen
from garrison.prove.trials import CLOSED, LAYER, Answer, Ticket, Trial, Try, Untried, Want
from garrison.words import Ref
from unit.edges import edge_app, opaque_app
from unit.estates import DIGEST, IMAGES, apps, shop_app
from unit.prove.test_cuts import Rendered

ISSUER = "https://people.example"
API, WWW = "api.estate.example", "www.estate.example"


def example() -> Graph:
    """The example of the edge: a group, a condition, a public route, two hosts."""
    app = App("estate", trust_domain="estate.example", images=IMAGES | {"edge": f"registry.example/edge{DIGEST}"})
    shop, bank = app.namespaces("shop", "bank")
    orders = shop.service("orders", image="registry.example/orders" + DIGEST, port=8080)
    payments = bank.service("payments", image="registry.example/payments" + DIGEST, port=8080)
    users = app.users()
    api, www = app.host(API), app.host(WWW, login=users)
    orders.serves("POST /orders", at=[api, www], to=users.group("customers"), rate=Rate.per_minute(30, per="user"))
    own = (claim("customer") == path("id")) & (claim("n") > 3) | claim("groups").contains("x")
    orders.serves("GET /orders/{id}", at=[api, www], to=users.anyone(), where=own)
    orders.serves("GET /items", at=api, public="it is for all", rate=Rate.per_second(20, per="address"))
    orders.calls(payments, "POST /charges", token="forward")
    return app.graph()


GRAPH = example()
TRIALS = trials(GRAPH)


def at(host: str, operation: str) -> list[Trial]:
    return [trial for trial in TRIALS if trial.host == host and str(trial.route.operation) == operation]


def golden(host: str, operation: str) -> list[str]:
    return [f"{trial.label} {'/'.join(map(str, sorted(trial.statuses)))}".strip() for trial in at(host, operation)]


# --- expectations ----------------------------------------------------------------------------------------------------


def test_a_route_for_a_group_is_tried_in_every_way() -> None:
    assert golden(API, "POST /orders") == [
        "well-formed request",
        "no token 401",
        "malformed token 401",
        "expired token 401",
        "token not yet valid 401",
        "token of the key, wrong issuer 401",
        "token of another issuer 401",
        "token for another audience 401/403",
        "token signed with another key 401",
        "token with alg none 401",
        "token with HS256 and the public key 401",
        "token with an unknown kid 401",
        "token with its own key in it 401",
        "token that says where its key is 401",
        "token of a removed key 401",
        "token without an end 401",
        "two Authorization headers 401",
        "Authorization: Basic x, Bearer 401/403",
        "token in the query 401",
        "token in a cookie 401",
        "another host's token or session: www.estate.example 401",
        "token without the group 403",
        "undeclared scope instead of the group 403",
        "oversize body 413",
        "oversize header 431",
        "undeclared method: DELETE 405",
        "over the limit: 30 a minute for each user 429",
    ]


def test_an_opaque_token_is_tried_as_far_as_it_can_be_wrong() -> None:
    found = trials(opaque_app().graph())
    tried = {
        str(trial.kind) for trial in found if str(trial.route.operation) == "GET /orders" and trial.layer == "token"
    }
    assert tried == {"no token", "malformed token", "token that was taken back", *map(str, WAYS)}


def test_behind_the_edge_an_opaque_token_is_what_the_edge_says_of_it() -> None:
    found = [trial for trial in behind(opaque_app().graph()) if str(trial.route.operation) == "GET /orders"]
    assert [(t.kind, t.want, t.shape.carry, len(t.shape.headers)) for t in found] == [
        (Try.WELL_FORMED, None, "none", 1),
        (Try.NO_TOKEN, None, "none", 0),
    ]


def test_where_browsers_log_in_it_is_sessions() -> None:
    assert golden(WWW, "GET /orders/{id}") == [
        "well-formed request",
        "no session 302/401",
        "session that nobody gave 302/401",
        "another host's token or session: api.estate.example 302/401",
        "condition that does not hold: without the claim 403",
        "condition that does not hold: another's 403",
        "oversize header 431",
        "undeclared path 404",
        "undeclared method: DELETE 405",
        "Host of another name 421",
        "server name of no host 0",
        "plain HTTP 0",
        "TLS 1.2 0",
    ]


def test_a_public_route_needs_no_token_and_has_no_trial_of_one() -> None:
    found = at(API, "GET /items")
    assert not [trial for trial in found if trial.want]
    assert {trial.layer for trial in found} == {None, "entry", "limit"}


def test_well_formed_requests_come_first_and_limits_last() -> None:
    kinds = [trial.kind for trial in TRIALS]
    assert set(kinds[:5]) == {Try.WELL_FORMED}
    assert Try.WELL_FORMED not in kinds[5:]
    assert set(kinds[-3:]) == {Try.LIMIT}
    assert Try.LIMIT not in kinds[:-3]
    assert len({trial.want.person for trial in TRIALS if trial.kind == Try.LIMIT and trial.want}) == 2


def test_each_kind_has_a_layer_and_a_cut_that_its_trials_have_to_notice() -> None:
    graphs = (GRAPH, edge_app().graph(), opaque_app().graph())
    found = [trial for graph in graphs for trial in (*trials(graph), *behind(graph))]
    tried = {trial.kind for trial in found} - {Try.WELL_FORMED}
    noticed = {kind for weakness in WEAKNESSES.values() for kind in weakness.noticed}
    assert tried == noticed == set(Try) - {Try.WELL_FORMED, Try.AROUND}
    assert set(LAYER) <= set(Try)
    assert {*TOKENS, *WAYS} <= WEAKNESSES["token rule"].noticed
    assert all(set(WEAKNESSES[name].noticed) & set(LAYER) or name for name in BEHIND)


def test_behind_the_edge_the_same_tokens_are_tried_at_the_sidecar_and_nothing_that_it_does_not_know() -> None:
    found = behind(GRAPH)
    assert {trial.host for trial in found} == {API}
    assert {*TOKENS, *WAYS, Try.NO_TOKEN, Try.NO_GROUP, Try.WRONG_CLAIM, Try.WELL_FORMED} <= {t.kind for t in found}
    assert not {t.kind for t in found} & {Try.LIMIT, Try.OVERSIZE, Try.NO_SESSION, Try.UNDECLARED_PATH}


def test_a_good_token_is_tried_where_the_keys_cannot_be_had_at_each_service_that_verifies_it() -> None:
    keyless = [trial for trial in behind(GRAPH) if trial.place == "misled"]
    assert {trial.service for trial in keyless} == {r.service for r in GRAPH.routes if r.issuer and r.host == API}
    for trial in keyless:
        assert (trial.kind, trial.statuses, trial.layer) == (Try.NO_KEYS, frozenset({401}), "token")
        good = next(t for t in behind(GRAPH) if t.route == trial.route and t.kind == Try.WELL_FORMED)
        assert (trial.want, trial.shape, good.place) == (good.want, good.shape, "sidecar")
        assert misled(judge.probe_of(trial, 15006)) == [judge.target_of(trial)]
        assert misled(judge.probe_of(good, 15006)) == []


def test_from_the_edges_place_only_what_is_served_is_reached_and_only_with_its_identity() -> None:
    found = {(probe.target.name, probe.kind.value, *probe.layers) for probe in around(GRAPH)}
    assert ("payments", "undeclared destination", "network") in found
    assert ("orders", "no certificate", "identity") in found
    assert ("orders", "undeclared operation", "authorization") in found
    assert all(probe.source == EDGE and probe.layers for probe in around(GRAPH))


def test_a_graph_without_hosts_has_none_of_it() -> None:
    graph = shop_app().graph()
    assert (trials(graph), behind(graph)) == ((), ())
    assert not [*cuts(graph, cast("Kubectl", None))]


# --- conditions ------------------------------------------------------------------------------------------------------

CONDITIONS = [
    claim("customer") == path("id"),
    path("id") == claim("customer"),
    claim("level") > 3,
    claim("level") <= 3,
    (claim("level") >= 2) & (claim("level") != 2),
    claim("groups").contains("helpers"),
    claim("region.country") == "NL",
    (claim("tenant") == query("tenant")) & (claim("n") < 5),
    (claim("customer") == path("id")) | (claim("groups").contains("x")),
]


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda c: str(c.alternatives)[:60])
def test_a_condition_is_solved_and_broken(condition: Condition) -> None:
    where = condition.alternatives
    claims = nested(claims_for(where, {}))
    good = solve(where, claims)
    assert good
    assert holds(where, claims, good)
    assert not holds(where, {}, Bound()), "nothing is there"
    assert against(where, {}) is not None
    if (bad := against(where, claims)) is not None:
        assert not holds(where, claims, bad)


def test_a_bearers_own_request_is_found_from_what_the_token_says() -> None:
    where = (claim("customer") == path("id")).alternatives
    bound = solve(where, {"customer": "42"})
    assert bound
    assert bound.path == {"id": "42"}
    assert solve(where, {}) is None


def test_what_needs_data_is_the_services_to_decide() -> None:
    both = (claim("a") == path("id")) & (data("owner") == claim("sub"))
    assert [len(part) for part in proxied(both.alternatives)] == [1]
    assert proxied(((data("owner") == claim("sub")) | (claim("a") == path("id"))).alternatives) == ()


def test_what_a_contract_says_of_a_path_stays_where_a_claim_may_be_chosen() -> None:
    assert claims_for((claim("customer") == path("id")).alternatives, {"id": "7"}) == (("customer", "7"),)


# --- requests --------------------------------------------------------------------------------------------------------


def of(kind: Try, operation: str = "GET /orders/{id}", host: str = API) -> Trial:
    return next(trial for trial in at(host, operation) if trial.kind == kind)


TICKET = Ticket("h.p.s", {"customer": "42", "n": 4})


def test_a_request_is_its_bearers_own() -> None:
    message = compose(of(Try.WELL_FORMED), TICKET)
    assert (message.method, message.target, message.host) == ("GET", "/orders/42", API)
    assert message.headers == (("authorization", "Bearer h.p.s"),)
    other = compose(of(Try.WRONG_CLAIM), TICKET)
    assert other.target != message.target
    with pytest.raises(CannotFitError):
        compose(of(Try.WELL_FORMED), Ticket("h.p.s", {}))


def test_credentials_are_brought_as_the_trial_says() -> None:
    twice = compose(of(Try.TWO_AUTHORIZATIONS), TICKET).headers
    assert [name for name, _ in twice] == ["authorization", "authorization"]
    assert compose(of(Try.IN_QUERY), TICKET).target.endswith("?access_token=h.p.s")
    assert compose(of(Try.BASIC_THEN_BEARER), TICKET).headers[0][1].startswith("Basic ")
    assert "h.p.s" in dict(compose(of(Try.IN_COOKIE), TICKET).headers)["cookie"]
    assert compose(of(Try.NO_TOKEN), None).headers == ()


def test_names_ports_and_tls_are_those_of_the_trial() -> None:
    other = compose(_listener(Try.OTHER_NAME), TICKET, 8443)
    assert other.host == "garrison-probe.estate.example:8443"
    assert other.server_name == WWW
    assert compose(_listener(Try.NO_SUCH_NAME), TICKET).server_name == "garrison-probe.estate.example"
    assert compose(_listener(Try.OLD_TLS), TICKET).tls == "1.2"
    origin = dict(compose(of(Try.NO_SESSION, "POST /orders", WWW), None, 8443).headers)["origin"]
    assert origin == "https://www.estate.example:8443"


def _listener(kind: Try) -> Trial:
    return next(trial for trial in TRIALS if trial.kind == kind and trial.host == WWW)


# --- judging ---------------------------------------------------------------------------------------------------------


def edge_says(status: int, **headers: str) -> Answer:
    body = json.dumps({"type": "about:blank", "title": "x", "status": status, "request": "1"})
    return Answer(status, "1", body, headers=tuple((k.replace("_", "-"), v) for k, v in headers.items()))


def verdict(trial: Trial, answer: Answer) -> tuple[str, str | None]:
    seen = judge.read(trial, answer)
    return seen.verdict, seen.layer


def test_only_the_right_answer_of_the_edge_itself_is_a_refusal() -> None:
    token, group = of(Try.NO_TOKEN), of(Try.NO_GROUP, "POST /orders")
    assert verdict(token, edge_says(401)) == ("refused", "token")
    assert verdict(group, edge_says(403)) == ("refused", "claims")
    assert verdict(token, edge_says(403)) == ("refused", "claims"), "a wrong status is a deviation"
    assert leaked(Result(judge.probe_of(token, 443), judge.read(token, edge_says(403)))), "it was taken for a token"
    assert verdict(group, edge_says(401)) == ("refused", "token")
    assert not leaked(Result(judge.probe_of(group, 443), judge.read(group, edge_says(401))))
    assert verdict(token, Answer(200, "1", "{}")) == ("allowed", None)
    assert verdict(token, Answer(401, "1", "Jwt is missing")) == ("allowed", None), "the sidecar said it"
    assert verdict(token, Answer(503, "1", "")) == ("error", None)
    assert verdict(token, edge_says(429)) == ("error", None), "throttled is neither"
    assert verdict(token, Answer(0, error="no connection to x")) == ("error", None)
    assert verdict(token, Answer(0, error="closed: reset")) == ("refused", None)
    contract = Answer(422, "1", '{"type":"urn:garrison:edge:unfit"}')
    schema = Trial(token.route, Try.BODY_SCHEMA, token.shape, statuses=frozenset({422}))
    assert verdict(schema, contract) == ("refused", "contract")
    method = of(Try.UNDECLARED_METHOD)
    assert verdict(method, edge_says(405, allow="GET")) == ("refused", "entry")
    assert verdict(method, edge_says(405)) == ("refused", None), "RFC 9110 wants Allow"


def test_what_another_protection_refuses_has_come_past_the_one_that_should() -> None:
    """Without the names, the contract of an estate says 404 and a route's token rule 401: the names held nothing."""
    other = _listener(Try.OTHER_NAME)
    assert verdict(other, edge_says(421)) == ("refused", "entry")
    unknown = Answer(404, "1", '{"type": "urn:garrison:edge:unknown-operation"}')
    for answer, layer in ((unknown, "contract"), (edge_says(401), "token"), (edge_says(403), "claims")):
        assert verdict(other, answer) == ("refused", layer)
        assert leaked(Result(judge.probe_of(other, 443), judge.read(other, answer)))


def test_where_nothing_should_answer_every_answer_is_a_leak() -> None:
    old = _listener(Try.OLD_TLS)
    assert verdict(old, Answer(CLOSED, error="closed: alert")) == ("refused", "entry")
    assert verdict(old, Answer(CLOSED, error="no answer in 5 s")) == ("error", None)
    for status in (200, 401, 421):
        assert leaked(Result(judge.probe_of(old, 443), judge.read(old, edge_says(status))))


def test_a_well_formed_request_passes_with_an_answer_of_the_service() -> None:
    good = of(Try.WELL_FORMED)
    assert verdict(good, Answer(200, "1", "{}")) == ("allowed", None)
    assert verdict(good, Answer(404, "1", '{"detail": "no such order"}')) == ("allowed", None)
    assert verdict(good, edge_says(404)) == ("refused", None)
    for status in (401, 403, 405, 413, 421, 431):
        assert verdict(good, edge_says(status)) == ("refused", None), status
    bodied = of(Try.WELL_FORMED, "POST /orders")
    assert verdict(bodied, Answer(422, "1", '{"detail": "no such body"}')) == ("allowed", None), (
        "the service looked at it"
    )
    own = Answer(422, "1", '{"type":"urn:garrison:problem:no-such-item"}')
    assert verdict(bodied, own) == ("allowed", None)
    assert verdict(bodied, Answer(422, "1", '{"type":"urn:garrison:edge:unfit"}')) == ("refused", None)
    assert verdict(bodied, Answer(403, "1", "RBAC: access denied")) == ("refused", None), "the sidecar said it"


def test_a_limit_holds_at_what_it_says_and_tells_when_to_come_back() -> None:
    trial = of(Try.LIMIT, "POST /orders")

    def over(passed: int, seconds: float = 1, replicas: int = 1, **headers: str) -> tuple[str, str | None]:
        answer = edge_says(429, **headers)
        seen = judge.over_limit(trial, Answer(429, "1", answer.body, "", answer.headers, passed), replicas, seconds)
        return seen.verdict, seen.layer

    assert over(30, retry_after="2") == ("refused", "limit")
    assert over(30) == ("refused", None)
    assert over(45, retry_after="2") == ("allowed", None)
    assert over(45, 30, retry_after="2") == ("refused", "limit"), "what was filled up meanwhile"
    assert over(60, replicas=2, retry_after="2") == ("refused", "limit")
    assert judge.over_limit(trial, Answer(200), 1, 1).verdict == "allowed"
    assert judge.over_limit(trial, Answer(200, passed=34), 1, 1).verdict == "allowed", "more than it may let pass"
    slow = judge.over_limit(trial, Answer(200, passed=31), 1, 60)
    assert (slow.verdict, slow.throttled) == ("error", True), "of a machine that asks no faster nothing is known"


def test_a_refusal_without_its_control_is_as_good_as_not_tried() -> None:
    good, bad = of(Try.WELL_FORMED), of(Try.NO_TOKEN)
    refused = Result(judge.probe_of(bad, 443), Seen("refused", "token"))
    passed = Result(judge.probe_of(good, 443), Seen("allowed"))
    assert distrusted([passed, refused]) == ([passed, refused], [])
    kept, hollow = distrusted([refused])
    assert (kept, [one.trial for one in hollow]) == ([], [bad])
    open_door = Result(judge.probe_of(bad, 443), Seen("allowed"))
    assert distrusted([open_door])[0] == [open_door], "a leak needs no control"


def test_every_refusal_has_its_control_where_all_is_as_declared() -> None:
    for graph in (GRAPH, edge_app().graph(), opaque_app().graph()):
        found = [*trials(graph), *behind(graph)]
        seen = {t: Seen("refused", t.layer) if t.layer else Seen("allowed") for t in found}
        results = [Result(judge.probe_of(trial, 443), seen[trial]) for trial in found]
        assert all(result.ok for result in results)
        assert distrusted(results) == (results, []), "a trial whose control is nowhere would count for nothing"


def test_both_reports_tell_what_was_not_tried_and_nothing_else_changes() -> None:
    passed = Result(judge.probe_of(of(Try.WELL_FORMED), 443), Seen("allowed"))
    left = [Untried(of(Try.NO_EXPIRY), NEEDS_KEY)]
    told = json.loads(as_json([passed], run="r", seconds=1, untried=left))
    assert told["summary"]["not_tried"] == [str(left[0])]
    assert told["probes"][0]["source"] == API
    assert "not_tried" not in json.loads(as_json([passed], run="r", seconds=1))["summary"]
    lines = as_table([passed], seconds=1, colour=False, untried=[*left, *left]).splitlines()
    assert lines[-3:] == [
        "2 not tried, of which nothing is known:",
        f"  {left[0].why}: {left[0].trial.label}",
        f"      {left[0].trial.host}: {left[0].trial.route.operation}",
    ]


# --- tokens ----------------------------------------------------------------------------------------------------------

KEY = Key.fresh()


def foreign() -> Graph:
    app = App("estate", trust_domain="estate.example", images=IMAGES | {"edge": f"registry.example/edge{DIGEST}"})
    orders = app.namespace("shop").service("orders", image="registry.example/orders" + DIGEST, port=8080)
    people = app.issuer(ISSUER, audience="estate", jwks=f"{ISSUER}/keys")
    orders.serves("GET /orders/{id}", at=app.host(API), to=people.group("customers"), where=claim("id") == path("id"))
    return app.graph()


def signed(**claims: object) -> str:
    return KEY.sign({"alg": "RS256", "kid": "k"}, {"iss": ISSUER, "aud": "estate", "exp": 2_000_000_000, **claims})


def in_file(folder: Path, **lists: object) -> FromFile:
    (folder / "tokens.json").write_text(json.dumps(lists))
    return FromFile.read(foreign(), Cluster(), folder / "tokens.json")


def test_a_token_of_the_file_is_one_that_fits_and_never_one_that_is_only_there(tmp_path: Path) -> None:
    good, other = signed(groups=["customers"], id="7"), signed(groups=["others"], id="7")
    nameless, stranger = signed(groups=["customers"]), signed(iss="https://else.example", groups=["customers"], id="7")
    jwks = {"people": {"keys": [{**KEY.jwk, "kid": "k"}]}}
    tokens = Forging(in_file(tmp_path, good=[stranger, nameless, other, good], keys=jwks))
    can, cannot = possible(trials(foreign()), tokens)
    by_kind = {trial.kind: tokens.give(trial.want).text for trial in can if trial.want}
    assert by_kind[Try.WELL_FORMED] == good
    assert by_kind[Try.NO_GROUP] == other
    assert {left.trial.kind for left in cannot if left.why == NEEDS_KEY} == {
        *(Try.EXPIRED, Try.NOT_YET, Try.WRONG_ISSUER, Try.WRONG_AUDIENCE, Try.REMOVED_KEY, Try.NO_EXPIRY)
    }
    assert by_kind[Try.PUBLIC_KEY_AS_SECRET] != good


@dataclass
class Passing:
    """An issuer of tokens that end."""

    issued: int = 0

    def give(self, want: Want) -> Ticket:
        self.issued += 1
        return Ticket(signed(jti=str(self.issued), groups=list(want.groups)), {})

    def keys(self, issuer: str) -> Keys:
        return [{**KEY.jwk, "kid": "k"}]


def test_a_run_that_outlasts_its_tokens_asks_for_new_ones_and_forges_those_anew() -> None:
    now = 0.0
    issuer = Passing()
    tokens = Forging(issuer, clock=lambda: now)
    good = Want("people", "api.estate.example", ("customers",))
    bad, old = replace(good, flaw=Try.FOREIGN_KEY), replace(good, flaw=Try.EXPIRED)

    def had() -> list[str]:
        return [tokens.give(want).text for want in (good, bad, old)]

    first = had()
    now = FRESH
    assert had() == first
    now = FRESH + 1
    later = had()
    assert [one == other for one, other in zip(first, later, strict=True)] == [False, False, True]
    assert [decoded(text)[1]["jti"] for text in later] == ["3", "3", "2"], "one good token for both, and none to expire"
    now += FRESH
    assert had() == later


def test_an_expired_token_is_waited_for_when_it_is_used_and_not_when_it_is_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other each would take seconds; had first, they expire while the rest of the run goes on."""
    expires, slept = time.time() + 3600, list[float]()
    monkeypatch.setattr(time, "sleep", slept.append)

    @dataclass
    class Later(Anything):
        def give(self, want: Want) -> Ticket:
            return replace(super().give(want), since=expires if want.flaw == Try.EXPIRED else 0.0)

    can, _ = possible(trials(edge_app().graph()), Later())
    assert slept == []
    for kind, wait in ((Try.WELL_FORMED, 0.0), (Try.EXPIRED, 3600)):
        trying.ripe(next(trial for trial in can if trial.kind == kind and trial.want), Later())
        assert slept.pop() == pytest.approx(wait, abs=60), kind


def test_of_the_logs_behind_only_what_was_sent_last_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = list[float]()
    monkeypatch.setattr(time, "sleep", slept.append)
    trial = next(t for t in trials(edge_app().graph()) if t.kind == Try.NO_TOKEN)
    for ago, wait in ((0.0, 10.0), (60.0, 0.0)):
        sent = trying.Sent("an-id", trial, refused=True, at=time.monotonic() - ago)
        trail.checked([], [sent], lambda: "", flush=10.0)
        assert slept.pop() == pytest.approx(wait, abs=1)


def test_tokens_are_asked_for_what_was_chosen_alone() -> None:
    graph, issuer = edge_app().graph(), Passing()
    assert from_outside(graph, Entry("127.0.0.1", 1), issuer, 1).probes
    assert issuer.issued, "the control"
    issuer = Passing()
    assert from_outside(graph, Entry("127.0.0.1", 1), issuer, 1, chosen=lambda _: False).probes == []
    assert issuer.issued == 0


def test_without_the_issuers_key_the_public_one_cannot_be_tried_as_a_secret(tmp_path: Path) -> None:
    tokens = Forging(in_file(tmp_path, good=[signed(groups=["customers"], id="7")]))
    trial = next(t for t in trials(foreign()) if t.kind == Try.PUBLIC_KEY_AS_SECRET)
    assert trial.want
    with pytest.raises(NotHadError, match="public key"):
        tokens.give(trial.want)


@pytest.mark.parametrize("text", ["", "[]", '{"god": []}', '{"good": "a.b.c"}', '{"good": ["a.b"]}', '{"good": [1]}'])
def test_a_file_that_is_none_is_said_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(ProveError, match="--tokens"):
        FromFile.read(foreign(), Cluster(), tmp_path / "t.json")


# --- on a cluster ----------------------------------------------------------------------------------------------------


def test_every_cut_changes_what_is_derived_and_concerns_a_trial() -> None:
    graph = edge_app().graph()
    found = [*cuts(graph, cast("Kubectl", Rendered(graph)))]
    probes = [judge.probe_of(trial, 443) for trial in (*trials(graph), *behind(graph))]
    assert (
        len({cut.what for cut in found}) == len(found) == len(WEAKNESSES) + len(BEHIND) + 1
    )  # and where no keys are had
    for cut in found:
        assert [probe for probe in probes if cut.affected(probe)], cut.what
        assert cut.weaker != cut.originals, cut.what
        assert [one["metadata"] for one in cut.weaker] == [one["metadata"] for one in cut.originals]


def test_the_pod_in_the_edges_place_has_its_identity_and_nothing_else_of_it() -> None:
    graph = edge_app().graph()
    (edge,) = (m for m in render(graph) if m["kind"] == "Deployment" and m["metadata"]["name"] == "edge")
    made = pod(edge, Ref("edge", "garrison-probe-edge"), run="r", image="registry.example/prober" + DIGEST)
    assert made["spec"]["serviceAccountName"] == "edge"
    assert made["spec"]["automountServiceAccountToken"] is False
    assert made["spec"]["readinessGates"]
    assert {mount["mountPath"] for mount in made["spec"]["containers"][0]["volumeMounts"]} == {
        "/run/identity",
        "/run/trust",
    }
    assert {volume["name"] for volume in made["spec"]["volumes"]} == {"identity", "trust"}
    assert "initContainers" not in made["spec"]


# --- what is done, and what is not -----------------------------------------------------------------------------------


@dataclass
class Anything:
    """Gives a token of every kind; what is in it fits every condition."""

    def give(self, want: Want) -> Ticket:
        return Ticket("h.p.s", nested(want.claims), "session=1")

    def keys(self, issuer: str) -> list[dict[str, str]]:
        return []


def test_with_reads_only_nothing_is_sent_that_could_change_anything() -> None:
    graph = edge_app().graph()
    can, cannot = possible(trials(graph), Anything(), reads_only=True)
    assert can
    assert {trial.shape.method for trial in can} == {"GET"}
    left = {left.trial.kind for left in cannot if "--reads-only" in left.why}
    assert {Try.WELL_FORMED, Try.UNDECLARED_METHOD, Try.LIMIT, Try.NO_TOKEN} <= left
    assert len(can) + len(cannot) == len(trials(graph))


def test_what_is_really_done_is_named_before_it_is_done() -> None:
    graph = edge_app().graph()
    can, _ = possible(trials(graph), Anything())
    probes = [judge.probe_of(trial, 443) for trial in can]
    assert acting(probes) == ["DELETE /orders/{id}", "POST /items/search"], "a POST without a document is none"
    assert acting([probe for probe in probes if probe.operation.startswith("GET")]) == []


def test_an_hourly_limit_of_the_run_before_is_listed_and_no_error() -> None:
    graph = edge_app().graph()
    mine = [trial for trial in trials(graph) if str(trial.route.operation) == "GET /items/{id}"]
    results = [Result(judge.probe_of(t, 443), judge.read(t, edge_says(429, retry_after="3000"))) for t in mine[:1]]
    method = next(trial for trial in mine if trial.kind == Try.UNDECLARED_METHOD)
    results.append(Result(judge.probe_of(method, 443), Seen("refused", "entry")))
    kept, left = distrusted(results)
    assert kept == []
    assert [one.why for one in left] == ["not tried again within its time (4 an hour for each address)"] * 2
    unlimited = of(Try.WELL_FORMED)
    again = Result(judge.probe_of(unlimited, 443), judge.read(unlimited, edge_says(429)))
    assert distrusted([again]) == ([again], []), "nothing of the route says that it may be throttled for so long"


@settings(max_examples=60, deadline=None)
@given(apps())
def test_for_any_estate_the_same_is_expected_again_and_nothing_raises(app: App) -> None:
    graph = app.graph()
    again = Graph.from_json(graph.to_json())
    for find in (trials, behind, around):
        assert find(graph) == find(again)
    found = (*trials(graph), *behind(graph))
    assert len({(t.place, t.host, t.service, t.kind, t.label, t.shape, t.want) for t in found}) == len(found)
    can, cannot = possible(found, Anything())
    assert len(can) + len(cannot) == len(found)
    assert all(left.why for left in cannot)


def test_a_token_that_is_not_had_while_the_edge_is_away_is_an_error_of_its_trials_alone() -> None:
    """Of a browser's session that is over, just when a cut of the drill has restarted the edge."""

    @dataclass
    class Away:
        def give(self, want: Want) -> Ticket:
            raise NotHadError(f"{want.host} sends nobody to a login (it answers 0)")

        def keys(self, issuer: str) -> Keys:
            raise NotHadError(issuer)

    graph = edge_app().graph()
    probes = [probe_of(trial, 1) for trial in trials(graph) if trial.want]
    carriers = (Trying(Entry("127.0.0.1", 1), Away()), Behind(Away(), lambda *_: (Place("127.0.0.1"),), lambda _: []))
    for carrier in carriers:
        found = execute._safely(carrier, probes)
        assert {seen.verdict for seen in found} == {"error"}
        assert "it answers 0" in found[0].reason


# --- where it is -----------------------------------------------------------------------------------------------------


def _pod(name: str, node: str, *, is_ready: bool = True) -> Manifest:
    status = {"hostIP": node, "conditions": [{"type": "Ready", "status": str(is_ready)}]}
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "edge"}, "status": status}


def test_the_edge_is_reached_at_a_node_that_has_a_pod_of_it() -> None:
    asked = list[dict[str, str]]()
    pods = [_pod("edge-a", "192.0.2.9"), _pod("edge-b", "192.0.2.7"), _pod("probe", "192.0.2.1", is_ready=False)]

    class Kube:
        def items(self, kind: str, **where: str) -> list[Manifest]:
            asked.append({"kind": kind, **where})
            return pods

    service: Manifest = {
        "spec": {"ports": [{"port": 443, "nodePort": 30443}], "selector": {"name": "edge", "app": "x"}}
    }
    kube = cast("Kubectl", Kube())
    assert entrance._address(service, kube) == ("192.0.2.7", 30443)
    assert asked == [{"kind": "pods", "namespace": "edge", "selector": "app=x,name=edge"}]
    balanced = service | {"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}}}
    assert entrance._address(balanced, kube) == ("198.51.100.1", 443)
    del pods[:2]
    with pytest.raises(ProveError, match="has no address yet"):
        entrance._address(service, kube)


def test_an_edge_that_does_not_answer_is_said_before_anybody_waits_for_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        open_one = Entry("127.0.0.1", server.getsockname()[1])
        assert open_one.reached(0.0) is open_one
    with pytest.raises(ProveError, match=r"does not answer at 127\.0\.0\.1:\d+ \(.*refused\): look at its pods"):
        open_one.reached(0.0)
