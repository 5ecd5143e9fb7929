"""The services as programs: a bad setting is one line, SIGTERM is a clean end, documents are current."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import threading

import grpc
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import validate

from common import openapi
from common.model import MAX_AMOUNT, Money
from common.rpc import NOT_SERVING
from cover.model import LEAST_PREMIUM, premium
from garrison import render
from garrison.declare.program import load
from harness import paths
from harness.ports import free_port

REDIS = "redis://127.0.0.1:1"  # nobody is there
CALLEES = {f"{name}_URL": "http://callee" for name in ("CATALOG", "COVER", "PAYMENTS")}
ENV = {"PATH": os.environ["PATH"], "PYTHONPATH": str(paths.REPO / "services")}


def start(service: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", service], env={**ENV, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("service", "env", "line"),
    [
        ("orders", {}, "orders: CATALOG_URL is not set"),
        ("claims", {"COVER_URL": "cover:80"}, "claims: COVER_URL='cover:80' is not an http address"),
        ("catalog", {}, "catalog: CATALOGUE_FILE is not set"),
        ("catalog", {"CATALOGUE_FILE": "/c", "PORT": "http"}, "catalog: PORT='http' is not a port number"),
        ("orders", {**CALLEES, "CART_ADDR": "cart:1"}, "orders: ORDERBOOK_FILE is not set"),
        ("claims", CALLEES, "claims: REGISTER_FILE is not set"),
        ("payments", {}, "payments: PSP_API_KEY_FILE is not set"),
        ("storefront", {"CART_ADDR": "cart"}, "storefront: CART_ADDR='cart' is not an address, such as 127.0.0.1:7070"),
        ("cart", {}, "cart: REDIS_URL is not set"),
        ("cart", {"REDIS_URL": REDIS, "CART_DAYS": "0"}, "cart: CART_DAYS='0' is not a number above zero"),
        ("cart", {"REDIS_URL": REDIS, "PORT": "x"}, "cart: PORT='x' is not a port number"),
    ],
)
def test_a_bad_setting_is_one_line(service: str, env: dict[str, str], line: str) -> None:
    out, err = start(service, **env).communicate(timeout=30)
    assert (out, err.strip()) == ("", line)


@pytest.mark.parametrize("service", openapi.SERVICES)
def test_a_service_starts_with_what_the_estate_gives_it(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (pod,) = (
        one["spec"]["template"]["spec"]
        for one in render(load(paths.REPO / "stacks/estate.py").graph())
        if one["kind"] == "Deployment" and one["metadata"]["name"] == service
    )
    (app,) = (container for container in pod["containers"] if container["name"] == "app")
    for variable in app["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    importlib.import_module(f"{service}.app").build()


def test_sigterm_ends_a_service_cleanly_and_its_output_is_json() -> None:
    port = free_port()
    service = start("cover", HOST="127.0.0.1", PORT=str(port))
    pause = threading.Event()
    for _ in range(400):
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/covers/cover-1", headers={"x-request-id": "r-1"})
            break
        except httpx.ConnectError:
            assert service.poll() is None
            pause.wait(0.05)
    assert answer.json()["limit"] == {"amount": 100_000, "currency": "EUR"}
    service.send_signal(signal.SIGTERM)
    out, err = service.communicate(timeout=20)
    lines = [json.loads(line) for line in out.splitlines()]
    assert {line["service"] for line in lines} == {"cover"}
    assert "r-1" in {line.get("request_id") for line in lines}
    assert lines[-1]["message"].startswith("Finished server process")
    assert err == ""


def test_a_service_of_grpc_answers_and_ends_cleanly_too() -> None:
    address = f"127.0.0.1:{free_port()}"
    service = start("cart", PORT=address.rpartition(":")[2], REDIS_URL=REDIS)
    with grpc.insecure_channel(address) as channel:
        check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert check(b"", timeout=20, wait_for_ready=True) == NOT_SERVING
    service.send_signal(signal.SIGTERM)
    assert (service.communicate(timeout=20), service.returncode) == (("", ""), 0)


@pytest.mark.parametrize("service", openapi.SERVICES)
def test_the_openapi_document_is_valid_and_the_committed_one(service: str) -> None:
    document = openapi.document(service)
    validate(document)
    operations = [op for path in document["paths"].values() for op in path.values()]
    assert all({"4XX", "5XX"} <= operation["responses"].keys() for operation in operations)
    kept = paths.REPO / f"docs/openapi/{service}.json"
    assert kept.read_text() == openapi.text(service), "run: python -m common.openapi docs/openapi"


@given(st.integers(1, MAX_AMOUNT))
def test_a_premium_is_at_least_a_hundredth_and_never_a_cent_more(amount: int) -> None:
    found = premium(Money(amount=amount, currency="EUR")).amount
    assert found == max(LEAST_PREMIUM, (amount + 99) // 100)
