"""The words of the proof: who tries what, what is expected, what was seen.

Expectation (`expected`), execution (`session`, `execute`) and judgement (`classify`) share these values only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from garrison import defaults as d
from garrison.errors import GarrisonError
from garrison.model.graph import Operation, Use
from garrison.prove.trials import EdgeLayer, Trial, Try
from garrison.words import Ref

Verdict = Literal["allowed", "refused", "error"]  # error: the probe could not be run, which proves nothing
Layer = (
    Literal["network", "workload", "identity", "authorization", "store", "database", "rbac", "admission"] | EdgeLayer
)
Phase = Literal["closed", "identity open", "network open"]
Credential = Literal["none", "own", "foreign domain", "foreign authority", "undeclared identity"]
Name = Literal["uris", "dnsNames", "commonName"]  # the field of a Certificate that holds it
Role = Literal[
    "service",
    "database",
    "store",
    "stray",
    "free",
    "outside",
    "api",
    "deployer",
    "editor",
    "namespace",
    "host",
    "external",
    "gateway",
    "elsewhere",
]

NETWORK: Final[frozenset[Layer]] = frozenset({"network"})
FREE_PORT = 8080  # where the probe's own listeners wait


class Kind(StrEnum):
    """What is tried, in the word of the report. Cuts and controls are joined to probes by these, never by text."""

    # between services
    DECLARED = "declared operation"
    DIRECT = "declared operation, direct"
    UNDECLARED = "undeclared operation"
    PLAINTEXT = "plaintext"
    NO_CERTIFICATE = "no certificate"
    WRONG_DOMAIN = "wrong trust domain"
    WRONG_AUTHORITY = "wrong authority"
    UNDECLARED_IDENTITY = "undeclared identity"
    OLD_TLS = "TLS 1.2"
    UNDECLARED_PORT = "undeclared port"
    RESUMED = "resumed session"
    CLAIMED = "claims beside the request"
    WITHOUT_TOKEN = "without the user's token"  # noqa: S105 a name
    APPLICATION_PORT = "application port"
    HEALTH_PORT = "health port"
    IMPOSTOR = "impostor"
    # at hosts outside; most of the above, too
    UNDECLARED_HOST = "undeclared host"
    OTHER_HOST = "own TLS with another host"
    NO_TLS = "no TLS of its own"
    WRONG_HOST = "another host's certificate"
    STEERED = "name that leads inside"
    AROUND = "around the gateway"
    WAY_OUT = "way out"
    # at the secret store and the databases; some of the above, too
    STORE_PORT = "secret store port"
    OWN_PATH = "own secret"
    UNDECLARED_PATH = "undeclared secret"
    ANOTHERS_PATH = "another's secret"
    WRONG_AUDIENCE = "wrong audience"
    DATABASE_PORT = "database port"
    LEASED = "leased credentials"
    EXPIRED = "expired lease"
    OPEN_SESSION = "open session of an ended lease"
    NO_CREDENTIALS = "no credentials"
    WRONG_CERTIFICATE = "wrong certificate"
    # around them
    NODE_ADDRESS = "node address"
    UNDECLARED_DESTINATION = "undeclared destination"
    CONTROL = "control"
    # at the API server
    KUBERNETES_API = "Kubernetes API"
    PERMISSION = "declared permission"
    SERVICE_ACCOUNT = "service account"
    PLAIN_POD = "plain pod"
    PRIVILEGED_POD = "privileged pod"
    NODE_PORT = "node port"
    OWN_IDENTITY = "own identity"
    ANOTHERS_IDENTITY = "another's identity"
    REQUEST_BY_HAND = "signing request by hand"


class ProveError(GarrisonError):
    """The proof could not be carried out; the message is one line: what, where, what to do."""


@dataclass(frozen=True, order=True)
class Party:
    """One end of a probe: a declared workload, an undeclared pod, the machine outside, the API server ..."""

    role: Role
    namespace: str = ""
    name: str = ""

    @property
    def ref(self) -> Ref:
        return Ref(self.namespace, self.name)

    def __str__(self) -> str:
        names = {
            "stray": f"undeclared pod in {self.namespace}",
            "free": "undeclared namespace",
            "outside": "outside",
            "api": "Kubernetes API",
            "deployer": "deployer",
            "editor": "editor of an undeclared namespace",
            "namespace": f"namespace {self.namespace}",
            "host": self.name,
        }
        return names.get(self.role) or str(self.ref)


FREE, OUTSIDE, API = Party("free"), Party("outside"), Party("api")
DEPLOYER, EDITOR = Party("deployer"), Party("editor")
EDGE = Party("service", d.EDGE.namespace, d.EDGE.name)
GATEWAY = Party("gateway", d.EGRESS.namespace, d.EGRESS.name)


@dataclass(frozen=True)
class Connect:
    """Open a TCP connection and close it."""


@dataclass(frozen=True)
class Request:
    """An HTTP request, straight to the target or through the source's own proxy."""

    operation: Operation
    tls: bool = True
    credential: Credential = "none"
    tls12: bool = False
    through_proxy: bool = False
    misled: bool = False  # from a pod where the target's name leads to another service
    resumed: bool = False  # over a session that an earlier connection left
    user: bool = False  # with the token of somebody whom the source serves
    at: str = ""  # the name of a further port of the target
    asked: str = ""  # the name that is asked for in the handshake, where it is none of the target's
    by: Literal["", "mistaken", "steered"] = ""  # through a copy of the gateway that expects, or finds, somebody else
    grpc: bool = False  # in a frame that no server reads: a declared operation is answered, and not carried out
    claims: bool = False  # with headers that dispute it, to a copy whose application tells what reached it


