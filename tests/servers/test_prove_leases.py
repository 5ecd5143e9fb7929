"""The probes for the end of a lease, on a real OpenBao and PostgreSQL: a lease that ends, and one that does not."""

# ruff: noqa: F811 the fixtures imported here are arguments below
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, cast

import hvac
import pytest

from garrison.derive.secrets import StoreObject
from garrison.model.graph import Graph
from garrison.prove.drill.cuts import cuts
from garrison.prove.judge import classify
from garrison.prove.kubectl import Kubectl
from garrison.prove.model import Lease, Seen
from prober import store
from prober.batch import observe
from servers.bao import Bao
from servers.test_database import Server, programs, server  # noqa: F401
from servers.test_leases import superuser
from servers.test_vault import LEASES, _login, bao, breaker, ledger  # noqa: F401
from unit.estates import shop_app
from unit.prove.test_cuts import Rendered

GRAPH: Graph = shop_app().graph()
Then = Literal["", "log in again", "go on"]
ENDED: tuple[Then, ...] = ("log in again", "go on")
Try = Callable[[Then], Seen]


@pytest.fixture
def attempt(
    bao: Bao, breaker: hvac.Client, ledger: list[StoreObject], server: Server, monkeypatch: pytest.MonkeyPatch
) -> Try:
    """As the probe tool does it; no API server vouches for an account here, so the log-in is the store's own."""
    monkeypatch.setattr(store, "login", lambda *_: breaker.token)
    folder = server.folder / "id"
    tls = {"trust": str(folder / "ca.pem"), "server_name": "localhost"}
    database = {"host": "127.0.0.1", "port": server.port, "database": "ledger", "tls": tls}
    who = {"role": "r", "jwt": "j"}
    spec = {"action": "lease", "host": "127.0.0.1", "port": bao.port, **who, "path": LEASES, "admin": who}
    spec |= {"tls": {"trust": bao.ca_file, "server_name": "localhost"}, "database": database}
    return lambda then: classify.read(Lease(GRAPH.uses[0], then), observe(spec | {"then": then}, 5.0))


def test_a_lease_works_and_what_is_left_of_it_afterwards_is_nothing(attempt: Try, breaker: hvac.Client) -> None:
    assert attempt("").verdict == "allowed", "the control"
    for then in ENDED:
        seen = attempt(then)
        assert (seen.verdict, seen.layer) == ("refused", "database"), (then, seen)
    assert breaker.list(f"sys/leases/lookup/{LEASES}") is None, "the probes end what they took"


def test_without_its_end_a_lease_is_seen_to_go_on(attempt: Try, breaker: hvac.Client) -> None:
    (cut,) = (cut for cut in cuts(GRAPH, cast("Kubectl", Rendered(GRAPH))) if cut.what.endswith(" without an end"))
    assert cut.weaker_store
    assert cut.store
    body: dict[str, Any] = dict(cut.weaker_store.body)
    breaker.write_data(cut.weaker_store.path, data=body)
    assert {attempt(then).verdict for then in ENDED} == {"allowed"}
    breaker.write_data(cut.store.path, data=dict(cut.store.body))
    assert {attempt(then).layer for then in ENDED} == {"database"}


DROPPING = """
CREATE FUNCTION garrison.dropped(lease name) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$ BEGIN EXECUTE format('DROP ROLE %I', lease); END $$;
"""


@pytest.fixture
def dropped_alone(server: Server, breaker: hvac.Client, ledger: list[StoreObject]) -> Iterator[None]:
    """Leases that end as they once did: their role is dropped, and nothing else."""
    (role,) = (item for item in ledger if item.path.startswith("database/roles/"))
    with superuser(server) as db:
        db.execute(DROPPING)
        db.execute("GRANT EXECUTE ON FUNCTION garrison.dropped TO openbao")
    breaker.write_data(role.path, data={**role.body, "revocation_statements": ["SELECT garrison.dropped('{{name}}');"]})
    yield
    breaker.write_data(role.path, data=dict(role.body))
    with superuser(server) as db:
        db.execute("DROP FUNCTION garrison.dropped")


def test_what_the_holder_does_keeps_a_role_that_is_only_dropped(
    attempt: Try, dropped_alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = attempt("log in again")
    assert (seen.verdict, "the lease could not be ended" in seen.reason) == ("error", True), seen
    monkeypatch.setattr(store, "OBSTRUCTION", "SELECT 1")
    assert attempt("log in again").layer == "database", "the control: without that, dropping is enough"
