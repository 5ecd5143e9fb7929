"""The cluster as the probes see it, and a probe written down for the probe tool. Pure: no cluster is asked here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from garrison import defaults as d
from garrison.cluster import Store
from garrison.derive.mesh import outbound_ports
from garrison.derive.names import server_name, way_out
from garrison.derive.secrets import PLATFORM, lease_role
from garrison.model.externals import External
from garrison.model.graph import Graph, Target
from garrison.prove.expect.data import STORE
from garrison.prove.expect.outside import METADATA, NODE
from garrison.prove.look.forge import NOBODY, Forged
from garrison.prove.model import (
    Connect,
    Credential,
    Hold,
    Lease,
    LogIn,
    OwnTls,
    Party,
    Probe,
    ProveError,
    Request,
    StoreRequest,
)
from garrison.words import Ref

Spec = dict[str, Any]
Subject = tuple[str, str]  # a service account token: whose (namespace/name) and for which audience
CERTIFICATE, KEY = f"{d.IDENTITY_DIR}/tls.crt", f"{d.IDENTITY_DIR}/tls.key"
AUTHORITY = f"{d.TRUST_DIR}/{d.TRUST_FILE}"
ADMIN = Ref.parse(PLATFORM.deployer)
REQUEST_ID = "x-request-id"  # finds a request again in the proxies' logs
CLAIM = "garrison-probe-claim"  # the copy's application tells which headers brought it
CLAIMS = (  # one of each way in which servers let a header dispute what was authorised
    *("host", "x-forwarded-host", "forwarded", "x-forwarded-for", "x-real-ip"),
    *("x-http-method-override", "x-http-method", "x-method-override"),
    *("x-original-url", "x-rewrite-url", "x-forwarded-prefix", "x-envoy-original-path"),
    *("x-remote-user", "client-cert", "x-forwarded-client-cert"),
)
# A gRPC message of two gigabytes of which four bytes come: every server refuses to read it, so no handler gets it.
UNREAD = "\x00\x7f\x7f\x7f\x7fabcd"
BODY = "garrison probe: this is no valid request body\n"  # so that no application acts on it


NOT_BY_NAME = (METADATA, NODE)


@dataclass(frozen=True)
class Place:
    """Where a party can be reached: one of its pods, or an address that is no pod's."""

    address: str
    pod: str = ""


@dataclass(frozen=True)
class World:
    """Addresses of every replica, forged certificates and tokens of one run."""

    graph: Graph
    addresses: Mapping[Party, tuple[Place, ...]]
    opened: Mapping[Party, tuple[Place, ...]] = field(default_factory=dict)  # the run's copies that demand nothing
    copies: Mapping[Party, tuple[Place, ...]] = field(default_factory=dict)  # and those that demand what theirs do
    forged: Forged = field(default_factory=dict)
    tokens: Mapping[Subject, str] = field(default_factory=dict)
    admin: Ref = ADMIN
    store: Store = PLATFORM
    bearers: Mapping[Ref, str] = field(default_factory=dict)  # tokens of users, by the service that serves them
    gateways: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)  # copies of that, by what they mistake
    outside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # where hosts are, as the gateway is told


def subjects(probe: Probe, admin: Ref, store: Store = PLATFORM) -> list[Subject]:
    """The service account tokens that a probe needs."""
    match probe.attempt:
        case StoreRequest(audience=audience):
            return [(str(probe.source), audience)]
        case Lease():
            return [(str(probe.source), store.audience), (str(admin), store.audience)]
        case _:
            return []


def specs(probe: Probe, world: World) -> dict[Place, Spec]:
    """The attempt at every replica of the target, in the probe tool's words; through a proxy, which one it takes."""
    places = _places(probe, world)
    one = isinstance(probe.attempt, Request | Hold | OwnTls) and probe.attempt.through_proxy
    return {place: _spec(probe, world, place.address) for place in places[: 1 if one else None]}


