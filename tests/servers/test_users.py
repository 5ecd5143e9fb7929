"""The embedded issuer as deployed: a real OpenBao, what the graph derives for it, and people of every kind."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hvac.exceptions import Forbidden

from garrison.cli import main
from garrison.cluster import Cluster, Entrance
from garrison.deployment.vault import StoreError, people
from garrison.deployment.vault.resources import GeneratedProvider, RightsProvider, StoreProvider
from garrison.derive import tokens
from garrison.derive.users import users_objects
from servers.proxies import eventually
from servers.users import CLUSTER, HOME, LOCKOUT, Users, browser, claims, header, issuing, verified
from unit.served import API, DESK, WWW, served_app


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Users]:
    with issuing(tmp_path_factory.mktemp("users"), served_app().graph()) as running:
        yield running


def keys(users: Users, path: str) -> dict[str, Any]:
    return dict(users.ask("GET", f"{path}/.well-known/keys").json())


def kids(users: Users, path: str) -> set[str]:
    return {key["kid"] for key in keys(users, path)["keys"]}


# --- what is written -------------------------------------------------------------------------------------------------


def test_what_is_derived_is_what_there_is(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written by the login of `pulumi up`, and read back without a difference."""
    monkeypatch.setenv("BAO_TOKEN", users.admin.token)
    for wanted in users_objects(users.graph, CLUSTER):
        props = {"path": wanted.path, "body": dict(wanted.body), "connection": users.bao.where.to_props()}
        assert StoreProvider().read(wanted.path, props).outs == props, wanted.path


def test_another_port_is_part_of_every_name(tmp_path: Path) -> None:
    there = Cluster(entrance=Entrance(port=8443))
    with issuing(tmp_path, served_app().graph(), there) as users:
        said = claims(users.token(users.session("ann", users.person("ann"))))
        assert said["iss"] == "https://login.estate.example:8443/v1/identity/oidc"
        data: Any = users.breaker.read("identity/oidc/client/www-estate-example")
        assert data["data"]["redirect_uris"] == ["https://www.estate.example:8443/oauth2/callback"]


def test_all_of_it_can_be_taken_away_and_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with issuing(tmp_path, served_app().graph()) as users:
        monkeypatch.setenv("BAO_TOKEN", users.admin.token)
        where = users.bao.where.to_props()
        derived = list(users_objects(users.graph, CLUSTER))
        for wanted in reversed(derived):
            StoreProvider().delete(wanted.path, {"path": wanted.path, "body": wanted.body, "connection": where})
        left = [
            wanted.path
            for wanted in derived
            if StoreProvider().read(wanted.path, {"path": wanted.path, "body": wanted.body, "connection": where}).id
        ]
        assert left == ["identity/oidc/config"]
        for wanted in derived:
            StoreProvider().create({"path": wanted.path, "body": dict(wanted.body), "connection": where})


