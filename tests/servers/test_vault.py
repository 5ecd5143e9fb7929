"""The store resources against a real OpenBao and PostgreSQL: what is written, read back, leased and taken away."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hvac
import psycopg
import pytest
from hvac.exceptions import Forbidden

from garrison.deployment.platform.store_config import ADMIN, ADMIN_POLICY, BREAK_GLASS
from garrison.deployment.store_command import commands_of
from garrison.deployment.vault import StoreConnection, StoreError, connection
from garrison.deployment.vault.connection import patiently
from garrison.deployment.vault.resources import GeneratedProvider, RightsProvider, StoreProvider
from garrison.derive.secrets import StoreObject, store_objects
from harness.build import binary
from servers.bao import Bao, serving
from servers.test_database import Server, programs, server  # noqa: F401 fixtures: the estate's own database
from unit.authority import Authority
from unit.estates import shop_app

LEASES = "database/creds/bank.ledger.writer"


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with serving(tmp_path_factory.mktemp("bao")) as running:
        yield running


@pytest.fixture(autouse=True)
def _login(bao: Bao, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider under test enters with the policy it has on a cluster, no more."""
    monkeypatch.setenv("BAO_TOKEN", bao.user(ADMIN).token)


@pytest.fixture
def breaker(bao: Bao) -> hvac.Client:
    return bao.user(BREAK_GLASS)