@dataclass(frozen=True)
class Hold:
    """A TCP connection, straight to the target or through the source's own proxy: whether it stays open.

    Nothing is said in it: what the target's protocol is nobody here knows.
    """

    tls: bool = True
    credential: Credential = "none"
    tls12: bool = False
    through_proxy: bool = False
    misled: bool = False  # as of a request
    resumed: bool = False
    at: str = ""  # the name of a further port
    asked: str = ""  # the name that is asked for in the handshake, where it is none of the target's


@dataclass(frozen=True)
class OwnTls:
    """A handshake with a host outside, as an application makes it, inside the way to that host: whether it is answered.

    Nothing is said after it.
    """

    host: str  # asked for
    credential: Credential = "own"
    through_proxy: bool = False
    plain: bool = False  # bytes that are no TLS instead


@dataclass(frozen=True)
class StoreRequest:
    """Log in to the secret store with the source's service account token, then one request."""

    role: str
    path: str
    audience: str


@dataclass(frozen=True)
class Lease:
    """Enter a database with leased credentials: while the lease is good, anew after its end, or in an open session.

    Before an end, the holder stands in its way as any holder can: inside, and with something granted that keeps its
    role from being dropped.
    """

    use: Use
    then: Literal["", "log in again", "go on"] = ""  # after its end


@dataclass(frozen=True)
class LogIn:
    """Enter a database without a lease."""

    user: str
    tls: bool = True
    tls12: bool = False
    credential: Credential = "none"


@dataclass(frozen=True)
class Review:
    """Ask the API server what a service account may do; without a namespace, in its own."""

    verb: str
    resource: str
    group: str = ""
    name: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        """As kubectl words it: `update leases.coordination.k8s.io orders`."""
        what = ".".join(filter(None, (self.resource, self.group)))
        place = f"in {self.namespace}" if self.namespace else ""
        return " ".join(filter(None, (self.verb, what, self.name, place)))


@dataclass(frozen=True)
class Admit:
    """Ask the API server, by dry run, whether it would take an object."""

    what: Kind


@dataclass(frozen=True)
class Certify:
    """Ask the estate's authority, by dry run, for a certificate with one name; without one, for the asker's own.

    The asker may create Certificates and signing requests in the undeclared namespace, and nothing else.
    """

    what: Kind
    field: Name = "uris"
    name: str = ""


Attempt = Connect | Request | Hold | OwnTls | StoreRequest | Lease | LogIn | Review | Admit | Certify | Trial


@dataclass(frozen=True)
class Probe:
    """One attempt and what has to come of it: with no `layers` it must pass, else one of them must refuse it."""

    source: Party
    target: Party
    port: int
    kind: Kind | Try
    attempt: Attempt
    layers: frozenset[Layer] = frozenset()
    phase: Phase = "closed"
    operation: str = ""

    @property
    def expected(self) -> Verdict:
        return "refused" if self.layers else "allowed"

    @property
    def label(self) -> str:
        """The kind, with the layer that stands alone where the others are opened."""
        alone = {"closed": "", "identity open": "network alone: ", "network open": "identity alone: "}
        detail = f": {self.attempt.detail}" if isinstance(self.attempt, Trial) and self.attempt.detail else ""
        return f"{alone[self.phase]}{self.kind}{detail}"


@dataclass(frozen=True)
class Seen:
    """What came of an attempt, and why it is read so."""

    verdict: Verdict
    layer: Layer | None = None
    reason: str = ""
    looks: int = 1  # from and at how many replicas
    throttled: bool = False
    """Not carried out because a limit of the route counts for longer than a run waits: listed, and no error."""


@dataclass(frozen=True)
class Result:
    probe: Probe
    seen: Seen

    @property
    def ok(self) -> bool:
        """As declared, and refused by the layer that should: another layer's refusal hides a missing protection."""
        if self.seen.verdict != self.probe.expected:
            return False
        return not self.probe.layers or self.seen.layer in self.probe.layers