def test_who_deploys_may_write_all_that_is_derived_and_a_store_of_an_older_version_says_so(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAO_TOKEN", users.admin.token)
    needed = {one.path: ["create", "update"] for one in users_objects(users.graph, CLUSTER)}
    wanted = {"needed": needed, "version": "1", "connection": users.bao.where.to_props()}
    assert RightsProvider().check({"version": "0"}, wanted).failures == []
    more = {**wanted, "needed": {"identity/oidc/role/other": ["update"]}}
    (failure,) = RightsProvider().check({"version": "0"}, more).failures
    assert "identity/oidc/role/other" in failure.reason


def test_pulumi_keeps_groups_and_nobody_in_them(users: Users) -> None:
    """Writing a group again leaves its people; who writes it can put nobody in, and give it no policy."""
    users.person("grace", "customers")
    admin = users.admin
    admin.write_data("identity/group/name/customers", data={"type": "internal"})
    assert "grace" in people.members(users.people)["customers"]
    attempts: tuple[dict[str, Any], ...] = ({"member_entity_ids": []}, {"policies": ["break-glass"]})
    for more in attempts:
        with pytest.raises(Forbidden):
            admin.write_data("identity/group/name/customers", data={"type": "internal", **more})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("auth/userpass/users/mallory", {"password": "x" * 20, "token_policies": "break-glass"}),
        ("auth/userpass/users/mallory", {"password": "x" * 20, "policies": "break-glass"}),
        ("identity/entity/name/mallory", {"policies": ["break-glass"]}),
        ("identity/group/name/customers", {"policies": ["break-glass"]}),
        ("identity/oidc/config", {"issuer": "https://elsewhere.example"}),
        ("identity/oidc/client/www-estate-example", {"redirect_uris": ["https://elsewhere.example"]}),
        ("sys/policies/acl/user", {"policy": 'path "*" { capabilities = ["sudo"] }'}),
        ("identity/group/name/invented", {"type": "internal"}),
    ],
)
def test_who_keeps_people_gives_no_other_right(users: Users, path: str, body: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        users.people.write_data(path, data=body)


@pytest.mark.parametrize("path", ["auth/userpass/users/mallory", "identity/entity/name/mallory", "sys/auth/other"])
def test_who_deploys_makes_no_person(users: Users, path: str) -> None:
    with pytest.raises(Forbidden):
        users.admin.write_data(path, data={"password": "x" * 20})


def test_the_key_of_cookies_is_made_there_and_read_by_nobody_who_deploys(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAO_TOKEN", users.admin.token)
    props = {"path": "login/www.estate.example", "connection": users.bao.where.to_props()}
    assert (GeneratedProvider().create(props).outs or {})["made"]
    with pytest.raises(Forbidden):
        users.admin.read("secret/data/login/www.estate.example")
    secret: Any = users.breaker.read("secret/data/login/www.estate.example")
    assert len(secret["data"]["data"]["value"]) >= 43  # 32 bytes


# --- tokens for hosts without login ----------------------------------------------------------------------------------


def test_a_token_says_who_for_whom_how_long_and_which_groups(users: Users) -> None:
    token = users.token(users.session("alice", users.person("alice", "customers", customer="42")))
    (verifier,) = tokens.at_host(users.graph, CLUSTER, API)
    said = verified(token, keys(users, "identity/oidc"))
    assert header(token)["alg"] == "RS256"
    assert (said["iss"], said["aud"]) == (f"{HOME}/v1/identity/oidc", "estate")
    assert (said["iss"], (said["aud"],)) == (verifier.issuer, verifier.audiences)
    assert (said["name"], said["groups"], said["customer"]) == ("alice", ["customers"], "42")
    assert said["exp"] - said["iat"] == 600
    assert verifier.keys == "/v1/identity/oidc/.well-known/keys"


def test_who_is_in_no_group_has_none(users: Users) -> None:
    said = claims(users.token(users.session("nobody", users.person("nobody"))))
    assert (said["groups"], said["customer"]) == (None, "")


def test_groups_are_those_of_now(users: Users) -> None:
    session = users.session("ivy", users.person("ivy", "customers"))
    people.regroup(users.people, "ivy", ["claims-managers"], there=True)
    assert sorted(claims(users.token(session))["groups"]) == ["claims-managers", "customers"]
    people.regroup(users.people, "ivy", ["customers"], there=False)
    assert claims(users.token(session))["groups"] == ["claims-managers"]


def test_whoever_is_removed_is_nobody_at_once(users: Users) -> None:
    password = users.person("rob", "customers")
    session = users.session("rob", password)
    assert users.token(session)
    people.remove(users.people, "rob")
    assert users.ask("GET", "identity/oidc/token/api", session).status_code in (400, 403)
    assert browser(users, WWW).authorize(session).status_code in (400, 401, 403)
    assert users.login("rob", password).status_code == 400
    assert "rob" not in people.members(users.people)["customers"]


def test_a_person_may_change_the_own_password_and_nothing_else(users: Users) -> None:
    old = users.person("pam")
    users.person("paul")
    session = users.session("pam", old)
    for path, body in (
        ("auth/userpass/users/pam", {"token_policies": "break-glass"}),
        ("auth/userpass/users/pam/policies", {"token_policies": "break-glass"}),
        ("auth/userpass/users/paul/password", {"password": "mine"}),
        ("identity/entity/name/pam", {"metadata": {"customer": "1"}}),
        ("identity/group/name/customers", {"member_entity_ids": []}),
        ("auth/token/create", {"ttl": "30d"}),
    ):
        assert users.ask("POST", path, session, json=body).status_code == 403, path
    for path in (
        "auth/userpass/users/pam",
        "secret/data/login/www.estate.example",
        "identity/oidc/client/www-estate-example",
    ):
        assert users.ask("GET", path, session).status_code == 403, path
    assert users.ask("POST", "auth/userpass/users/pam/password", session, json={"password": "n" * 12}).ok
    assert users.login("pam", old).status_code == 400
    assert users.session("pam", "n" * 12)


def test_the_session_of_the_login_page_ends(users: Users) -> None:
    answer = users.login("sue", users.person("sue")).json()["auth"]
    assert answer["lease_duration"] == 3600
    assert answer["policies"] == ["user"]
    renewed = users.ask("POST", "auth/token/renew-self", answer["client_token"], json={"increment": "9000h"})
    assert renewed.status_code == 403


def test_a_key_that_was_rotated_still_verifies(users: Users) -> None:
    """The next key is published before it signs, the last one while tokens of it live: no cache is ever too old."""
    before = users.token(users.session("kim", users.person("kim")))
    published = kids(users, "identity/oidc")
    users.breaker.write_data("identity/oidc/key/api/rotate", data={})
    after = users.token(users.session("kim", people.reset(users.people, "kim")))
    assert header(after)["kid"] != header(before)["kid"]
    assert header(after)["kid"] in published, "known before it was used"
    for token in (before, after):
        assert verified(token, keys(users, "identity/oidc"))["name"] == "kim"


# --- browsers --------------------------------------------------------------------------------------------------------


def test_the_code_flow_gives_an_id_token_of_that_host_alone(users: Users) -> None:
    flow = browser(users, WWW)
    token = flow.id_token(users.session("bea", users.person("bea", "customers")))
    client, _ = users.client(WWW)
    (verifier,) = tokens.at_host(users.graph, CLUSTER, WWW)
    said = verified(token, keys(users, flow.provider))
    assert said["iss"] == verifier.issuer == f"{HOME}/v1/identity/oidc/provider/www-estate-example"
    assert (said["aud"], said["groups"], said["name"], said["nonce"]) == (client, ["customers"], "bea", "n")
    assert said["exp"] - said["iat"] == 600
    assert header(token)["kid"] in kids(users, flow.provider)
    assert header(token)["kid"] not in kids(users, browser(users, DESK).provider)


def test_asking_for_more_gives_nothing(users: Users) -> None:
    session = users.session("max", users.person("max"))
    wide = "openid groups profile email admin claims-managers"
    said = claims(browser(users, WWW).id_token(session, scope=wide))
    assert said["groups"] is None
    assert set(said) == {
        *("iss", "sub", "aud", "exp", "iat", "nonce", "at_hash", "c_hash", "namespace"),
        "groups",
        "name",
        "customer",
    }
    assert "groups" not in claims(browser(users, WWW).id_token(session, scope="openid"))


def test_where_every_route_is_for_a_group_only_that_group_logs_in(users: Users) -> None:
    inside = users.session("mona", users.person("mona", "claims-managers"))
    outside = users.session("otto", users.person("otto", "customers"))
    assert browser(users, DESK).id_token(inside)
    assert browser(users, DESK).authorize(outside).json()["error"] == "access_denied"


@pytest.mark.parametrize(
    "uri",
    [
        "https://elsewhere.example/oauth2/callback",
        "https://www.estate.example/oauth2/callback/",
        "https://www.estate.example/oauth2/callback?x=1",
        "https://www.estate.example:8443/oauth2/callback",
        "http://www.estate.example/oauth2/callback",
        "https://www.estate.example/oauth2/callback/../x",
        "https://desk.estate.example/oauth2/callback",
    ],
)
def test_a_code_goes_to_the_exact_address_only(users: Users, uri: str) -> None:
    session = users.session("uri", people.reset(users.people, "uri")) if known(users, "uri") else None
    session = session or users.session("uri", users.person("uri"))
    refused = browser(users, WWW).authorize(session, redirect_uri=uri)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_redirect_uri")
    assert browser(users, WWW).authorize(session).status_code == 200, "the control"


def known(users: Users, name: str) -> bool:
    return name in [person.name for person in people.everybody(users.people)]


def test_a_code_is_good_once_with_its_verifier_and_for_its_client(users: Users) -> None:
    session = users.session("cody", users.person("cody", "claims-managers"))
    flow, other = browser(users, WWW), browser(users, DESK)
    code = flow.authorize(session).json()["code"]
    assert flow.exchange(code).status_code == 200
    assert flow.exchange(code).json()["error"] == "invalid_grant"
    code = flow.authorize(session).json()["code"]
    assert flow.exchange(code, code_verifier="v" * 43).json()["error"] == "invalid_grant"
    code = flow.authorize(session).json()["code"]
    assert other.exchange(code).json()["error"] == "invalid_grant"
    secretless = users.ask(
        "POST",
        f"{flow.provider}/token",
        data={"grant_type": "authorization_code", "code": code},
        auth=(users.client(WWW)[0], "wrong"),
    )
    assert secretless.json()["error"] == "invalid_client"


def test_one_hosts_client_is_not_anothers(users: Users) -> None:
    """The provider of a host admits its one client, so its name stands for the audience."""
    client, _ = users.client(DESK)
    session = users.session("eva", users.person("eva", "claims-managers"))
    theirs = {"client_id": client, "redirect_uri": f"https://{DESK}/oauth2/callback"}
    refused = browser(users, WWW).authorize(session, **theirs)
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")
    assert browser(users, DESK).authorize(session, **theirs).status_code == 200, "the control"


def test_what_is_not_offered_is_refused(users: Users) -> None:
    """No password grant, no token without a person, no implicit flow."""
    flow = browser(users, WWW)
    for grant in ("password", "client_credentials", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"):
        answer = users.ask("POST", f"{flow.provider}/token", data={"grant_type": grant}, auth=users.client(WWW))
        assert answer.status_code == 400, grant
    session = users.session("ida", users.person("ida"))
    assert flow.authorize(session, response_type="token").json()["error"] == "unsupported_response_type"


# --- strangers -------------------------------------------------------------------------------------------------------


def refusal(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.text


def test_nobody_learns_who_there_is(users: Users) -> None:
    """The same status and words for a wrong password and for nobody, until OpenBao locks a name that there is; what
    it says then is made alike at the edge (test_login.py).
    """
    users.person("known")
    told = {name: [refusal(users.login(name, "wrong")) for _ in range(6)] for name in ("known", "unknown")}
    assert told["known"][:5] == told["unknown"][:5]
    assert [answers[5][0] for answers in told.values()] == [403, 400]
    for path in ("auth/userpass/users", "auth/userpass/users/known", "identity/entity/name/known"):
        assert users.ask("GET", path).status_code == 403


def test_how_long_a_refusal_takes_tells_little(users: Users) -> None:
    """Both compare a hash. Loopback, noisy: a factor of two is what this can see, and what it would notice."""
    users.person("timed")
    spent: dict[str, list[float]] = {"timed": [], "untimed": []}
    for _ in range(4):
        for name, times in spent.items():
            began = time.perf_counter()
            users.login(name, "wrong")
            times.append(time.perf_counter() - began)
    one, other = (statistics.median(times) for times in spent.values())
    print(f"\nrefusal of a known name {one * 1e3:.1f} ms, of an unknown one {other * 1e3:.1f} ms (medians of 4)")
    assert 0.5 < one / other < 2


def test_wrong_passwords_lock_the_name_for_a_while(users: Users) -> None:
    password = users.person("lola")
    for _ in range(5):
        assert users.login("lola", "wrong").status_code == 400
    assert users.login("lola", password).status_code == 403
    eventually(lambda: users.login("lola", password).status_code == 200, "the name is free again", LOCKOUT * 5)


def test_the_login_page_is_there_and_shows_the_one_way_in(users: Users) -> None:
    page = requests.get(f"{users.bao.address}/ui/", verify=users.bao.ca_file, timeout=20)
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    ways = users.ask("GET", "sys/internal/ui/mounts").json()["data"]["auth"]
    assert list(ways) == ["userpass/"]
    crossed = users.ask("OPTIONS", "sys/health")
    assert "access-control-allow-origin" not in crossed.headers


# --- people ----------------------------------------------------------------------------------------------------------


def test_mistakes_are_told_and_change_nothing(users: Users) -> None:
    users.person("fred", "customers")
    for name, groups, said in (
        ("fred", [], "there is a user 'fred' already"),
        ("Fred", [], "no name for a user"),
        ("../x", [], "no name for a user"),
        ("frida", ["custmers"], "did you mean 'customers'"),
    ):
        with pytest.raises(StoreError, match=said):
            people.add(users.people, name, groups, {})
    with pytest.raises(StoreError, match="is no claim"):
        people.add(users.people, "frida", [], {"customer": ""})
    with pytest.raises(StoreError, match="did you mean 'fred'"):
        people.remove(users.people, "fredd")
    assert not known(users, "frida")


def test_what_was_cut_off_is_made_whole_by_the_same_command(users: Users) -> None:
    users.people.write_data("identity/entity/name/half", data={"metadata": {"customer": "1"}})
    password = users.person("half", "customers", customer="2")
    said = claims(users.token(users.session("half", password)))
    assert (said["groups"], said["customer"]) == (["customers"], "2")


# --- `garrison users` ------------------------------------------------------------------------------------------------


def garrison(users: Users, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["users", "--address", users.bao.address, "--ca", users.bao.ca_file, *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def as_keeper(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAO_TOKEN", users.people.token)


@pytest.mark.usefixtures("as_keeper")
def test_people_are_kept_on_a_command_line(users: Users, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = garrison(users, capsys, "add", "zoe", "--group", "customers", "--claim", "customer=7")
    assert (code, err) == (0, "")
    said = dict(line.split() for line in out.splitlines() if line.startswith(("user ", "password ")))
    assert said["user"] == "zoe"
    token = claims(users.token(users.session("zoe", said["password"])))
    assert (token["groups"], token["customer"]) == (["customers"], "7")
    assert "zoe" in garrison(users, capsys, "list")[1]
    (row,) = [line.split() for line in garrison(users, capsys, "list")[1].splitlines() if line.startswith("zoe ")]
    assert row == ["zoe", "customers", "customer=7"]
    assert garrison(users, capsys, "join", "zoe", "--group", "claims-managers")[0] == 0
    assert garrison(users, capsys, "leave", "zoe", "--group", "customers")[0] == 0
    (inside,) = [text for text in garrison(users, capsys, "groups")[1].splitlines() if text.startswith("claims-man")]
    assert "zoe" in inside
    _, out, _ = garrison(users, capsys, "reset", "zoe")
    assert said["password"] not in out
    assert users.login("zoe", said["password"]).status_code == 400
    assert garrison(users, capsys, "remove", "zoe") == (0, "", "")
    assert "zoe" not in garrison(users, capsys, "list")[1]


@pytest.mark.usefixtures("as_keeper")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("remove", "nobody-here"), "there is no user 'nobody-here'"),
        (("reset", "nobody-here"), "there is no user 'nobody-here'"),
        (("join", "nobody-here", "--group", "customers"), "there is no user 'nobody-here'"),
        (("add", "yan", "--group", "customer"), "did you mean 'customers'?"),
        (("add", "Yan"), "is no name for a user"),
        (("add", "yan", "--claim", "a b=c"), "is no claim"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    users: Users, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = garrison(users, capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_who_may_not_is_told_so(
    users: Users, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAO_TOKEN", users.session("joe", users.person("joe")))
    code, out, err = garrison(users, capsys, "list")
    assert (code, out) == (2, "")
    assert "permission denied" in err
    assert err.count("\n") == 1