def straight_to(probe: Probe) -> str:
    """The host outside that a probe goes straight to, and not to the gateway; empty for all others."""
    external = isinstance(probe.attempt, Connect) and probe.target.role == "external"
    return External.of(probe.target.ref).host if external and probe.target not in NOT_BY_NAME else ""


def _spec(probe: Probe, world: World, host: str) -> Spec:
    match probe.attempt:
        case Connect():
            return {"action": "connect", "host": host, "port": probe.port}
        case Request() as request:
            return _request(probe, request, host, world)
        case Hold() as held:
            return _held(probe, held, host, world)
        case OwnTls() as own:
            return _own_tls(probe, own, host, world)
        case StoreRequest() as request:
            token = world.tokens[str(probe.source), request.audience]
            asked = {"role": request.role, "jwt": token, "method": "GET", "path": request.path}
            return {**_store(host, world.store), **asked}
        case Lease() as lease:
            return _lease(probe, lease, host, world)
        case LogIn() as login:
            return _log_in(probe, login, host, world)
        case other:
            raise ProveError(f"{other} is not something the probe tool does")


def _places(probe: Probe, world: World) -> tuple[Place, ...]:
    known = world.opened if probe.phase == "identity open" else world.addresses
    if isinstance(probe.attempt, Request) and probe.attempt.claims:
        known = world.copies
    if isinstance(probe.attempt, Request) and probe.attempt.by:
        known = {probe.target: world.gateways.get(probe.attempt.by, ())}
    if host := straight_to(probe):  # what has to pass takes one of its addresses, what has to fail is tried at each
        return tuple(map(Place, (probe.layers and world.outside.get(host)) or (host,)))
    if not known.get(probe.target) and probe.target.role == "elsewhere":
        raise ProveError(f"{probe.target} of another App has no ready pod: deploy that App, or read its graph again")
    if not known.get(probe.target):
        raise ProveError(f"{probe.target} has no ready pod: run `pulumi up`, then look at `kubectl get pods`")
    return known[probe.target]


def _request(probe: Probe, request: Request, host: str, world: World) -> Spec:
    if request.through_proxy:
        host, port = "127.0.0.1", _own_port(probe, request.at, world)
        headers = {REQUEST_ID: str(uuid4())}
    else:
        port, headers = probe.port, {}
    if request.user:
        if probe.source.ref not in world.bearers:
            raise ProveError(f"no token of a user whom {probe.source} serves: give --tokens")
        headers["authorization"] = f"Bearer {world.bearers[probe.source.ref]}"
    if request.claims:
        headers |= dict.fromkeys(CLAIMS, CLAIM)
    found: Spec = {"action": "resume" if request.resumed else "http", "host": host, "port": port, "headers": headers}
    found |= {"method": request.operation.method, "path": request.operation.path}
    if request.operation.method in ("POST", "PUT", "PATCH"):
        found["body"] = UNREAD if request.grpc else BODY
        headers["content-type"] = "application/grpc" if request.grpc else "text/plain"
        headers |= {"te": "trailers"} if request.grpc else {}  # without it gRPC's own server hangs up
    if request.tls:
        found["tls"] = _tls(probe, request.credential, request.tls12, world) | _certain(probe, world)
        if request.at or request.asked or probe.target.role == "external":
            found["tls"]["sni"] = request.asked or _asked(probe, request.at)
    return found


def _held(probe: Probe, held: Hold, host: str, world: World) -> Spec:
    port = probe.port
    if held.through_proxy:
        host, port = "127.0.0.1", _own_port(probe, held.at, world)
    found: Spec = {"action": "hold", "host": host, "port": port, "resume": held.resumed}
    if held.tls:
        asked = {"sni": held.asked or _asked(probe, held.at)}
        found["tls"] = _tls(probe, held.credential, held.tls12, world) | _certain(probe, world) | asked
    return found


