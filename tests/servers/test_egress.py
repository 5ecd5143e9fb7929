"""The derived egress gateway in a real Envoy: what is declared gets out, to whom it should, and nothing else does."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator

import pytest

from garrison import render
from garrison.cluster import Cluster, Egress
from harness.plugin.testing.apiserver import ControlPlane
from servers.egresses import CHARGE, ELSEWHERE, INSIDE, MAPPED, OTHER, PSP, Bench, estate, stand
from servers.proxies import eventually

pytest_plugins = ["harness.plugin.testing.fixtures"]
DENIED = "RBAC: access denied"
ENDED = (ssl.SSLError, OSError)


def heard(line: socket.socket) -> bytes:
    """What comes before the other side ends it, one way or the other."""
    try:
        return line.recv(4096)
    except ConnectionError:
        return b""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with stand(tmp_path_factory.mktemp("egress")) as made:
        eventually(lambda: made.call(CHARGE)[0] == 200, "the provider is found")
        yield made


def test_a_declared_operation_gets_to_the_provider_through_sidecar_and_gateway(out: Bench) -> None:
    status, body = out.through_sidecar(CHARGE, authorization="Bearer the-provider's-own", **{"x-request-id": "of-mine"})
    assert status == 200, body
    heard = json.loads(body)
    assert (heard["method"], heard["path"]) == ("POST", "/v1/charges")
    assert heard["headers"]["host"] == f"{PSP}:{out.port}"
    assert heard["headers"]["authorization"] == "Bearer the-provider's-own"
    names = " ".join(heard["headers"])
    assert "x-forwarded" not in names and "x-request-id" not in names and "x-correlation" not in names
    assert "spiffe" not in body, "nobody outside learns what services are called"


def test_only_the_callers_of_a_host_get_through_the_handshake(out: Bench) -> None:
    assert out.call(CHARGE)[0] == 200
    before = out.provider.reached
    for who in ("reports", "nobody", "far", "forged", ""):
        with pytest.raises(ENDED):
            out.call(CHARGE, caller=who)
    with pytest.raises(ENDED):
        out.own_tls(caller="payments")
    assert out.call("GET /v1/reports", caller="audit", host=OTHER)[0] == 200
    with pytest.raises(ENDED):
        out.call("GET /v1/reports", host=OTHER)
    assert out.provider.reached - before <= 1, "only the call to the other host made a connection"


@pytest.mark.parametrize(
    "operation",
    ["GET /v1/charges", "DELETE /v1/charges/7", "POST /v1/refunds", "GET /v1/charges/7/../../refunds", "GET /"],
)
def test_an_undeclared_operation_is_refused(out: Bench, operation: str) -> None:
    assert out.call("GET /v1/charges/7")[0] == 200
    assert (out.call(operation), out.through_sidecar(operation)) == ((403, DENIED), (403, DENIED))


def test_what_overrides_an_operation_does_not_get_out(out: Bench) -> None:
    disputed = {"X-HTTP-Method-Override": "DELETE", "X-Original-URL": "/v1/refunds", "X-Forwarded-Host": "evil.example"}
    status, body = out.call(CHARGE, **disputed)
    assert status == 200
    assert not {name.lower() for name in disputed} & {*json.loads(body)["headers"]}


def test_an_undeclared_host_has_no_way(out: Bench) -> None:
    assert out.call(CHARGE)[0] == 200
    for name in ("evil.example", PSP, out.asked_for("evil.example"), out.asked_for(OTHER, "connects") + ".", "x"):
        with pytest.raises(ENDED):
            out.line("payments", name).recv(1)


def test_plaintext_and_old_tls_are_refused(out: Bench) -> None:
    assert out.call(CHARGE)[0] == 200
    with socket.create_connection(("127.0.0.1", out.gateway), timeout=10) as line:
        line.sendall(b"POST /v1/charges HTTP/1.1\r\nhost: x\r\n\r\n")
        assert heard(line) == b""
    old = out.identity("payments")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", out.gateway), timeout=10) as plain, pytest.raises(ENDED):
        old.wrap_socket(plain, server_hostname=out.asked_for())


def test_an_application_speaks_tls_of_its_own_with_its_host_and_with_no_other(out: Bench) -> None:
    assert out.own_tls_through_sidecar().startswith(b"HTTP/1.1 200")
    assert out.own_tls().startswith(b"HTTP/1.1 200")
    assert out.own_tls(OTHER, host=OTHER).startswith(b"HTTP/1.1 200")
    before = out.provider.reached
    for inner in (OTHER, "evil.example"):
        with pytest.raises(ENDED):
            out.own_tls(inner)
    assert out.in_clear(b"GET / HTTP/1.1\r\nhost: api.psp.example\r\n\r\n") == b""
    assert out.provider.reached == before


def without_addresses(texts: dict[str, str]) -> dict[str, str]:
    """The gateway without the rule about addresses."""
    bootstrap = json.loads(texts["envoy.json"])
    for cluster in bootstrap["static_resources"]["clusters"]:
        for options in cluster.get("typed_extension_protocol_options", {}).values():
            options["http_filters"] = options["http_filters"][1:]
    return texts | {"envoy.json": json.dumps(bootstrap, sort_keys=True, separators=(",", ":"))}


@pytest.fixture(scope="module", params=["whole", "without the rule about addresses"])
def steered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[bool, Bench]]:
    """Names that begin to lead inside; the attack is shown to work where the rule is not."""
    whole = request.param == "whole"
    with stand(tmp_path_factory.mktemp("steered"), (lambda texts: texts) if whole else without_addresses) as made:
        eventually(lambda: made.call(CHARGE)[0] == 200, "the provider is found")
        yield whole, made


def test_a_name_that_leads_inside_leads_nowhere(steered: tuple[bool, Bench]) -> None:
    whole, out = steered
    out.leads(api_psp_example=[INSIDE])
    if whole:
        eventually(lambda: out.call(CHARGE) == (403, DENIED), "the new address is refused")
        with pytest.raises(ENDED):
            out.own_tls()
    else:
        eventually(lambda: out.call(CHARGE)[0] == 200 and out.inside.reached > 0, "the service inside is reached")
        before = out.inside.reached
        assert out.own_tls().startswith(b"HTTP/1.1 200")
        assert out.inside.reached == before + 1
    assert (out.inside.reached == 0) == whole


@pytest.mark.parametrize("address", ["10.1.2.3", "169.254.169.254", "100.100.100.200", "fd00:ec2::254", "::1"])
def test_no_address_that_is_not_of_the_internet_is_tried(steered: tuple[bool, Bench], address: str) -> None:
    whole, out = steered
    out.leads(api_psp_example=[address])
    if whole:
        eventually(lambda: out.call(CHARGE) == (403, DENIED) and address in out.log, "it is refused, by its address")
    else:
        eventually(lambda: out.call(CHARGE)[0] == 503, "it is tried")
    out.leads(api_psp_example=[ELSEWHERE])
    eventually(lambda: out.call(CHARGE)[0] == 200, "the provider is found again")


def test_an_ipv4_address_in_words_of_ipv6_is_the_same_address(steered: tuple[bool, Bench]) -> None:
    whole, out = steered
    before = out.inside.reached
    status, _ = out.call("GET /v1/reports", caller="audit", host=MAPPED)
    assert out.inside.reached == before
    assert status == (403 if whole else 503), "without the rule, it is Envoy's own IPv6 sockets that take no IPv4"


def test_of_several_addresses_each_is_judged(steered: tuple[bool, Bench]) -> None:
    whole, out = steered
    out.leads(api_psp_example=[ELSEWHERE, INSIDE])
    before = out.inside.reached
    both = {200, 403} if whole else {200}
    eventually(lambda: {out.call(CHARGE)[0] for _ in range(8)} == both, "both addresses are chosen")
    if not whole:
        eventually(lambda: out.call(CHARGE)[0] == 200 and out.inside.reached > before, "the one inside, too")
    assert (out.inside.reached == before) == whole
    out.leads(api_psp_example=[ELSEWHERE])
    eventually(lambda: {out.call(CHARGE)[0] for _ in range(4)} == {200}, "the provider alone is found again")


def test_an_api_server_takes_every_object_of_the_way_out(plane: ControlPlane) -> None:
    """Its own validation has the last word on ranges and what they leave out."""
    there = Cluster(egress=Egress(allowed=("172.18.0.50/32", "fd12::/64"), closed=("198.51.99.0/24",)))
    made = [m for m in render(estate(443).graph(), there) if m["metadata"].get("namespace", "") == "egress"]
    plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "egress"}}, "test")
    core = [m for m in made if m["kind"] != "Certificate"]
    assert {m["kind"] for m in core} >= {"NetworkPolicy", "Deployment", "ConfigMap", "Service", "ServiceAccount"}
    for item in core:
        plane.api.apply(item, "test")
