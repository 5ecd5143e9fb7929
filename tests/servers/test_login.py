"""Logging in as deployed: a real OpenBao, the real agent that brings the edge its files, a real edge that takes them.

What is played: the API server that vouches for the agent's account, and the services behind the edge.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from garrison import defaults as d
from garrison.deployment.vault import store
from garrison.derive import login
from garrison.derive.edge.login import responses
from garrison.model.graph import Graph
from garrison.words import Ref
from harness.build import binary
from servers.edges import CLUSTER, Edge, ask, stand
from servers.proxies import eventually
from servers.reviewing import Reviewer, reviewing
from servers.users import Users, claims, issuing
from servers.visits import Visit
from unit.authority import Authority
from unit.estates import shop_app
from unit.served import API, DESK, LOGIN, WWW, served_app

KINDS = ("oauth2", "jwt", "client", "cookie")
TOKEN = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")  # header and claims begin with {" (RFC 7515, section 3.1)


@dataclass(frozen=True)
class Place:
    users: Users
    edge: Edge
    files: Path
    reviewer: Reviewer


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder, graph, root = tmp_path_factory.mktemp("login"), served_app().graph(), Authority.fresh()
    (folder / "bao").mkdir()
    files = folder / "files"
    with (
        reviewing(folder / "api", root) as reviewer,
        issuing(folder / "bao", graph, CLUSTER, reviewer.config, root) as users,
        agent(users, graph, reviewer, files),
    ):
        issuer = f'"address":"localhost","port_value":{users.bao.port}'
        moved = {login.DIR: str(files), '"address":"users.users.svc","port_value":8200': issuer}
        with stand(folder / "edge", graph, moved, root) as edge:
            yield Place(users, edge, files, reviewer)


@contextmanager
def agent(users: Users, graph: Graph, reviewer: Reviewer, files: Path) -> Iterator[None]:
    """The agent with the configuration that its pod has, its paths and addresses moved to here."""
    admin = users.admin
    for path in login.cookie_paths(graph, d.USERS):
        assert store.generate(admin, path, login.EMBEDDED)
    files.mkdir()
    token = files.parent / "token"
    token.write_text(reviewer.token(d.EDGE, "users"))
    (config,) = login.agent_config(graph, CLUSTER, responses(graph, CLUSTER)).values()
    moved = {
        "https://users.users.svc:8200": users.bao.address,
        f"{d.TRUST_DIR}/{d.TRUST_FILE}": users.bao.ca_file,
        "/run/login-token/users/token": str(token),
        f'"{login.DIR}/': f'"{files}/',
    }
    for old, new in moved.items():
        config = config.replace(old, new)
    # paths inside of what it writes as well: the edge here watches the same folder
    config = config.replace(f'\\"{login.DIR}', f'\\"{files}')
    (files.parent / "agent.json").write_text(config)
    command = [str(binary("bao")), "agent", f"-config={files.parent / 'agent.json'}"]
    home = {"HOME": str(files.parent), "PATH": "/usr/bin"}
    with (files.parent / "agent.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=home)
    wanted = [files / Path(login.file(kind, host.name)).name for host in login.hosts(graph) for kind in KINDS]
    try:
        eventually(lambda: all(path.exists() for path in wanted), (files.parent / "agent.log").read_text()[-800:], 30)
        yield
    finally:
        process.terminate()
        process.wait(20)


def read(place: Place, kind: str, host: str) -> Any:
    (resource,) = json.loads((place.files / f"{kind}-{host}.json").read_text())["resources"]
    return resource


# --- the agent -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [WWW, DESK])
def test_it_brings_the_very_client_and_the_very_keys(place: Place, host: str) -> None:
    client, secret = place.users.client(host)
    assert read(place, "client", host)["generic_secret"]["secret"]["inline_string"] == secret
    key: Any = place.users.breaker.read(f"secret/data/login/{host}")
    assert read(place, "cookie", host)["generic_secret"]["secret"]["inline_string"] == key["data"]["data"]["value"]
    assert read(place, "oauth2", host)["typed_config"]["config"]["credentials"]["client_id"] == client
    (provider,) = read(place, "jwt", host)["typed_config"]["providers"].values()
    assert provider["audiences"] == [client], "exactly"


def test_each_host_has_a_client_and_keys_of_its_own(place: Place) -> None:
    for kind in ("client", "cookie"):
        values = {read(place, kind, host)["generic_secret"]["secret"]["inline_string"] for host in (WWW, DESK)}
        assert len(values) == 2


def test_files_are_for_the_group_of_the_pod_and_for_nobody_else(place: Place) -> None:
    assert {oct(path.stat().st_mode & 0o777) for path in place.files.glob("*.json")} == {"0o440"}


def entered(place: Place, account: Ref, audience: str, role: str = login.EMBEDDED.of(d.EDGE)) -> Any:
    body = {"role": role, "jwt": place.reviewer.token(account, audience)}
    return place.users.ask("POST", "auth/kubernetes/login", json=body)


def test_the_edge_reads_its_clients_and_keys_and_nothing_else(place: Place) -> None:
    session = entered(place, d.EDGE, "users").json()["auth"]
    assert session["policies"] == [login.EMBEDDED.of(d.EDGE)]
    token = session["client_token"]
    assert place.users.ask("GET", "identity/oidc/client/www-estate-example", token).status_code == 200, "the control"
    for path in (
        "identity/oidc/client?list=true",
        "identity/entity/name?list=true",
        "auth/userpass/users?list=true",
        "secret/data/login/other.estate.example",
        "secret/metadata/login?list=true",
        "identity/oidc/token/api",
        "identity/oidc/provider/www-estate-example/authorize",
        "sys/policies/acl/user",
    ):
        assert place.users.ask("GET", path, token).status_code == 403, path
    for path in ("identity/oidc/client/www-estate-example", "secret/data/login/www.estate.example"):
        assert place.users.ask("POST", path, token, json={"data": {}}).status_code == 403, path


@pytest.mark.parametrize(
    ("account", "audience"),
    [
        (Ref("shop", "edge"), "users"),
        (Ref("edge", "other"), "users"),
        (d.EDGE, "openbao"),
        (d.EDGE, "https://kubernetes.default.svc"),
    ],
)
def test_nobody_else_enters_as_the_edge(place: Place, account: Ref, audience: str) -> None:
    assert entered(place, account, audience).status_code in (400, 403)
    assert entered(place, d.EDGE, "users").status_code == 200, "the control"


@pytest.mark.parametrize("role", ["garrison-admin", "people-admin", "break-glass"])
def test_each_login_of_the_platform_is_for_its_own_account(place: Place, role: str) -> None:
    assert entered(place, d.EDGE, "users", role).status_code in (400, 403)
    assert entered(place, Ref("users", role), "openbao", role).status_code in (400, 403)
    assert entered(place, Ref("users", role), "users", role).json()["auth"]["lease_duration"] == 900


# --- a person in a browser, through the edge -------------------------------------------------------------------------


def logged_in(place: Place, user: str, password: str, host: str = WWW) -> Visit:
    """Everything that a browser does, up to the page that it wanted."""
    visit = Visit(place.edge, host)
    status, location = visit.get("/orders/42")
    assert status == 302
    asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    # the password goes past the edge here, whose limit for one address these tests would meet
    page, session = urlsplit(location), {"x-vault-token": place.users.session(user, password)}
    assert page.netloc == f"{LOGIN}:8443"
    api = page.path.replace("/ui/vault/", "/v1/")
    code = ask(place.edge, "GET", f"{api}?{page.query}", at=LOGIN, headers=session).json["code"]
    state = quote(asked["state"], safe="")
    status, location = visit.get(f"{urlsplit(asked['redirect_uri']).path}?code={code}&state={state}")
    assert (status, location) == (302, f"https://{host}:8443/orders/42"), place.edge.log.read_text()[-2000:]
    return visit


def test_a_browser_logs_in_and_its_session_is_a_user(place: Place) -> None:
    password = place.users.person("anna", "customers", customer="42")
    visit = logged_in(place, "anna", password)
    assert visit.get("/orders/42") == (200, "")
    assert visit.get("/orders/43") == (403, ""), "somebody else's"
    assert password not in visit.cookies
    session = place.users.session("lee", place.users.person("lee"))
    assert TOKEN.search(place.users.token(session)), "the control"
    assert not TOKEN.search(visit.cookies), "no token is readable in a cookie"


def test_who_logs_out_is_out(place: Place) -> None:
    visit = logged_in(place, "lea", place.users.person("lea", customer="42"))
    assert visit.get("/orders/42")[0] == 200
    status, location = visit.get("/logout")
    left = urlsplit(location)
    # and the issuer's page forgets her, too; Envoy tells it whose session it was (OpenID Connect RP-Initiated Logout)
    assert (status, left.netloc, left.path) == (302, f"{LOGIN}:8443", "/ui/vault/logout")
    assert set(parse_qs(left.query)) <= {"id_token_hint", "client_id"}
    assert visit.get("/orders/42")[0] == 302


def test_pkce_is_used(place: Place) -> None:
    location = ask(place.edge, "GET", "/orders/42", at=WWW).headers["location"]
    asked = parse_qs(urlsplit(location).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43
    assert asked["client_id"] == [place.users.client(WWW)[0]]
    assert asked["scope"] == ["openid groups"]


def test_a_session_of_one_host_is_none_of_another(place: Place) -> None:
    """Its cookies are encrypted with another key there, and the token in them is another issuer's."""
    visit = logged_in(place, "nina", place.users.person("nina", "claims-managers", customer="42"))
    assert visit.get("/orders/42")[0] == 200, "the control"
    elsewhere = {"cookie": visit.cookies, "origin": f"https://{DESK}:8443"}
    assert ask(place.edge, "POST", "/claims/1/refunds", at=DESK, headers=elsewhere).status == 401