def _own_tls(probe: Probe, own: OwnTls, host: str, world: World) -> Spec:
    port = probe.port
    if own.through_proxy:
        host, port = "127.0.0.1", _own_port(probe, "", world)
    found: Spec = {"action": "inner", "host": host, "port": port, "inner": "" if own.plain else own.host}
    if not own.through_proxy:
        asked = {"sni": way_out(probe.target.ref, "connects")}
        found["tls"] = _tls(probe, own.credential, tls12=False, world=world) | asked
    return found


def _asked(probe: Probe, at: str) -> str:
    """The name that the target has in a handshake."""
    if probe.target.role != "external":
        return server_name(probe.target.ref, at)
    return way_out(probe.target.ref, "connects" if isinstance(probe.attempt, Hold) else "calls")


def _own_port(probe: Probe, at: str, world: World) -> int:
    """Where the source's proxy listens for who wants to speak to the target."""
    return outbound_ports(world.graph, probe.source.ref)[Target(probe.target.ref, at)]


def _certain(probe: Probe, world: World) -> Spec:
    """What has to pass passes to the target and nobody else."""
    if probe.expected == "allowed" and probe.phase == "closed":
        peer = d.EGRESS if probe.target.role == "external" else probe.target.ref
        return {"trust": AUTHORITY, "peer": world.graph.spiffe_id(peer)}
    return {}


def _tls(probe: Probe, credential: Credential, tls12: bool, world: World) -> Spec:
    found: Spec = {"maximum": "1.2" if tls12 else "1.3"}
    if credential == "own":
        return found | {"certificate": CERTIFICATE, "key": KEY}
    if credential == "none":
        return found
    pair = world.forged[credential, impersonated(probe, world.graph)]
    return found | {"certificate": pair.certificate, "key": pair.key}


def impersonated(probe: Probe, graph: Graph) -> Ref:
    """Whose name a forged certificate bears: the source's, or of somebody whom the target would let in."""
    if getattr(probe.attempt, "credential", "") == "undeclared identity":
        return NOBODY
    if probe.source.role == "service":
        return probe.source.ref
    if probe.target.role == "database":
        return next(iter(use.service for use in graph.uses_of.get(probe.target.ref, ())), probe.target.ref)
    return next(iter(call.caller for call in graph.calls_to.get(probe.target.ref, ())), probe.target.ref)


def _server(ref: Ref) -> Spec:
    return {"trust": AUTHORITY, "server_name": f"{ref.name}.{ref.namespace}.svc"}


def _store(host: str, store: Store) -> Spec:
    tls = {"trust": store.ca or AUTHORITY, "server_name": store.host}
    where = {"login": f"auth/{store.auth}/login", "namespace": store.tenant}
    return {"action": "store", "host": host, "port": store.port, "tls": tls, **where}


def administration(address: str, admin: Ref, token: str, store: Store) -> Spec:
    """A request as the store's administrator, whose role has the name of its service account; the rest is added."""
    return {**_store(address, store), "role": store.name(admin.name), "jwt": token}


def _lease(probe: Probe, lease: Lease, host: str, world: World) -> Spec:
    there = world.store
    admin = {"role": there.name(world.admin.name), "jwt": world.tokens[str(world.admin), there.audience]}
    database = {"host": host, "port": probe.port, "database": probe.target.name, "tls": _server(probe.target.ref)}
    return {
        **_store(world.addresses[STORE][0].address, there),
        "action": "lease",
        "role": there.of(probe.source.ref),
        "jwt": world.tokens[str(probe.source), there.audience],
        "path": there.lease(lease_role(lease.use, there)),
        "admin": admin,
        "database": database,
        "then": lease.then,
    }


def _log_in(probe: Probe, login: LogIn, host: str, world: World) -> Spec:
    found: Spec = {"action": "postgres", "host": host, "port": probe.port, "database": probe.target.name}
    found |= {"user": login.user, "password": "garrison-probe"}
    if login.tls:
        found["tls"] = _tls(probe, login.credential, login.tls12, world)
    return found
