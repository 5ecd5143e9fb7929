"""A store of somebody else's, for real: other mounts, a namespace, a prefix, an authority of its own."""

# ruff: noqa: F811 the fixtures imported here are arguments below
from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hvac
import psycopg
import pytest
from hvac.exceptions import Forbidden

from engine.test_run import Said, config, under_pulumi  # noqa: F401 fixtures
from garrison import App, cli
from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.deployment import derived
from garrison.deployment import standing as company
from garrison.deployment.platform.store_config import required, text
from garrison.deployment.vault import StoreError, checking, connection, store
from garrison.deployment.vault.resources import GeneratedProvider, StoreProvider
from garrison.derive import secrets
from garrison.derive.secrets import store_objects
from garrison.prove.expect.data import STORE
from garrison.prove.expect.expected import expected
from garrison.prove.judge import classify
from garrison.prove.look.world import Place as Address
from garrison.prove.look.world import World, administration, specs
from garrison.prove.model import Kind, Probe, StoreRequest
from garrison.words import Ref
from garrison_stack import run
from harness.build import binary
from prober.batch import observe
from servers import audited
from servers.own_store import TENANT, Place, administer, described, standing
from servers.proxies import eventually
from servers.test_database import Server, programs, server  # noqa: F401
from unit.estates import DIGEST, empty_app

ADMIN = Ref("openbao", "garrison-admin")
PROGRAM = "from servers.test_own_store import estate\napp = estate()\n"
LINES = [grant for grant in required(secrets.PLATFORM, ADMIN.name) if "deny" not in grant.capabilities]


def estate(*, leases: bool = True) -> App:
    app = empty_app()
    shop, bank = app.namespace("shop"), app.namespace("bank")
    image: Any = {"image": "registry.example/x" + DIGEST, "port": 8080}
    shop.service("orders", **image).reads("psp/api-key")
    shop.service("claims", **image).reads("claims/key")
    if leases:
        shop.service("books", **image).uses(bank.postgres("ledger"), role="writer")
    return app


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with standing(tmp_path_factory.mktemp("own")) as made:
        yield made


