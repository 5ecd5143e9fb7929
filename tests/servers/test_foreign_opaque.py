"""Opaque tokens of an issuer that nobody here wrote, asked about by a real edge: taken, refused, taken back."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from garrison import App, Rate, claim, path
from garrison.derive.edge import names
from garrison.model.graph import Graph
from garrison.prove.drill.edge import without
from servers.edges import CLUSTER, Answer, Edge, ask, mount, stand
from servers.foreign import OLD, Foreign, garrison, serving
from servers.proxies import eventually
from unit.authority import Authority
from unit.estates import DIGEST, IMAGES
from unit.served import API


@pytest.fixture(scope="module")
def root() -> Authority:
    return Authority.fresh()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory, root: Authority) -> Iterator[Foreign]:
    with serving(tmp_path_factory.mktemp("foreign"), root) as made:
        yield made


def estate(foreign: Foreign, ca: Path | None = None, **more: int) -> App:
    """A program with the lines that `garrison issuer` prints; the issuer once for each kind of its tokens."""
    made = App("estate", trust_domain="estate.example", images={**IMAGES, "edge": "registry.example/edge" + DIGEST})
    opaque = garrison(foreign, "--audience", "estate", "--introspect", "--client", "edge").stdout
    signed = garrison(foreign, "--audience", "estate").stdout
    people, signers = (
        eval(_with(line, foreign, ca, **said), {"estate": made})
        for line, said in ((opaque, more), (signed, {"name": "signers"}))
    )
    orders = made.namespace("shop").service("orders", image="registry.example/orders" + DIGEST, port=8080)
    api = made.host(API)
    orders.serves("GET /orders", at=api, to=people.group("customers"))
    orders.serves("GET /all", at=api, to=people.anyone())
    orders.serves("GET /of/{who}", at=api, to=people.anyone(), where=claim("client_id") == path("who"))
    orders.serves("GET /limited", at=api, to=people.anyone(), rate=Rate.per_hour(2, per="user"))
    orders.serves("GET /signed", at=api, to=signers.anyone())
    orders.serves("GET /open", at=api, public="for everybody")
    return made


def _with(line: str, foreign: Foreign, ca: Path | None, **more: str | int) -> str:
    """The printed line with some words more, or another CA."""
    words = "".join(f"    {name}={value!r},\n" for name, value in more.items())
    return line.strip().removesuffix(")").replace(str(foreign.ca), str(ca or foreign.ca)) + words + ")"


@pytest.fixture(scope="module")
def graph(foreign: Foreign) -> Graph:
    return estate(foreign).graph()


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, graph: Graph, root: Authority) -> Iterator[Edge]:
    with stand(tmp_path_factory.mktemp("edge"), graph, None, root) as made:
        yield made


@pytest.fixture(autouse=True)
def _as_at_first(foreign: Foreign) -> None:
    config: dict[str, Any] = json.loads((foreign.folder / "config.json").read_text())
    if config["groups"] != ["customers"] or config["life"] != 300 or not foreign.runs:
        foreign.start(OLD)


def status(edge: Edge, token: str, path: str = "/orders") -> int:
    return ask(edge, "GET", path, token=token).status


def heard(answer: Answer) -> dict[str, Any]:
    """The claims that the service was told of."""
    headers: dict[str, str] = answer.json["headers"]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(headers["x-introspected-claims"] + "=="))
    return found


def test_an_active_token_is_taken_and_the_service_hears_whose_it_is(foreign: Foreign, edge: Edge) -> None:
    token = foreign.token(kind="opaque:")
    assert "." not in token, "opaque"
    forged = {"x-introspected-claims": "e30", "x-introspected-payload": "e30=", "x-verified-claims": "e30"}
    answer = ask(edge, "GET", "/orders", token=token, headers=forged)
    assert answer.status == 200, edge.said.read_text() + edge.log.read_text()
    claims = heard(answer)
    assert (claims["iss"], claims["aud"], claims["groups"]) == (foreign.url, "estate", ["customers"])
    assert (claims["client_id"], claims["sub"]) == ("machine", "machine")
    sent = answer.json["headers"]
    assert not {"authorization", "x-introspected-payload", "x-verified-claims"} & sent.keys(), "nor the token itself"
    eventually(lambda: edge.lines(path="/orders", status=200) != [], "the line is written")
    line = edge.lines(path="/orders", status=200)[-1]
    assert (line["subject"], line["issuer"]) == ("machine", foreign.url)
    assert line["rule"] == "edge/edge GET /orders at api.estate.example"


def test_what_is_not_active_or_not_for_us_never_reaches_a_service(foreign: Foreign, edge: Edge) -> None:
    good = foreign.token(kind="opaque:")
    assert status(edge, good) == 200
    before = len(edge.seen)
    refused = {
        "none": ("", 401),
        "no token of this issuer": ("A" * 43, 401),
        "cut": (good[:-1], 401),
        "for somebody else": (foreign.token("other", "opaque:"), 401),
        "alike": (foreign.token("https://estate/", "opaque:"), 401),
    }
    answers = {what: ask(edge, "GET", "/orders", token=token) for what, (token, _) in refused.items()}
    assert {what: answer.status for what, answer in answers.items()} == {what: no for what, (_, no) in refused.items()}
    assert {answer.headers["www-authenticate"] for answer in answers.values()} == {"Bearer"}
    assert {answer.headers["content-type"] for answer in answers.values()} == {"application/problem+json"}
    for value in (f"Basic x, Bearer {good}", f"bearer {good}", f"Bearer  {good}", f"Bearer {good} x"):
        assert ask(edge, "GET", "/orders", headers={"authorization": value}).status == 401, value
    assert ask(edge, "GET", f"/orders?access_token={good}").status == 401
    assert ask(edge, "GET", "/orders", headers={"cookie": f"IdToken={good}"}).status == 401
    forged = {"x-introspected-payload": "e30=", "x-introspected-claims": "e30"}
    assert ask(edge, "GET", "/orders", headers=forged).status == 401
    assert len(edge.seen) == before
    assert good not in edge.log.read_text() + edge.said.read_text()


def test_groups_conditions_and_limits_are_those_of_any_token(foreign: Foreign, edge: Edge) -> None:
    token = foreign.token(kind="opaque:")
    assert (status(edge, token, "/of/machine"), status(edge, token, "/of/other")) == (200, 403)
    assert [status(edge, token, "/limited") for _ in range(3)] == [200, 200, 429]
    foreign.start(OLD, groups=())
    token = foreign.token(kind="opaque:")
    assert (status(edge, token), status(edge, token, "/all")) == (403, 200)


def test_each_kind_of_token_is_for_its_own_routes(foreign: Foreign, edge: Edge) -> None:
    opaque, signed = foreign.token(kind="opaque:"), foreign.token()
    eventually(lambda: status(edge, signed, "/signed") == 200, "it has the keys of this issuer")
    assert status(edge, opaque, "/signed") == 401
    assert status(edge, signed) == 503, "this issuer answers 400 to who asks about a token that it signed"
    assert status(edge, "", "/open") == 200
    asked = foreign.asked
    assert status(edge, signed, "/signed") == 200
    assert foreign.asked == asked, "nobody asks about a token with a signature"


def test_a_token_that_was_taken_back_is_refused_at_once(foreign: Foreign, edge: Edge) -> None:
    token = foreign.token(kind="opaque:")
    assert [status(edge, token) for _ in range(3)] == [200] * 3
    assert foreign.ask("/token/revocation", token=token).status_code == 200
    before = len(edge.seen)
    assert status(edge, token) == 401
    assert len(edge.seen) == before


def test_a_token_ends(foreign: Foreign, edge: Edge) -> None:
    foreign.start(OLD, life=2)
    token = foreign.token(kind="opaque:")
    assert status(edge, token) == 200
    eventually(lambda: status(edge, token) == 401, "its time is over")


def test_what_is_refused_is_not_asked_again_at_once(foreign: Foreign, edge: Edge) -> None:
    asked = foreign.asked
    assert {status(edge, "nobodys-token") for _ in range(20)} == {401}
    assert 1 <= foreign.asked - asked <= 5, "once in five seconds"


def test_without_the_issuer_nobody_is_let_in(foreign: Foreign, edge: Edge) -> None:
    token = foreign.token(kind="opaque:")
    assert status(edge, token) == 200
    before = len(edge.seen)
    foreign.stop()
    assert status(edge, token) == 503
    assert len(edge.seen) == before
    assert '"alert"' in edge.said.read_text()
    foreign.start(OLD)
    token = foreign.token(kind="opaque:")
    assert status(edge, token) == 200


def test_an_issuer_with_another_certificate_is_not_asked(foreign: Foreign, root: Authority, tmp_path: Path) -> None:
    """`ca=` is who vouches for it, and nobody else does."""
    token = foreign.token(kind="opaque:")
    Authority.fresh().issue(tmp_path / "other", dns="localhost")
    graph = estate(foreign, tmp_path / "other" / "ca.pem").graph()
    with stand(tmp_path / "edge", graph, None, root) as edge:
        assert status(edge, token) == 503
        assert status(edge, foreign.token(), "/signed") == 401, "nor are its keys taken"


def test_with_a_cache_an_answer_holds_so_long_and_no_longer(foreign: Foreign, root: Authority, tmp_path: Path) -> None:
    graph = estate(foreign, cache_seconds=3).graph()
    with stand(tmp_path / "edge", graph, None, root) as edge:
        token = foreign.token(kind="opaque:")
        assert status(edge, token) == 200
        asked = foreign.asked
        assert status(edge, token) == 200
        assert foreign.asked == asked
        assert foreign.ask("/token/revocation", token=token).status_code == 200
        assert status(edge, token) == 200, "so long it goes on"
        eventually(lambda: status(edge, token) == 401, "and then it is over")


# --- the proof -------------------------------------------------------------------------------------------------------


def prove(edge: Edge, foreign: Foreign, folder: Path) -> tuple[int, dict[str, Any]]:
    """`garrison prove --edge` as its user runs it, with tokens that were got from the issuer."""
    kept = [(foreign.token(kind="opaque:", client=who), who) for who in ("machine", "stranger")]
    groups = {"machine": ["customers"], "stranger": []}
    said = [{"token": t, "claims": {"iss": foreign.url, "client_id": w, "groups": groups[w]}} for t, w in kept]
    over = foreign.token(kind="opaque:")
    assert foreign.ask("/token/revocation", token=over).status_code == 200
    taken_back = [said[0] | {"token": over}]
    signed = [foreign.token(client=who) for who in ("machine", "stranger")]
    keys = {"signers": requests.get(f"{foreign.url}/jwks", verify=str(foreign.ca), timeout=10).json()}
    files = {
        "graph": estate(foreign).graph().to_json(),
        "cluster": CLUSTER.to_json(),
        "tokens": json.dumps({"good": [*said, *signed], "token that was taken back": taken_back, "keys": keys}),
    }
    for name, content in files.items():
        (folder / f"{name}.json").write_text(content)
    where = ["--edge", f"https://127.0.0.1:{edge.port}", "--ca", str(edge.folder / "id" / "edge" / "ca.pem")]
    where += [word for name in ("app", "cluster", "tokens") for word in (f"--{name}", str(folder / f"{name}.json"))]
    where = [word.replace("app.json", "graph.json") for word in where]
    command = [sys.executable, "-m", "garrison", "prove", *where, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    """What was tried, each probe once."""
    found: list[dict[str, Any]] = report["probes"]
    return found


def test_the_proof_passes_with_tokens_of_this_issuer(foreign: Foreign, root: Authority, tmp_path: Path) -> None:
    with stand(tmp_path / "edge", estate(foreign).graph(), None, root) as edge:
        code, report = prove(edge, foreign, tmp_path)
        assert (code, [row for row in rows(report) if not row["ok"]]) == (0, [])
        tried = {row["kind"] for row in rows(report) if row["operation"] == "GET /orders"}
        opaque = {
            "well-formed request",
            "no token",
            "malformed token",
            "token that was taken back",
            "token in the query",
        }
        assert opaque | {"token without the group", "Authorization: Basic x, Bearer"} <= tried
        signed = {row["kind"] for row in rows(report) if row["operation"] == "GET /signed"}
        assert {"token with alg none", "token with HS256 and the public key", "token of another issuer"} <= signed
        assert {row["kind"] for row in rows(report) if row["operation"] == "GET /of/{who}"} >= {
            "condition that does not hold: another's"
        }


def test_the_proof_fails_where_nobody_asks_the_issuer(foreign: Foreign, root: Authority, tmp_path: Path) -> None:
    """The edge without its token rule, as the drill takes it away."""
    graph = estate(foreign).graph()
    with stand(tmp_path / "edge", graph, None, root) as edge:
        file = names.routes_file(API)
        weak = json.dumps(without("token rule", json.loads((edge.folder / "mount" / file).read_text())))
        mount(edge, graph, {file: weak})
        eventually(lambda: ask(edge, "GET", "/orders").status == 200, "the weak rules are taken")
        code, report = prove(edge, foreign, tmp_path)
    red = {row["kind"] for row in rows(report) if row["operation"] == "GET /orders" and not row["ok"]}
    assert code == 1
    assert {"no token", "malformed token", "token that was taken back", "token without the group"} <= red
