"""What one sees of the running estate from outside: a request that is answered, one that is refused, and the shop.

All of it follows from the program: a host without login is shown with curl, one with login as an address for a browser
and a user made for this cluster.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import secrets
import shlex
import socket
import ssl
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from garrison import defaults as d
from garrison.declare import program
from garrison.model.graph import Graph
from garrison.model.routes import Route
from harness import entrance, environment, paths, shell, stack
from harness.errors import HarnessError

USER = "wen"  # as good a name as any
SECONDS = 20.0


@dataclass(frozen=True)
class Visit:
    """A request and the status that the estate gives it."""

    route: Route
    port: int
    status: int

    @property
    def url(self) -> str:
        return f"https://{self.route.host}:{self.port}{self.route.operation.path}"

    def curl(self, bundle: Path) -> str:
        """As a person makes it; nothing has to be in /etc/hosts."""
        method = [] if self.route.operation.method == "GET" else ["-X", self.route.operation.method]
        where = ["--resolve", f"{self.route.host}:{self.port}:{entrance.ADDRESS}"]
        return shlex.join(["curl", "--cacert", str(bundle), *where, *method, self.url])

    def made(self, bundle: Path) -> int:
        """The status that it has now."""
        with connected(self.route.host, self.port, bundle) as secured:
            connection = http.client.HTTPSConnection(self.route.host, self.port)
            connection.sock = secured
            try:
                connection.request(self.route.operation.method, self.route.operation.path)
                return connection.getresponse().status
            except (OSError, http.client.HTTPException) as error:
                raise HarnessError(f"{self.url} at {entrance.ADDRESS}: {error}") from None


@contextmanager
def connected(host: str, port: int, bundle: Path) -> Iterator[ssl.SSLSocket]:
    """A connection to a host of the edge, which has shown a certificate of the estate for that name."""
    try:
        trust = ssl.create_default_context(cafile=bundle)
        plain = socket.create_connection((entrance.ADDRESS, port), SECONDS)
        secured = trust.wrap_socket(plain, server_hostname=host)
    except OSError as error:
        raise HarnessError(f"{host} at {entrance.ADDRESS}:{port}: {error}") from None
    with secured:
        yield secured


def browsing(hosts: Iterable[str], port: int, bundle: Path) -> tuple[str, ...]:
    """What Chromium is started with to be at these hosts, without a line in /etc/hosts or a changed trust.

    It gets the keys of certificates that were verified here against the estate's authorities, and accepts no other.
    """
    pins = []
    for host in sorted(set(hosts)):
        with connected(host, port, bundle) as secured:
            shown = x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")
        key = shown.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        pins.append(base64.b64encode(hashlib.sha256(key).digest()).decode())
    rules = ",".join(f"MAP {host} {entrance.ADDRESS}" for host in sorted(set(hosts)))
    return f"--host-resolver-rules={rules}", f"--ignore-certificate-errors-spki-list={','.join(pins)}"


def show(cluster: str) -> None:
    """Make the two requests, make the user, and print how to do it by hand; nothing where the program has no host."""
    graph = declared()
    if not graph.hosts or cluster not in entrance.PORTS:
        return
    bundle = authorities(cluster)
    visits = [*visited(graph, entrance.PORTS[cluster])]
    for visit in visits:
        if (status := visit.made(bundle)) != visit.status:
            raise HarnessError(f"{visit.route.operation} at {visit.url} is answered {status}, not {visit.status}")
    print("\nfrom outside:")
    for visit in visits:
        print(f"  {visit.curl(bundle)}\n      {visit.status}: for {visit.route.audience}")
    if addresses := [f"https://{host.name}:{entrance.PORTS[cluster]}/" for host in graph.hosts if host.login]:
        names = sorted({host.name for host in graph.hosts} | {i.login for i in graph.issuers if i.embedded})
        print(f"\nin a browser: {' '.join(addresses)}")
        print(f"      a line of /etc/hosts:    {entrance.ADDRESS} {' '.join(names)}")
        # its key is the estate's, and names no sites that it is limited to
        print(f"      an authority to trust:   {bundle}, in a browser profile of its own")
        if any(issuer.embedded for issuer in graph.issuers):
            print(f"      {_introduced(cluster, groups(graph))}")
    print(flush=True)


def declared() -> Graph:
    """The program that is deployed here."""
    return program.load(paths.REPO / "stacks/estate.py").graph()


def visited(graph: Graph, port: int) -> Iterator[Visit]:
    """One request that anybody may make and one that needs a token, as far as the program has them."""
    open_to = {host.name for host in graph.hosts if not host.login}
    plain = [route for route in sorted(graph.routes) if route.host in open_to and "{" not in route.operation.path]
    for public, status in ((True, 200), (False, 401)):
        fitting = (r for r in plain if bool(r.public) is public and (not public or r.operation.method == "GET"))
        if route := next(fitting, None):
            yield Visit(route, port, status)


def groups(graph: Graph) -> list[str]:
    """What a user has to be in to do all that browsers can."""
    browsed = {host.name for host in graph.hosts if host.login}
    return sorted({route.group for route in graph.routes if route.group and route.host in browsed})


def authorities(cluster: str) -> Path:
    """The estate's certification authorities, written where curl and browsers can read them."""
    key = d.TRUST_FILE.replace(".", r"\.")
    command = ["kubectl", "get", "configmap", d.TRUST_BUNDLE, f"--namespace={d.EDGE.namespace}"]
    command += ["-o", f"jsonpath={{.data.{key}}}"]
    file = paths.cluster_state(cluster) / d.TRUST_FILE
    file.write_text(shell.run(command, what="asking for the estate's authorities", env=environment.full(cluster)))
    return file


def _introduced(cluster: str, among: list[str]) -> str:
    """How to log in. The user is made once for a cluster, and their password said then and never again."""
    known = {line.split()[0] for line in users(cluster, "list").splitlines() if line}
    if USER in known:
        return f"log in as:               {USER}; a lost password is replaced by: garrison users reset {USER}"
    return f"log in as:               {USER}, password {added(cluster, USER, *among)} (said this once)"


def added(cluster: str, name: str, *among: str) -> str:
    """Make a user in these groups known; returns the password."""
    said = users(cluster, "add", name, *(f"--group={group}" for group in among))
    password = re.search(r"^password\s+(\S+)$", said, re.MULTILINE)
    if not password:
        raise HarnessError(f"`garrison users add {name}` printed no password")
    return password[1]


def token(cluster: str) -> str:
    """A user's token for the hosts without login, good for minutes, of somebody who is gone when it is here.

    They are in every group that browsers need. Empty where the program has no users of its own.
    """
    graph = declared()
    if cluster not in entrance.PORTS or not any(issuer.embedded for issuer in graph.issuers):
        return ""
    name = f"visitor-{secrets.token_hex(4)}"
    password = added(cluster, name, *groups(graph))
    try:
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "garrison",
            "token",
            "--user",
            name,
            "--ca",
            authorities(cluster),
        ]
        command += ["--edge", f"https://{entrance.ADDRESS}:{entrance.PORTS[cluster]}"]
        command += ["--app", paths.REPO / "stacks/estate.py", "--cluster", stack.settings(cluster)]
        what = "asking for a user's token"
        return shell.run(command, what=what, env=environment.full(cluster), stdin=f"{password}\n", timeout=60).strip()
    finally:
        users(cluster, "remove", name)


def users(cluster: str, *arguments: str) -> str:
    """The one seam to `garrison users`."""
    command = [sys.executable, "-m", "garrison", "users", *arguments]
    return shell.run(command, what="keeping the estate's users", env=environment.full(cluster), timeout=120)
