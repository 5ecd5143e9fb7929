"""Two Apps on real sidecars under one authority: a call between them passes where both say so, and in no other case."""

from __future__ import annotations

import http.client
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from garrison.model.graph import Graph, Target
from garrison.words import Ref
from servers.mesh_bench import Estate, standing
from servers.proxies import Application, context
from unit.authority import Authority
from unit.neighbours import ORDERS, PAYMENTS, alone, together

CALLER, CALLEE, AUDIT = Ref.parse(ORDERS), Ref.parse(PAYMENTS), Ref("bank", "audit")
CATALOG = Ref("shop", "catalog")


@pytest.fixture(scope="module")
def application() -> Iterator[int]:
    """What stands behind every sidecar: it says what reached it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()


@contextmanager
def both(
    folder: Path, application: int, caller: Graph, callee: Graph, found: Ref = CALLEE, cut: str = ""
) -> Iterator[tuple[Estate, Estate]]:
    """The shop and the bank as these graphs derive them; `found` is who stands where the callee should, and `cut` what
    the caller does not look at.
    """
    root = Authority.fresh()
    ours = {(one.ref, one.port): application for graph in (caller, callee) for one in graph.services}
    with standing(callee, folder / "bank", ours, root=root) as bank:
        there = {CALLEE: bank.inbound[found]}
        weaker = (cut, CALLER) if cut else None
        with standing(caller, folder / "shop", ours, weaker, moved=there, root=root) as shop:
            yield shop, bank


def asked(shop: Estate, method: str = "POST", path: str = "/charges", callee: Ref = CALLEE) -> tuple[int, str]:
    """What the application of orders is answered by its own sidecar, at the address that it has for a callee."""
    return answered(
        http.client.HTTPConnection("127.0.0.1", shop.outbound[CALLER, Target(callee)], timeout=10), method, path
    )


def straight(bank: Estate, caller: Path, method: str = "POST", path: str = "/charges") -> tuple[int, str]:
    """The same with a certificate in the hand, past the caller's sidecar."""
    tls = context(caller)
    return answered(
        http.client.HTTPSConnection("127.0.0.1", bank.inbound[CALLEE], context=tls, timeout=10), method, path
    )


def answered(line: http.client.HTTPConnection, method: str, path: str) -> tuple[int, str]:
    with closing(line):
        line.request(method, path, body="{}")
        answer = line.getresponse()
        return answer.status, answer.read().decode()


def test_with_both_halves_the_call_passes_and_nothing_beside_it(tmp_path: Path, application: int) -> None:
    with both(tmp_path, application, *together()) as (shop, bank):
        status, body = asked(shop)
        assert (status, json.loads(body)["path"]) == (200, "/charges")
        assert json.loads(body)["headers"]["x-forwarded-client-cert"].endswith(shop.graph.spiffe_id(CALLER))
        assert straight(bank, shop.identity(CALLER))[0] == 200, "the control of the refusals below"
        for method, path in (("GET", "/charges"), ("POST", "/charges/1"), ("DELETE", "/charges")):
            status, body = asked(shop, method, path)
            assert (status, "RBAC: access denied" in body) == (403, True), "another operation of the same callee"
        for other in (shop.identity(CATALOG), bank.identity(AUDIT)):
            status, body = straight(bank, other)
            assert (status, "RBAC: access denied" in body) == (403, True), "the same operation by another workload"


def test_the_callers_half_alone_is_refused_by_the_callee(tmp_path: Path, application: int) -> None:
    """As with a file that says more than what is deployed: what is deployed decides."""
    with both(tmp_path, application, together()[0], alone()[1]) as (shop, bank):
        status, body = asked(shop)
        assert (status, "RBAC: access denied" in body) == (403, True)
        assert straight(bank, bank.identity(AUDIT), "GET")[0] == 200, "whom the bank does let in gets there"


def test_the_callees_half_alone_has_no_way_out_of_the_caller(tmp_path: Path, application: int) -> None:
    """The callee would let it in; the caller's sidecar has no listener for it, and its policy no way (test_elsewhere
    of the unit tests has that).
    """
    with both(tmp_path, application, alone()[0], together()[1]) as (shop, _):
        assert [target for caller, target in shop.outbound if caller == CALLER] == [Target(CATALOG)]
        assert asked(shop, callee=CATALOG)[0] == 403, "its one way leads to the catalogue, where nobody declared this"
        assert asked(shop, "GET", "/items/1", CATALOG)[0] == 200


def test_the_caller_talks_to_nobody_else_in_the_callees_place(tmp_path: Path, application: int) -> None:
    """A good certificate of the same authority, in another name of the other App."""
    with both(tmp_path / "whole", application, *together(), found=AUDIT) as (shop, _):
        status, body = asked(shop)
        assert (status, body.startswith("upstream connect error")) == (503, True)
    with both(tmp_path / "cut", application, *together(), found=AUDIT, cut="callee's name") as (shop, _):
        assert asked(shop)[0] == 403, "without the name it would have talked to it, as far as that allows"
