"""gRPC: serving operations and calling them, with the same ids, logs and kinds of failure as HTTP."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from common import context, log, settings
from common.limits import GRACE_SECONDS, MAX_BODY
from common.log import logger

Answer = TypeVar("Answer", bound=Message)
HEALTH = "grpc.health.v1.Health"
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"  # HealthCheckResponse: its one field, `status`
THREADS = 8
ENDS = (signal.SIGTERM, signal.SIGINT)
TIMEOUT = 5.0
# A proxy that is away comes back within seconds, and nothing on loopback is asked by way of another proxy.
CHANNEL = (("grpc.max_reconnect_backoff_ms", 1000), ("grpc.enable_http_proxy", 0))


class Refusal(Exception):
    """Raise in an operation to answer with a status other than OK."""

    def __init__(self, code: grpc.StatusCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Operation:
    """One method of a service: what it takes, and what it does with it."""

    asked: type[Message]
    work: Callable[[Any], Message]


@dataclass(frozen=True)
class Served:
    """A service of gRPC: its full name, its methods, whether it can serve, and what it lets go of at its end."""

    name: str
    operations: Mapping[str, Operation]
    ready: Callable[[], bool] = lambda: True
    close: Callable[[], None] = lambda: None


def server(served: Served, address: str) -> tuple[grpc.Server, int]:
    """A server of it at HOST:PORT, not started, and its port, which is a free one for port 0."""
    options = (("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", MAX_BODY))
    made = grpc.server(ThreadPoolExecutor(THREADS), options=options)
    methods = {name: _method(f"/{served.name}/{name}", one) for name, one in served.operations.items()}
    health: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
        lambda *_: SERVING if served.ready() else NOT_SERVING
    )
    made.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(served.name, methods),
            grpc.method_handlers_generic_handler(HEALTH, {"Check": health}),
        )
    )
    return made, made.add_insecure_port(address)


def main(service: str, build: Callable[[], Served]) -> None:
    """Serve until told to stop; requests under way are finished first."""
    log.set_up(service)
    # Every thread that comes from here on leaves them to the wait below; a handler could run in the middle of it.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    try:
        served = build()
        running, _ = server(served, f"{settings.text('HOST', '127.0.0.1')}:{settings.port()}")
    except (settings.SettingsError, RuntimeError) as error:  # RuntimeError: the port is taken
        sys.exit(f"{service}: {error}")
    running.start()
    signal.sigwait(ENDS)
    running.stop(GRACE_SECONDS).wait()
    served.close()


def _method(path: str, operation: Operation) -> grpc.RpcMethodHandler[Any, Any]:
    def run(request: Message, asking: grpc.ServicerContext) -> Message:
        _know(dict(asking.invocation_metadata()))
        start, code, detail = time.monotonic(), grpc.StatusCode.OK, ""
        answer: Message | None = None
        try:
            answer = operation.work(request)
        except Refusal as refusal:
            code, detail = refusal.code, refusal.detail
        except Exception:
            logger.exception("unexpected error")
            code, detail = grpc.StatusCode.INTERNAL, "unexpected error; the log has it by request id"
        fields = {"method": "POST", "path": path, "status": code.name}
        logger.info("request", extra={"fields": fields | {"ms": round((time.monotonic() - start) * 1000, 1)}})
        if answer is None:
            asking.abort(code, detail)
        return answer

    return grpc.unary_unary_rpc_method_handler(
        run,
        request_deserializer=operation.asked.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )


def _know(metadata: Mapping[str, str | bytes]) -> None:
    """Whose request this is, as the own proxy says."""
    said = {name: value for name, value in metadata.items() if isinstance(value, str)}
    context.request_id.set(context.accepted_request_id(said.get("x-request-id", "")))
    claimed = said.get("x-correlation-id", "") or context.request_id.get()
    context.correlation_id.set(context.accepted_request_id(claimed))
    context.caller.set(context.identity(said.get("x-forwarded-client-cert", "")))


class Remote:
    """A service of gRPC that this one calls; a status other than OK is raised as grpc.RpcError."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address, options=CHANNEL)

    def call(self, path: str, request: Message, answer: type[Answer]) -> Answer:
        """The answer of /package.Service/Method, within five seconds."""
        method: grpc.UnaryUnaryMultiCallable[Message, Answer] = self._channel.unary_unary(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        ids = (("x-request-id", context.request_id.get()), ("x-correlation-id", context.correlation_id.get()))
        return method(request, timeout=TIMEOUT, metadata=tuple((name, id) for name, id in ids if id))

    def close(self) -> None:
        """Let go of the connection."""
        self._channel.close()