def props(bao: Bao, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    known: dict[str, Any] = {"path": path, "connection": bao.where.to_props()}
    return known if body is None else known | {"body": body}


def unsealed(store: Any) -> bool:
    return store.sys.is_sealed() is False


POLICY = {"policy": 'path "secret/data/psp/api-key" { capabilities = ["read"] }'}


# --- objects ---------------------------------------------------------------------------------------------------------


def test_an_object_lives_and_dies(bao: Bao) -> None:
    provider, wanted = StoreProvider(), props(bao, "sys/policies/acl/bank.payments", POLICY)
    assert provider.read("sys/policies/acl/bank.payments", wanted).id is None
    made = provider.create(wanted)
    assert made.id == "sys/policies/acl/bank.payments"
    assert provider.read(made.id, wanted).outs == wanted
    changed = props(bao, made.id, {"policy": POLICY["policy"].replace("read", "list")})
    assert provider.diff(made.id, wanted, changed).changes
    assert not provider.diff(made.id, wanted, wanted).changes
    provider.update(made.id, wanted, changed)
    assert provider.read(made.id, changed).outs == changed
    provider.delete(made.id, changed)
    assert provider.read(made.id, changed).id is None


def test_a_change_behind_our_back_is_seen(bao: Bao, breaker: hvac.Client) -> None:
    provider, wanted = StoreProvider(), props(bao, "sys/policies/acl/tampered", POLICY)
    provider.create(wanted)
    breaker.write_data("sys/policies/acl/tampered", data={"policy": 'path "*" { capabilities = ["sudo"] }'})
    found = provider.read("sys/policies/acl/tampered", wanted).outs or {}
    assert provider.diff("sys/policies/acl/tampered", found, wanted).changes
    provider.delete("sys/policies/acl/tampered", wanted)


def test_numbers_come_from_pulumi_as_floats(bao: Bao, breaker: hvac.Client) -> None:
    path = "auth/kubernetes/role/bank.payments"
    body = {"bound_service_account_names": ["payments"], "bound_service_account_namespaces": ["bank"]}
    wanted = props(bao, path, body | {"token_period": 1200.0})
    StoreProvider().create(wanted)
    assert breaker.read(path)["data"]["token_period"] == 1200  # type: ignore[index]
    assert StoreProvider().read(path, wanted).outs == wanted
    StoreProvider().delete(path, wanted)


def test_another_path_replaces(bao: Bao) -> None:
    old, new = props(bao, "sys/policies/acl/a", POLICY), props(bao, "sys/policies/acl/b", POLICY)
    assert StoreProvider().diff("sys/policies/acl/a", old, new).replaces == ["path"]


# --- the database ----------------------------------------------------------------------------------------------------


@pytest.fixture
def ledger(bao: Bao, server: Server) -> Iterator[list[StoreObject]]:  # noqa: F811 the fixture imported above
    """What the estate derives, with the addresses of this machine."""
    store, here = server.folder / "store", f"localhost:{server.port}"
    derived = [item for item in store_objects(shop_app().graph()) if item.path.startswith("database/")]
    objects = []
    for item in derived:
        text = json.dumps(item.body).replace("ledger.bank.svc:5432", here)
        text = text.replace("/run/database-client/ca.crt", str(store / "ca.pem"))
        objects.append(StoreObject(item.path, json.loads(text.replace("/run/database-client", str(store)))))
    for item in objects:
        StoreProvider().create(props(bao, item.path, dict(item.body)))
    yield objects
    for item in reversed(objects):
        StoreProvider().delete(item.path, props(bao, item.path, dict(item.body)))


def test_the_derived_objects_read_back_unchanged(bao: Bao, ledger: list[StoreObject]) -> None:
    assert {item.path.split("/")[1] for item in ledger} == {"config", "roles"}
    for item in ledger:
        wanted = props(bao, item.path, dict(item.body))
        assert StoreProvider().read(item.path, wanted).outs == wanted


def test_taking_a_role_away_ends_every_lease(
    bao: Bao,
    breaker: hvac.Client,
    ledger: list[StoreObject],
    server: Server,  # noqa: F811
) -> None:
    lease: Any = breaker.read(LEASES)
    user, password = lease["data"]["username"], lease["data"]["password"]
    session = server.connect(user, password=password)
    assert session.execute("select 1").fetchone() == (1,)
    assert breaker.list(f"sys/leases/lookup/{LEASES}")
    role = next(item for item in ledger if item.path.startswith("database/roles/"))
    StoreProvider().delete(role.path, props(bao, role.path, dict(role.body)))
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    with pytest.raises(psycopg.OperationalError):
        server.connect(user, password=password)
    assert breaker.list(f"sys/leases/lookup/{LEASES}") is None


# --- generated secrets -----------------------------------------------------------------------------------------------


def test_a_secret_is_made_once_and_its_value_stays_inside(bao: Bao, breaker: hvac.Client) -> None:
    provider, wanted = GeneratedProvider(), props(bao, "psp/api-key")
    first = provider.create(wanted).outs
    value = breaker.read("secret/data/psp/api-key")["data"]["data"]["value"]  # type: ignore[index]
    assert len(value) >= 32
    assert first is not None and first["made"] is True
    assert value not in json.dumps(first)
    again = provider.create(wanted).outs
    assert again is not None and again["made"] is False
    assert breaker.read("secret/data/psp/api-key")["data"]["data"]["value"] == value  # type: ignore[index]
    provider.delete("psp/api-key", again)  # not made by that one: it stays
    assert provider.read("psp/api-key", wanted).id == "psp/api-key"
    provider.delete("psp/api-key", first)
    assert provider.read("psp/api-key", wanted).id is None


def test_a_real_secret_is_left_alone(bao: Bao, breaker: hvac.Client) -> None:
    breaker.write_data("secret/data/real", data={"data": {"value": "given by a person"}})
    made = GeneratedProvider().create(props(bao, "real")).outs
    assert made is not None and made["made"] is False
    assert breaker.read("secret/data/real")["data"]["data"]["value"] == "given by a person"  # type: ignore[index]


# --- what the login of `pulumi up` may not do ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("sys/policies/acl/garrison-admin", POLICY),
        ("sys/policies/acl/break-glass", POLICY),
        ("auth/kubernetes/role/break-glass", {"token_policies": ["garrison-admin"]}),
        ("auth/kubernetes/config", {"kubernetes_host": "https://localhost:1"}),
        ("sys/mounts/other", {"type": "kv"}),
        ("sys/audit/other", {"type": "file"}),
    ],
)
def test_the_admin_cannot_change_its_own_grant(bao: Bao, path: str, body: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        bao.user(ADMIN).write_data(path, data=body)


def test_the_admin_can_give_everything_to_another_login(bao: Bao, breaker: hvac.Client) -> None:
    """What docs/secret-store.md says: two writes. Whoever deploys decides who may read what; this is its price."""
    admin = bao.user(ADMIN)
    admin.write_data("sys/policies/acl/mine", data={"policy": 'path "*" { capabilities = ["sudo", "read"] }'})
    bound = {"bound_service_account_names": ["mine"], "bound_service_account_namespaces": ["mine"]}
    admin.write_data("auth/kubernetes/role/mine", data={**bound, "token_policies": ["mine"]})
    assert breaker.read("auth/kubernetes/role/mine")["data"]["token_policies"] == ["mine"]  # type: ignore[index]
    for path in ("auth/kubernetes/role/mine", "sys/policies/acl/mine"):
        admin.delete(path)


def test_a_token_of_a_service_is_not_renewed_for_ever(breaker: hvac.Client) -> None:
    """A periodic token has no end of its own; one with an explicit maximum has."""
    for more, ends in (({}, False), ({"explicit_max_ttl": "5m"}, True)):
        made: Any = breaker.write_data("auth/token/create", data={"policies": ["default"], "period": "20m", **more})
        token = {"token": made["auth"]["client_token"], "increment": "20m"}
        renewed: Any = breaker.write_data("auth/token/renew", data=token)
        assert (renewed["auth"]["lease_duration"] <= 300) is ends
    role = next(o for o in store_objects(shop_app().graph()) if o.path.startswith("auth/kubernetes/role/"))
    assert role.body["token_explicit_max_ttl"] == "86400s"


def test_the_admin_reads_and_overwrites_no_secret_and_takes_no_lease(bao: Bao, breaker: hvac.Client) -> None:
    breaker.write_data("secret/data/kept", data={"data": {"value": "x"}})
    admin = bao.user(ADMIN)
    with pytest.raises(Forbidden):
        admin.read("secret/data/kept")
    with pytest.raises(Forbidden):
        admin.write_data("secret/data/kept", data={"data": {"value": "y"}})
    with pytest.raises(Forbidden):
        admin.read(LEASES)


# --- the server itself -----------------------------------------------------------------------------------------------


def test_no_root_token_is_left(breaker: hvac.Client) -> None:
    accessors = breaker.list("auth/token/accessors")["data"]["keys"]  # type: ignore[index]
    held = [breaker.auth.token.lookup_accessor(accessor)["data"]["policies"] for accessor in accessors]
    assert held
    assert not [policies for policies in held if "root" in policies]


def test_what_is_done_is_in_the_audit_log(bao: Bao) -> None:
    StoreProvider().create(props(bao, "sys/policies/acl/audited", POLICY))
    entries = [json.loads(line) for line in bao.log().splitlines() if line.startswith('{"time"')]
    assert [e for e in entries if e.get("request", {}).get("path") == "sys/policies/acl/audited"]
    StoreProvider().delete("sys/policies/acl/audited", props(bao, "sys/policies/acl/audited", POLICY))


def test_the_store_speaks_tls_1_3_only(bao: Bao) -> None:
    context = ssl.create_default_context(cafile=bao.ca_file)
    assert handshake(context, bao.port) == "TLSv1.3"
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        handshake(context, bao.port)


def handshake(context: ssl.SSLContext, port: int) -> str | None:
    with socket.create_connection(("localhost", port)) as raw:
        return context.wrap_socket(raw, server_hostname="localhost").version()


def test_a_store_that_was_killed_is_waited_for(bao: Bao) -> None:
    """It unseals itself: nobody types a key."""
    bao.stop()
    starter = threading.Thread(target=bao.start)
    starter.start()
    assert patiently(bao.where, unsealed, patience=60)
    starter.join()


def test_a_renewed_certificate_is_served_without_a_restart(bao: Bao) -> None:
    before = ssl.get_server_certificate(("localhost", bao.port))
    bao.root.issue(bao.folder / "tls", dns="localhost")
    deadline = time.monotonic() + 90
    while ssl.get_server_certificate(("localhost", bao.port)) == before:
        assert time.monotonic() < deadline, "the server kept its old certificate"
        time.sleep(1)


# --- errors ----------------------------------------------------------------------------------------------------------


def test_nobody_there_is_one_line(bao: Bao) -> None:
    nowhere = StoreConnection(address="https://localhost:1", ca_file=bao.ca_file)
    with pytest.raises(StoreError, match=r"^secret store https://localhost:1: .*refused") as error:
        patiently(nowhere, unsealed, patience=0.5)
    assert "\n" not in str(error.value)


def test_another_ca_is_refused_at_once(bao: Bao, tmp_path: Path) -> None:
    other = Authority.fresh("somebody else").issue(tmp_path, dns="localhost") / "ca.pem"
    began = time.monotonic()
    with pytest.raises(StoreError, match="its certificate is not accepted"):
        patiently(StoreConnection(address=bao.address, ca_file=str(other)), unsealed)
    assert time.monotonic() - began < connection.PATIENCE / 10


def test_a_refusal_is_one_line_and_not_waited_for(bao: Bao) -> None:
    with pytest.raises(StoreError, match="permission denied") as error:
        StoreProvider().create(props(bao, "sys/mounts/other", {"type": "kv"}))
    assert "\n" not in str(error.value)


# --- policies of an older version ------------------------------------------------------------------------------------


def test_a_store_with_policies_of_an_older_version_is_refused_before_anything_is_written(
    bao: Bao, breaker: hvac.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = {one.path: ["create", "update"] for one in store_objects(shop_app().graph())}
    needed |= {"secret/data/psp/api-key": ["create"], "secret/metadata/psp/api-key": ["read"]}
    wanted = {"needed": needed, "version": "2", "connection": bao.where.to_props()}
    provider = RightsProvider()
    assert provider.create(wanted).outs == wanted
    older = "\n".join(line for line in ADMIN_POLICY.splitlines() if "database/roles" not in line)
    breaker.write_data(f"sys/policies/acl/{ADMIN}", data={"policy": older})
    try:
        (failure,) = provider.check({**wanted, "version": "1"}, wanted).failures
        with pytest.raises(StoreError) as refused:
            provider.update("rights", {**wanted, "version": "1"}, wanted)
        assert str(refused.value) == failure.reason
        assert "database/roles/bank.ledger.writer" in failure.reason
        assert "`garrison store policies | sh`" in failure.reason
        assert "\n" not in failure.reason
        with pytest.raises(StoreError, match="garrison store policies"):
            StoreProvider().create(props(bao, "database/roles/x", {"db_name": "x"}))
        environment = {**os.environ, "BAO_ADDR": bao.address, "BAO_CACERT": bao.ca_file, "BAO_TOKEN": breaker.token}
        environment |= {"PATH": f"{binary('bao').parent}:{os.environ['PATH']}"}
        subprocess.run(["sh", "-e"], input=commands_of(users=False), text=True, env=environment, check=True)
        assert provider.check({**wanted, "version": "1"}, wanted).failures == []
    finally:
        breaker.write_data(f"sys/policies/acl/{ADMIN}", data={"policy": ADMIN_POLICY})
    monkeypatch.setenv("BAO_TOKEN", breaker.token)
    assert provider.create(wanted).outs == wanted, "whoever may do everything lacks nothing"