@pytest.fixture(autouse=True)
def _entering(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the account of the cluster, for whose token kubectl would be asked; nobody has a token of the store."""

    def kubectl(words: list[str]) -> str:
        assert words[:3] == ["create", "token", ADMIN.name], words
        return place.reviewer.token(ADMIN, words[words.index("--audience") + 1])

    monkeypatch.setattr(connection, "kubectl", kubectl)
    for name in ("BAO_TOKEN", "VAULT_TOKEN", "GARRISON_EXCEPTIONS", "GARRISON_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(PROGRAM)


@pytest.fixture
def file(place: Place, tmp_path: Path) -> str:
    """What `garrison render -o` says of this store."""
    stack = described(place, tmp_path, storeDatabaseClient="/etc/openbao/client", generatedSecrets=["psp/api-key"])
    assert cli.main(["render", "--app", "app.py", "--cluster", str(stack), "-o", "out"]) == 0
    return "out/store.json"


@pytest.fixture
def clean(place: Place) -> Iterator[None]:
    yield
    keeper = place.keeper
    for path in reversed([one.path for one in objects(place)]):
        keeper.delete(path)
    for name in ("psp/api-key", "claims/key"):
        keeper.delete(place.store.metadata(name))


def objects(place: Place, *, leases: bool = False) -> list[secrets.StoreObject]:
    return list(store_objects(estate(leases=leases).graph(), place.store))


def there(place: Place) -> list[str]:
    keeper = place.keeper
    return [one.path for one in objects(place, leases=True) if store.read(keeper, one.path, one.body) is not None]


def written(place: Place) -> None:
    for one in objects(place):
        StoreProvider().create({"path": one.path, "body": dict(one.body), "connection": place.where().to_props()})


# --- what is written -------------------------------------------------------------------------------------------------


def test_all_is_written_below_the_prefix_in_the_namespace_and_read_back(place: Place, clean: None) -> None:
    props = place.where().to_props()
    for one in objects(place):
        wanted = {"path": one.path, "body": dict(one.body), "connection": props}
        made = StoreProvider().create(wanted)
        assert StoreProvider().read(made.id, wanted).outs == wanted
    paths = [one.path for one in objects(place)]
    assert paths[:2] == ["sys/policies/acl/prod.shop.claims", "auth/k8s/prod/role/prod.shop.claims"]
    if TENANT:
        root: Any = place.bao.user("break-glass").list("sys/policies/acl")
        assert not [name for name in root["data"]["keys"] if "shop" in name], "nothing in the root namespace"


def test_a_value_is_made_up_there_and_taken_away_again(place: Place, clean: None) -> None:
    props = {"path": "psp/api-key", "connection": place.where().to_props()}
    made = GeneratedProvider().create(props).outs
    assert made == props | {"made": True}
    kept: Any = place.keeper.read("kv-shop/data/prod/psp/api-key")
    assert len(kept["data"]["data"]["value"]) >= 32
    assert GeneratedProvider().read("psp/api-key", props).id == "psp/api-key"
    GeneratedProvider().delete("psp/api-key", made or {})
    assert GeneratedProvider().read("psp/api-key", props).id is None


def test_files_bring_the_same(place: Place, clean: None, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    stack = described(place, tmp_path, generatedSecrets=["psp/api-key"])
    (tmp_path / "app.py").write_text(PROGRAM.replace("()", "(leases=False)"))
    assert cli.main(["render", "--app", "app.py", "--cluster", str(stack), "-o", "out"]) == 0
    capsys.readouterr()
    assert cli.main(["store", "apply", "out/store.json"]) == 0
    assert capsys.readouterr().out == "openbao/openbao: 4 objects written, 1 of 1 values made up\n"
    assert there(place) == [one.path for one in objects(place)]


# --- what pods read --------------------------------------------------------------------------------------------------


def agent(place: Place, folder: Path, as_whom: Ref, config: dict[str, str]) -> subprocess.Popen[bytes]:
    """The real agent with the files of its ConfigMap; its paths are moved to here, and nothing else."""
    token = place.reviewer.token(as_whom, place.store.audience)
    (folder / "token").write_text(token)
    for name, content in config.items():
        moved = content.replace(secrets.AGENT_DIR, str(folder)).replace(f"{d.TOKEN_DIR}/token", str(folder / "token"))
        (folder / name).write_text(moved.replace(f'"{d.SECRETS_DIR}/', f'"{folder}/out/'))
    command = [str(binary("bao")), "agent", f"-config={folder / 'agent.json'}"]
    with (folder / "agent.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env={"HOME": str(folder), "PATH": "/usr/bin"})


def test_the_agent_of_a_pod_reads_its_secret(place: Place, clean: None, tmp_path: Path) -> None:
    written(place)
    place.keeper.write_data(place.store.secret("psp/api-key"), data={"data": {"value": "there it is"}})
    config = secrets.agent_config(estate(leases=False).graph(), Ref("shop", "orders"), place.store)
    assert sorted(config) == ["agent.json", "store-ca.pem"]
    folder = tmp_path / "pod"
    folder.mkdir()
    process, file = agent(place, folder, Ref("shop", "orders"), config), folder / "out" / "psp" / "api-key"
    try:
        eventually(file.exists, (folder / "agent.log").read_text()[-800:], 30)
        assert file.read_text() == "there it is"
    finally:
        process.terminate()
        process.wait(20)


def as_service(place: Place, ref: Ref) -> hvac.Client:
    client = hvac.Client(url=place.bao.address, verify=place.bao.ca_file, namespace=TENANT or None)
    jwt = place.reviewer.token(ref, "openbao")
    client.auth.kubernetes.login(role=place.store.of(ref), jwt=jwt, mount_point="k8s/prod")
    return client


def test_a_strangers_prefix_cannot_be_read(place: Place, clean: None) -> None:
    written(place)
    keeper, stage = place.keeper, place.of("stage")
    for one in (place.store, stage):
        keeper.write_data(one.secret("psp/api-key"), data={"data": {"value": "x"}})
    orders = as_service(place, Ref("shop", "orders"))
    assert orders.read("kv-shop/data/prod/psp/api-key"), "the control"
    for path in ("kv-shop/data/stage/psp/api-key", "kv-shop/data/psp/api-key", "kv-shop/data/prod/claims/key"):
        with pytest.raises(Forbidden):
            orders.read(path)
    keeper.delete(stage.metadata("psp/api-key"))


def test_the_deployer_of_one_prefix_writes_nothing_of_another(place: Place, clean: None) -> None:
    written(place)  # the control
    with connection.client(place.where()) as prod:
        for path in ("sys/policies/acl/stage.shop.orders", "auth/k8s/prod/role/stage.shop.orders"):
            with pytest.raises(Forbidden):
                prod.write_data(path, data={"policy": "", "bound_service_account_names": ["x"]})
        for path in ("sys/policies/acl/prod.garrison-admin", "auth/k8s/prod/role/prod.garrison-admin"):
            with pytest.raises(Forbidden):
                prod.write_data(path, data={"policy": "", "bound_service_account_names": ["x"]})


def test_a_deployer_decides_what_a_policy_says(place: Place, clean: None) -> None:
    """What docs/secret-store.md says: a prefix keeps services apart, and a namespace those who deploy them."""
    written(place)
    path = place.of("stage").secret("psp/api-key")
    place.keeper.write_data(path, data={"data": {"value": "x"}})
    orders = as_service(place, Ref("shop", "orders"))
    with pytest.raises(Forbidden):
        orders.read(path)
    with connection.client(place.where()) as prod:
        policy = f'path "{path}" {{ capabilities = ["read"] }}'
        prod.write_data("sys/policies/acl/prod.shop.orders", data={"policy": policy})
    assert orders.read(path)
    place.keeper.delete(place.of("stage").metadata("psp/api-key"))


# --- what is missing is said before anything is changed --------------------------------------------------------------


def lines(place: Place) -> list[str]:
    return [str(grant) for grant in required(place.store, ADMIN.name)]


@pytest.mark.parametrize("number", range(len(LINES)), ids=[grant.path for grant in LINES])
def test_a_policy_that_is_one_line_short_is_refused_with_that_line(
    place: Place, file: str, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    wanted = required(place.store, ADMIN.name)
    short = [grant for grant in wanted if "deny" not in grant.capabilities][number]
    policy = "sys/policies/acl/prod.garrison-admin"
    own = "auth/k8s/prod/role/prod.garrison-admin"
    role: Any = place.keeper.read(own)
    place.keeper.write_data(policy, data={"policy": text(grant for grant in wanted if grant != short)})
    place.keeper.write_data(own, data={**role["data"], "token_no_default_policy": True})  # it may ask for itself
    capsys.readouterr()
    try:
        assert cli.main(["store", "apply", file, "--wait", "0"]) == 2
    finally:
        place.keeper.write_data(policy, data={"policy": text(wanted)})
        place.keeper.write_data(own, data=role["data"])
    said = capsys.readouterr().err.splitlines()
    assert said[1:] == [f"garrison store:   in the policy of prod.garrison-admin: {short}"]
    assert there(place) == [], "nothing was written"


def test_a_policy_of_all_lines_lacks_nothing(place: Place) -> None:
    """The control of the above; `up` and `preview` ask the very same."""
    cluster = Cluster(store=replace(place.store, database_client="/x"))
    kept = derived.secrets(estate().graph(), cluster)
    checking.check(place.where(), kept, ["psp/api-key"], outside=True)


def test_one_call_asks_in_a_preview_and_registers_nothing(
    place: Place,
    under_pulumi: Callable[..., Said],
    config: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(company, "check", lambda _: None)  # a cluster under test has no issuer of this company
    said = json.loads(described(place, tmp_path, storeDatabaseClient="/x").read_text())["config"]
    text_of = {key: value if isinstance(value, str) else json.dumps(value) for key, value in said.items()}
    config(**{key.removeprefix("garrison:"): value for key, value in text_of.items()})
    policy = "sys/policies/acl/prod.garrison-admin"
    wanted = required(place.store, ADMIN.name)
    place.keeper.write_data(policy, data={"policy": text(wanted[1:])})
    try:
        refused = under_pulumi(lambda: run(estate()))
    finally:
        place.keeper.write_data(policy, data={"policy": text(wanted)})
    assert refused.errors.splitlines() == [
        f"the secret store {place.bao.address} lacks:",
        f"  in the policy of prod.garrison-admin: {wanted[0]}",
    ]
    made = under_pulumi(lambda: run(estate()))
    names = [args.name for args in made.seen if args.typ.endswith(":StoreObject")]
    assert names == [one.path for one in objects(place, leases=True)], "the control"


def lacking(place: Place, **other: Any) -> list[str]:
    """What is said of a store that is laid out so, to somebody who may do everything there."""
    where = replace(place.where(), **other)
    needed = store.needed([one.path for one in objects(place, leases=True)], [], where)
    return [*checking.lacks(place.keeper if "tenant" not in other else elsewhere(place), where, needed, outside=True)]


def elsewhere(place: Place) -> hvac.Client:
    return hvac.Client(url=place.bao.address, verify=place.bao.ca_file, token=place.keeper.token, namespace="team-z")


def test_each_thing_that_is_not_there_is_one_line_with_what_to_do(place: Place) -> None:
    keeper = place.keeper
    keeper.write_data("sys/mounts/old", data={"type": "kv", "options": {"version": "1"}})
    keeper.write_data("sys/auth/people", data={"type": "userpass"})
    keeper.write_data("sys/auth/near", data={"type": "kubernetes"})
    assert lacking(place) == [], "the control"
    assert lacking(place, kv="none") == ["an engine at none/: bao secrets enable -path=none -version=2 kv"]
    assert lacking(place, kv="old") == [
        "version 2 of the engine at old/: bao kv enable-versioning old, or name another mount"
    ]
    assert lacking(place, kv="pg-shop")[0].startswith("an engine of type kv at pg-shop/, where there is one of type")
    assert lacking(place, auth="none") == ["a login at auth/none/: bao auth enable -path=none kubernetes"]
    assert lacking(place, auth="people") == [
        "a login of type kubernetes at auth/people/, where there is one of type userpass"
    ]
    assert lacking(place, auth="near")[0].startswith("the API server of auth/near/: bao write auth/near/config")
    inside = {**place.reviewer.config, "kubernetes_host": "https://kubernetes.default.svc"}
    keeper.write_data("auth/near/config", data=inside)
    assert lacking(place, auth="near")[0].startswith("an API server that it reaches, where auth/near/ has https://kub")
    if TENANT:
        assert lacking(place, tenant="team-z") == [
            "the namespace team-z (namespace not found): name one that is there, or have it made"
        ]


def test_without_a_role_the_login_is_refused_in_one_line(place: Place) -> None:
    kept = derived.secrets(estate(leases=False).graph(), Cluster(store=place.of("nobody")))
    with pytest.raises(StoreError, match=r"openbao/garrison-admin has no role nobody\.garrison-admin there") as refused:
        checking.check(place.where("nobody"), kept)
    assert "\n" not in str(refused.value)


def test_an_authority_that_is_not_the_stores_is_refused(place: Place, tmp_path: Path, server: Server) -> None:
    other = str(server.folder / "id" / "ca.pem")
    kept = derived.secrets(estate(leases=False).graph(), Cluster(store=place.store))
    checking.check(place.where(), kept)  # the control
    with pytest.raises(StoreError, match="certificate is not accepted"):
        checking.check(replace(place.where(), ca_file=other), kept)


# --- leases ----------------------------------------------------------------------------------------------------------


def test_leases_are_made_and_ended_in_its_own_mount(place: Place, server: Server) -> None:
    """With what the page asks of a store: it has the client certificate, and reaches the database by its name."""
    client, here = str(server.folder / "store"), f"localhost:{server.port}"
    there = replace(place.store, database_client=client)
    text = json.dumps([[one.path, dict(one.body)] for one in store_objects(estate().graph(), there)])
    made = [*json.loads(text.replace("ledger.bank.svc:5432", here).replace("ca.crt", "ca.pem"))]
    paths = [path for path, _ in made if path.startswith("pg-shop/")]
    assert paths == ["pg-shop/config/prod.bank.ledger", "pg-shop/roles/prod.bank.ledger.writer"]
    props = place.where().to_props()
    for path, body in made:
        wanted = {"path": path, "body": body, "connection": props}
        done = StoreProvider().create(wanted)
        assert StoreProvider().read(done.id, wanted).outs == wanted
    books = as_service(place, Ref("shop", "books"))
    assert books.auth.token.lookup_self()["data"]["policies"] == ["prod.shop.books"]
    with pytest.raises(Forbidden):
        as_service(place, Ref("shop", "orders")).read("pg-shop/creds/prod.bank.ledger.writer")
    lease: Any = books.read("pg-shop/creds/prod.bank.ledger.writer")
    books.write_data("sys/leases/renew", data={"lease_id": lease["lease_id"]})  # as its agent does
    session = server.connect(lease["data"]["username"], password=lease["data"]["password"])
    assert session.execute("select 1").fetchone() == (1,)
    for path, body in reversed(made):
        StoreProvider().delete(path, {"path": path, "body": body, "connection": props})
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")


# --- the proof -------------------------------------------------------------------------------------------------------


def world(place: Place, probe: Probe) -> World:
    attempt = probe.attempt
    audience = attempt.audience if isinstance(attempt, StoreRequest) else ""
    graph = estate(leases=False).graph()
    tokens = {(str(probe.source), audience): place.reviewer.token(probe.source.ref, audience)}
    return World(graph, {STORE: (Address("127.0.0.1"),)}, tokens=tokens, store=place.store)


def test_probes_find_what_was_declared(place: Place, clean: None) -> None:
    written(place)
    graph = estate(leases=False).graph()
    asked = [one for one in expected(graph, layers=False, store=place.store) if isinstance(one.attempt, StoreRequest)]
    assert {one.kind for one in asked} == {
        Kind.OWN_PATH,
        Kind.UNDECLARED_PATH,
        Kind.ANOTHERS_PATH,
        Kind.WRONG_AUDIENCE,
    }
    for one in asked:
        (spec,) = specs(one, world(place, one)).values()
        seen = classify.read(one.attempt, observe(spec, 5.0))
        assert seen.verdict == one.expected, (one, seen)
    if not TENANT:
        return
    allowed = next(one for one in asked if one.expected == "allowed")
    (spec,) = specs(allowed, world(place, allowed)).values()
    assert classify.read(allowed.attempt, observe({**spec, "namespace": ""}, 5.0)).verdict == "refused", "elsewhere"


def test_the_drill_writes_as_its_administrator(place: Place, clean: None) -> None:
    written(place)
    (one, *_) = objects(place)
    spec = administration("127.0.0.1", ADMIN, place.reviewer.token(ADMIN, "openbao"), place.store)
    seen = observe({**spec, "method": "POST", "path": one.path, "data": dict(one.body)}, 5.0)
    assert (seen["stage"], seen["status"]) == ("store", 204)


def test_the_page_of_the_administrator_can_be_typed_again(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = described(place, tmp_path)
    assert cli.main(["store", "policies", "--cluster", str(stack)]) == 0
    said = capsys.readouterr().out
    assert (f"export BAO_NAMESPACE={TENANT}" in said) == bool(TENANT)
    assert all(line in said for line in lines(place))
    administer(place, said)


def test_what_is_asked_of_it_is_what_the_page_says(place: Place) -> None:
    """By all tests of this file, whoever asked; on a cluster tests/cluster/test_foreign.py looks, too."""
    found = audited.asked(place.bao.log(), TENANT)
    assert ("write", "auth/k8s/prod/login") in found, "the control"
    assert (audited.unlisted(found, place.store), audited.idle(found, place.store)) == ([], [])