def test_what_is_not_of_a_login_is_not_there(place: Place) -> None:
    """Token endpoint, keys, discovery and administration of the issuer are not for strangers."""
    for method, path in (
        ("POST", "/v1/identity/oidc/provider/www-estate-example/token"),
        ("GET", "/v1/identity/oidc/provider/www-estate-example/.well-known/keys"),
        ("GET", "/v1/sys/auth"),
        ("POST", "/v1/auth/kubernetes/login"),
        ("POST", "/v1/auth/userpass/users/mallory"),
        ("POST", "/v1/sys/unseal"),
        ("GET", "/v1/sys/metrics"),
    ):
        assert ask(place.edge, method, path, at=LOGIN, body=b"{}").status in (404, 405), path


def test_a_locked_name_is_told_what_a_wrong_password_is_told(place: Place) -> None:
    """OpenBao itself answers otherwise (test_users.py): it would say who there is."""
    place.users.person("lock")
    for _ in range(5):
        assert place.users.login("lock", "wrong").status_code == 400
    assert place.users.login("lock", "wrong").status_code == 403, "the control: it is locked"
    told = [
        ask(place.edge, "POST", f"/v1/auth/userpass/login/{name}", at=LOGIN, body=b'{"password":"wrong"}')
        for name in ("lock", "nobody-at-all")
    ]
    assert {answer.status for answer in told} == {400}
    assert {answer.body for answer in told} == {'{"errors":["invalid username or password"]}\n'}
    varied = {"date", "x-envoy-upstream-service-time", "x-ratelimit-remaining", "x-ratelimit-reset", "x-request-id"}
    one, other = ({k: v for k, v in answer.headers.items() if k not in varied} for answer in told)
    assert one == other


