"""`make order` says what was asked, what came back and which declared calls it took; without a cluster, what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import order
from harness.errors import HarnessError


def pod(name: str, container: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name}, "spec": {"containers": [{"name": container}]}}


@pytest.mark.parametrize(("status", "code"), [(201, 0), (403, 1)])
def test_the_answer_and_the_calls_are_printed(
    status: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def kubectl(cluster: str, verb: str, *arguments: str, stdin: str = "") -> str:
        if verb == "exec":
            assert (stdin, "a.user.token" in arguments) == ("a.user.token", False)
            *_, path, _, told["request"], body, claims = arguments
            assert claims == "user", "what the token says, as the pod's proxy would have it"
            said = {"/cart": ("deploy/storefront", {"id": "hammer", "quantity": 2}), "/orders": ("deploy/orders", {})}
            assert (arguments[3], json.loads(body)) == said[path]
            return json.dumps([status, "application/json", {"id": "1"}])
        if verb == "get":
            return json.dumps({"items": [pod("catalog-1", "app"), pod("garrison-probe", "probe")]})
        assert "garrison-probe" not in arguments, "it has no application"
        line = {"time": "1", "service": "catalog", "method": "GET", "path": "/items/hammer", "status": 200}
        caller = {"caller": "spiffe://estate.example/ns/shop/sa/orders"}
        warned = {**line, **caller, "request_id": told["request"]}
        del warned["path"]
        heard = {"time": "2", "service": "mailer", "event": "orders.placed", "message": "letter"}
        heard["correlation_id"] = told["request"]
        mine, others = {**line, **caller, "request_id": told["request"]}, {**line, **caller, "request_id": "other"}
        return "\n".join(["starting", *(json.dumps(said) for said in (mine, others, warned, heard))])

    told: dict[str, str] = {}
    monkeypatch.setenv("GARRISON_STATE", str(tmp_path))
    (tmp_path / "unit").mkdir()
    (tmp_path / "unit/kubeconfig").touch()
    monkeypatch.setattr(order, "_kubectl", kubectl)
    monkeypatch.setattr(order, "_token", lambda _: "a.user.token")
    assert order.place("unit") == code
    out = capsys.readouterr().out
    assert 'POST /cart {"id": "hammer", "quantity": 2}\n' in out
    assert "POST /orders {}\n" in out
    assert f'\n{status} {{"id": "1"}}\n' in out
    assert out.count("  shop/orders -> shop/catalog  GET /items/hammer  200\n") == 1
    assert out.endswith("  shop/mailer heard of it over NATS: orders.placed, a letter\n")


def test_without_a_cluster_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GARRISON_STATE", str(tmp_path))
    with pytest.raises(HarnessError, match="`make up` first"):
        order.place("unit")
