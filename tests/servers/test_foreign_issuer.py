"""An issuer that nobody here wrote, from its discovery to a real edge that takes its tokens, while its keys change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from garrison import App
from garrison.model.graph import Graph
from garrison.people import issuer
from garrison.people.door import Door, DoorError
from servers.edges import CLIENT_ID, Edge, ask, stand
from servers.foreign import NEW, OLD, Foreign, garrison, serving
from servers.proxies import eventually
from servers.users import claims, header
from servers.visits import Visit
from unit.authority import Authority
from unit.estates import DIGEST, IMAGES
from unit.served import API, WWW

CACHED = 2  # seconds that the edge keeps a key set here; 300 as deployed


@pytest.fixture(scope="module")
def root() -> Authority:
    return Authority.fresh()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory, root: Authority) -> Iterator[Foreign]:
    with serving(tmp_path_factory.mktemp("foreign"), root) as made:
        yield made


@pytest.fixture(scope="module")
def graph(foreign: Foreign) -> Graph:
    """A program with the very line that `garrison issuer` prints."""
    done = garrison(foreign, "--audience", "estate", "--client", CLIENT_ID)
    assert (done.returncode, done.stderr) == (0, "")
    estate = App("estate", trust_domain="estate.example", images={**IMAGES, "edge": "registry.example/edge" + DIGEST})
    people = eval(done.stdout, {"estate": estate})
    orders = estate.namespace("shop").service("orders", image="registry.example/orders" + DIGEST, port=8080)
    at = [estate.host(API), estate.host(WWW, login=people)]
    orders.serves("GET /orders", at=at, to=people.group("customers"))
    orders.serves("GET /all", at=API, to=people.anyone())
    return estate.graph()


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, graph: Graph, foreign: Foreign, root: Authority) -> Iterator[Edge]:
    moved = {'"cache_duration":"300s"': f'"cache_duration":"{CACHED}s"'}
    with stand(tmp_path_factory.mktemp("edge"), graph, moved, root) as made:
        yield made


@pytest.fixture(autouse=True)
def _as_at_first(foreign: Foreign) -> None:
    if json.loads((foreign.folder / "config.json").read_text())["keys"] != [OLD]:
        foreign.start(OLD)


def status(edge: Edge, token: str, path: str = "/orders") -> int:
    return ask(edge, "GET", path, token=token).status


# --- discovery -------------------------------------------------------------------------------------------------------


def test_the_line_says_what_the_document_says(foreign: Foreign) -> None:
    done = garrison(foreign, "--audience", "estate", "--client", "estate-www")
    assert done.stdout.splitlines() == [
        "estate.issuer(",
        f'    "{foreign.url}",',
        '    audience="estate",',
        f'    jwks="{foreign.url}/jwks",',
        '    client="estate-www",',
        '    client_secret="people/client",',
        f'    authorize="{foreign.url}/auth",',
        f'    token="{foreign.url}/token",',
        f'    end_session="{foreign.url}/session/end",',
        f'    ca="{foreign.ca}",',
        ")",
    ]


def test_an_issuer_that_is_none_is_one_line(foreign: Foreign) -> None:
    for url, said in (
        (f"{foreign.url}/elsewhere", "no discovery document there (status 404)"),
        (foreign.url.replace("https", "http"), "is no issuer; write https://"),
        (foreign.url.replace("localhost", "LOCALHOST"), "is no issuer"),
        ("https://localhost:1", "refused"),
    ):
        with pytest.raises(DoorError) as error:
            issuer.discovered(url, ca=foreign.ca)
        assert said in str(error.value)
        assert "\n" not in str(error.value)
    with pytest.raises(DoorError, match="certificate is not accepted"):
        issuer.discovered(foreign.url)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"issuer": "https://other.example", "jwks_uri": "https://other.example/k"}, "calls itself 'https://other"),
        ({"issuer": "https://people.example"}, "publishes no keys"),
        ({"issuer": "https://people.example", "jwks_uri": "http://people.example/k"}, "only https is taken"),
        ({"issuer": "https://people.example", "jwks_uri": ["x"]}, "only https is taken"),
        ([], "no discovery document"),
        (None, "no discovery document"),
    ],
)
def test_a_document_is_not_believed(document: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Door, "ask", lambda *_: (200, document))
    with pytest.raises(DoorError, match=said):
        issuer.discovered("https://people.example")


def test_what_is_printed_is_python_whatever_was_said() -> None:
    said = issuer.line("https://people.example", {"jwks": "https://people.example/k"}, "a\"b'c\\", None)
    kept: list[Any] = []

    class Estate:
        def issuer(self, *arguments: str, **named: str) -> None:
            kept.append((arguments, named))

    eval(said, {"estate": Estate()})
    assert kept == [(("https://people.example",), {"audience": "a\"b'c\\", "jwks": "https://people.example/k"})]


# --- tokens ----------------------------------------------------------------------------------------------------------


def test_its_tokens_are_taken_for_their_groups_and_their_audience(foreign: Foreign, edge: Edge) -> None:
    token = foreign.token()
    eventually(lambda: status(edge, token) == 200, "it has the keys of this issuer")
    assert header(token)["typ"] == "at+jwt"
    assert claims(token)["aud"] == "estate"
    before = len(edge.seen)
    assert status(edge, token) == 200
    assert status(edge, token, "/all") == 200
    assert len(edge.seen) == before + 2
    assert status(edge, foreign.token("other")) in (401, 403), "for somebody else"
    assert status(edge, foreign.token("https://estate/")) in (401, 403), "only alike"
    assert status(edge, token[:-4] + "AAAA") == 401
    assert len(edge.seen) == before + 2, "no refused request reached the service"


def test_who_is_in_no_group_has_what_is_for_anyone(foreign: Foreign, edge: Edge) -> None:
    foreign.start(OLD, groups=())
    token = foreign.token()
    assert (status(edge, token), status(edge, token, "/all")) == (403, 200)
    foreign.start(OLD)


def test_a_key_that_is_published_first_and_used_later_fails_no_request(foreign: Foreign, edge: Edge) -> None:
    before = foreign.token()
    foreign.start(OLD, NEW)
    eventually(lambda: status(edge, before) == 200, "the issuer is there again")
    answers = set()
    while foreign.gave_keys < 2:  # both of which were the new set
        answers.add(status(edge, before))
    foreign.start(NEW, OLD)
    after = foreign.token()
    assert (header(before)["kid"], header(after)["kid"]) == ("old", "new")
    answers |= {status(edge, token) for token in (before, after)}
    assert answers == {200}
    foreign.start(NEW)
    eventually(lambda: status(edge, before) == 401, "a key that was taken back is over when the cached set is")
    assert status(edge, after) == 200


def test_without_the_issuer_its_keys_are_used_for_so_long_and_no_longer(foreign: Foreign, edge: Edge) -> None:
    token = foreign.token()
    eventually(lambda: status(edge, token) == 200, "it has the keys of this issuer")
    fetched = foreign.gave_keys
    eventually(lambda: status(edge, token) == 200 and foreign.gave_keys > fetched, "it has them anew")
    foreign.stop()
    assert status(edge, token) == 200, "so long it goes on"
    eventually(lambda: status(edge, token) == 401, "nobody vouches for the token any more", CACHED * 5)
    foreign.start(OLD)
    eventually(lambda: status(edge, token) == 200, "and then somebody does again", CACHED * 5)


def test_what_the_embedded_issuer_lacks_this_one_has(foreign: Foreign) -> None:
    """Opaque tokens: introspection (RFC 7662) and revocation (RFC 7009)."""
    token = foreign.ask("/token", grant_type="client_credentials").json()["access_token"]
    assert "." not in token, "opaque"
    assert foreign.ask("/token/introspection", token=token).json()["active"] is True
    assert foreign.ask("/token/revocation", token=token).status_code == 200
    assert foreign.ask("/token/introspection", token=token).json() == {"active": False}


# --- browsers --------------------------------------------------------------------------------------------------------


def through_its_pages(foreign: Foreign, location: str) -> str:
    """What a person does there: a name, a password, yes. Where it sends the browser then."""
    browser = requests.Session()
    browser.trust_env, browser.verify = False, str(foreign.ca)
    forms = iter(({"prompt": "login", "login": "ada", "password": "any"}, {"prompt": "consent"}))
    while not location.startswith(f"https://{WWW}"):
        answer = browser.get(location, timeout=20, allow_redirects=False)
        if answer.status_code == 200:  # a page with a form
            answer = browser.post(location, data=next(forms), timeout=20, allow_redirects=False)
        location = urljoin(foreign.url, answer.headers["location"])
    return location


def test_a_browser_logs_in_there_and_out_again(foreign: Foreign, edge: Edge) -> None:
    eventually(lambda: status(edge, foreign.token()) == 200, "it has the keys of this issuer")
    visit = Visit(edge, WWW)
    code, location = visit.get("/orders")
    assert (code, location.partition("?")[0]) == (302, f"{foreign.url}/auth")
    back = urlsplit(through_its_pages(foreign, location))
    assert back.path == "/oauth2/callback"
    assert visit.get(f"{back.path}?{back.query}") == (302, f"https://{WWW}:8443/orders")
    assert visit.get("/orders") == (200, "")
    code, location = visit.get("/logout")
    assert (code, location.partition("?")[0]) == (302, f"{foreign.url}/session/end")
    assert visit.get("/orders")[0] == 302


def test_a_session_is_not_prolonged_and_its_end_leads_to_the_login(foreign: Foreign, edge: Edge) -> None:
    """The issuer gives refresh tokens; the edge uses none, so who lost their rights there has none here soon."""
    foreign.start(OLD, life=2)
    eventually(lambda: status(edge, foreign.token()) == 200, "it has the keys of this issuer")
    visit = Visit(edge, WWW)
    _, location = visit.get("/orders")
    back = urlsplit(through_its_pages(foreign, location))
    assert visit.get(f"{back.path}?{back.query}")[0] == 302
    assert visit.get("/orders")[0] == 200
    eventually(lambda: visit.get("/orders")[0] != 200, "its token is over")
    code, location = visit.get("/orders")
    assert (code, location.partition("?")[0]) == (302, f"{foreign.url}/auth")
    foreign.start(OLD)