def test_a_stranger_cannot_go_on_guessing(place: Place) -> None:
    """Counted for the address whoever the name is: the others' names are not locked by it."""
    statuses = [
        ask(place.edge, "POST", f"/v1/auth/userpass/login/guess-{n}", at=LOGIN, body=b'{"password":"x"}').status
        for n in range(d.PASSWORD_RATE[0] + 3)
    ]
    assert statuses[-1] == 429
    assert 429 in statuses


# --- machines and people on a command line ---------------------------------------------------------------------------


def garrison(place: Place, folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The command as a user runs it, a process of its own."""
    (folder / "graph.json").write_text(place.users.graph.to_json())
    (folder / "cluster.json").write_text(CLUSTER.to_json())
    where = ["--app", str(folder / "graph.json"), "--cluster", str(folder / "cluster.json")]
    where += ["--edge", f"https://127.0.0.1:{place.edge.port}", "--ca", place.users.bao.ca_file]
    command = [sys.executable, "-m", "garrison", arguments[0], *where, *arguments[1:]]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=60)


def rested(place: Place, folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The same, after the limit per address has let go of us."""
    deadline = time.monotonic() + 90
    while "too many logins" in (done := garrison(place, folder, *arguments, stdin=stdin)).stderr:
        assert time.monotonic() < deadline
        time.sleep(3)
    return done


def test_a_token_on_the_command_line_is_one_the_edge_takes(place: Place, tmp_path: Path) -> None:
    password = place.users.person("cli", "customers", customer="42")
    done = rested(place, tmp_path, "token", "--user", "cli", "--host", API, stdin=f"{password}\n")
    assert (done.returncode, done.stderr) == (0, "")
    token = done.stdout.strip()
    assert claims(token)["groups"] == ["customers"]
    assert ask(place.edge, "GET", "/orders/42", token=token).status == 200
    assert ask(place.edge, "GET", "/orders/43", token=token).status == 403
    assert ask(place.edge, "POST", "/claims/1/refunds", token=token).status == 403
    assert ask(place.edge, "GET", "/orders/42").status == 401


def test_a_password_is_changed_by_who_knows_it(place: Place, tmp_path: Path) -> None:
    old = place.users.person("pat")
    assert "use 12 or more" in rested(place, tmp_path, "password", "--user", "pat", stdin=f"{old}\nshort\n").stderr
    done = rested(place, tmp_path, "password", "--user", "pat", stdin=f"{old}\na longer sentence\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert place.users.login("pat", old).status_code == 400
    assert place.users.session("pat", "a longer sentence")


def test_what_cannot_be_done_is_one_line_and_code_2(place: Place, tmp_path: Path) -> None:
    for arguments, stdin, said in (
        (("token", "--user", "nobody"), "x\n", "no such user, a wrong password, or too many"),
        (("token", "--user", "Nobody"), "x\n", "is no name of a user"),
        (("token", "--user", "nobody"), "", "no password"),
        (("token", "--user", "nobody", "--host", WWW), "x\n", f"{WWW} takes no such token"),
        (("token", "--user", "nobody", "--edge", "http://127.0.0.1"), "x\n", "is refused; write https://"),
        (("token", "--user", "nobody", "--edge", "https://127.0.0.1:1"), "x\n", "refused"),
        (("token", "--user", "nobody", "--ca", str(tmp_path / "none.pem")), "x\n", "no certificates to be read"),
        (("token", "--user", "nobody", "--ca", "/etc/ssl/certs/ca-certificates.crt"), "x\n", "is not accepted"),
    ):
        done = rested(place, tmp_path, *arguments, stdin=stdin)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert said in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr


def test_the_pod_waits_for_the_files(place: Place) -> None:
    """The probe of the agent's container: it fails without one of the files, and needs no shell."""
    (container,) = login.containers(place.users.graph, CLUSTER)
    command = [str(part) for part in container["startupProbe"]["exec"]["command"]]
    here = [part.replace("/usr/bin/bao", str(binary("bao"))).replace(login.DIR, str(place.files)) for part in command]
    assert subprocess.run(here, capture_output=True, check=False, timeout=30).returncode == 0
    missing = [part.replace(f"cookie-{WWW}", "cookie-none") for part in here]
    assert missing != here
    assert subprocess.run(missing, capture_output=True, check=False, timeout=30).returncode != 0


# --- another issuer --------------------------------------------------------------------------------------------------


def test_hosts_of_another_issuer_are_kept_in_the_secret_store() -> None:
    graph = served_app(foreign=True).graph()
    assert list(login.keepers(graph)) == [login.STORE, d.USERS]
    (wanted, role) = login.store_objects(graph, login.STORE)
    assert wanted.body["policy"].splitlines()[:2] == [
        'path "secret/data/login/www.estate.example" { capabilities = ["read"] }',
        'path "secret/data/people/client" { capabilities = ["read"] }',
    ]
    assert role.body["audience"] == "openbao"
    names = [container["name"] for container in login.containers(graph, CLUSTER)]
    assert names == ["login-store", "login"]
    config = json.loads(login.agent_config(graph, CLUSTER, responses(graph, CLUSTER))["openbao.json"])
    text = next(t["contents"] for t in config["template"] if t["destination"].endswith(f"oauth2-{WWW}.json"))
    assert '"client_id":"estate-www"' in text


def test_without_a_login_there_is_no_agent() -> None:
    graph = shop_app().graph()
    assert login.agent_config(graph, CLUSTER, responses(graph, CLUSTER)) == {}
    assert [*login.containers(graph, CLUSTER), *login.volumes(graph, CLUSTER), *login.mounts(graph)] == []
