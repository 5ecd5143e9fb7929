"""From what the probe tool saw to a verdict and the layer that gave it. Pure: the same observation, the same reading.

The rule of the house: what is not clearly a refusal is not a refusal. Anything unclear is an `error`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from garrison.prove.model import Attempt, Connect, Hold, Layer, Lease, LogIn, OwnTls, Request, Seen, StoreRequest

RBAC_BODY = "RBAC: access denied"  # the body of Envoy's RBAC filter, which no application sends
PROXY_BODIES = ("upstream connect error", "no healthy upstream", "upstream request timeout")
# What ends a connection that somebody had taken: another protocol than was spoken, or a server that hangs up.
PAST_HANDSHAKE = (
    "connection_termination",
    "protocol_error",
    "remote_reset",
    "connection termination",
    "protocol error",
)
TLS_WANTED = "HTTP request to an HTTPS server"  # Go's answer to plaintext at a TLS port
DENIED, UNAVAILABLE = "7", "14"  # grpc-status
WHOLE = "whole handshake"
UNCLEAR = {
    "silence": "silence",
    "closed late": "closed without a word after as long as a proxy waits for a handshake, or for what is behind it",
}
ENDED = "57P01"  # SQLSTATE: admin_shutdown
NO_WAY_IN = "28"  # SQLSTATE class 28: invalid authorization specification


def read(attempt: Attempt, observation: Mapping[str, Any]) -> Seen:
    """The verdict on one observation of the probe tool."""
    stage, error = str(observation["stage"]), str(observation["error"])
    if error.startswith(("crash", "server:")) or error in UNCLEAR:
        return Seen("error", None, UNCLEAR.get(error, error))
    if stage == "none":
        return _not_connected(error)
    match attempt:
        case Connect():
            return Seen("allowed", None, "connected")
        case Request(claims=True):
            return _claimed(observation, stage, error)
        case Request(resumed=True):
            return _resumed(stage, error)
        case Request():
            return _request(attempt, observation, stage, error)
        case Hold() | OwnTls():
            return _held(attempt, stage, error) if isinstance(attempt, Hold) else _own_tls(attempt, stage, error)
        case StoreRequest():
            return _store(observation, stage, error)
        case Lease() | LogIn():
            return _database(stage, error)
        case _:
            return Seen("error", None, f"not something the probe tool does: {attempt}")


def _not_connected(error: str) -> Seen:
    if error == "refused":
        return Seen("refused", "workload", "nothing listens there (TCP reset)")
    reasons = {"timeout": "no answer to TCP", "icmp": "rejected by ICMP"}
    if error not in reasons and not error.startswith("unreachable"):
        return Seen("error", None, error)
    return Seen("refused", "network", reasons.get(error, error))


def _request(attempt: Request, observation: Mapping[str, Any], stage: str, error: str) -> Seen:
    if stage in ("tcp", "tls"):
        return Seen("refused", "identity", error)
    status, body = int(observation["status"]), str(observation["body"])
    if grpc := str(observation.get("grpc", "")):
        return _grpc(attempt, grpc, body)
    if status == 403 and RBAC_BODY in body:
        return Seen("refused", "authorization", "403 by the callee's proxy")
    if status == 400 and TLS_WANTED in body:
        return Seen("refused", "identity", "the listener wants TLS")
    if attempt.by == "mistaken" and status >= 500 and body.startswith(PROXY_BODIES):
        return Seen("refused", "identity", "the gateway knows the host by another certificate")
    if status >= 500 and body.startswith(PROXY_BODIES):
        return Seen("refused", _failed_hop(attempt, body), body)
    return Seen("allowed", None, f"answered {status}")


def _grpc(attempt: Request, status: str, message: str) -> Seen:
    """What gRPC's own status says, which every answer has (gRPC over HTTP/2, Responses)."""
    if status == DENIED and RBAC_BODY in message:
        return Seen("refused", "authorization", "PERMISSION_DENIED by the callee's proxy")
    if status == UNAVAILABLE and message.startswith(PROXY_BODIES):
        return Seen("refused", _failed_hop(attempt, message), message)
    return Seen("allowed", None, f"answered grpc-status {status}")


def _own_tls(attempt: OwnTls, stage: str, error: str) -> Seen:
    """Within the way to the host the gateway lets through one name, and only in TLS."""
    if stage == "inner":
        return Seen("allowed", None, "the host answered")
    if attempt.through_proxy:
        return Seen("refused", "network", f"the source's own proxy: {error}")
    if stage == "tls":
        return Seen("refused", "authorization", f"{error} after the handshake with the gateway")
    return Seen("refused", "identity", error)


def _held(attempt: Hold, stage: str, error: str) -> Seen:
    """Over TCP the handshake decides; what closes after a good one is the rule behind it, or the application."""
    if stage == "open":
        return Seen("allowed", None, "the session was resumed" if attempt.resumed else "it stays open")
    if error == WHOLE:
        return Seen("refused", "identity", "a whole handshake was demanded")
    if attempt.through_proxy:
        return Seen("refused", "identity" if attempt.misled else "network", f"the source's own proxy: {error}")
    if stage == "tls" and error == "closed":
        return Seen("refused", "authorization", "closed after the handshake")
    return Seen("refused", "identity", error)


def _claimed(observation: Mapping[str, Any], stage: str, error: str) -> Seen:
    """Only a request that reached the copy's application tells what it heard."""
    try:
        heard = json.loads(observation["body"])["heard"]
    except (ValueError, KeyError, TypeError):
        return Seen(
            "error", None, f"no answer of the copy's application: {stage} {observation['status']} {error}".strip()
        )
    if heard:
        return Seen("allowed", None, f"the application heard {', '.join(heard)}")
    return Seen("refused", "authorization", "the application heard none of the claims")


def _resumed(stage: str, error: str) -> Seen:
    if stage == "http":
        return Seen("allowed", None, "the session was resumed")
    if error == WHOLE:
        return Seen("refused", "identity", "a whole handshake was demanded")
    return Seen("error", None, f"{stage}: {error}")


def _failed_hop(attempt: Request, body: str) -> Layer:
    """A proxy could not go on: the source's own towards the callee, or the callee's towards the application."""
    if not attempt.through_proxy:
        return "workload"
    if attempt.misled and any(sign in body for sign in PAST_HANDSHAKE):
        return "authorization"  # whoever was there had shown who it is, and that was taken
    return "identity" if "TLS_error" in body else "network"


def _store(observation: Mapping[str, Any], stage: str, error: str) -> Seen:
    if stage in ("tcp", "tls"):
        return Seen("refused", "identity", error)
    status = int(observation["status"])
    if stage == "login" and status in (400, 403):
        return Seen("refused", "store", f"log-in refused: {error}")
    if stage == "store" and status == 403:
        return Seen("refused", "store", "permission denied")
    if stage == "store" and status in (200, 204, 404):  # 404: permitted, but nothing is stored there
        return Seen("allowed", None, f"answered {status}")
    return Seen("error", None, f"{stage} answered {status} {error}".strip())


def _database(stage: str, error: str) -> Seen:
    if stage == "sql" and not error:
        return Seen("allowed", None, "logged in")
    if stage == "sql" and error.startswith(NO_WAY_IN):
        return Seen("refused", "database", error)
    if stage == "session" and (error == "closed" or error.startswith(ENDED)):
        return Seen("refused", "database", f"the session was ended: {error}")
    if stage in ("login", "store"):
        return Seen("refused", "store", f"no lease: {error}")
    if stage in ("tcp", "tls"):
        return Seen("refused", "identity", error)
    return Seen("error", None, error)
