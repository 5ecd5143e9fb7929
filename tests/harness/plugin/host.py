"""Messages to the person at the terminal, through the engine."""

from __future__ import annotations

import threading
from typing import Final

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from harness.plugin.errors import PluginError

_LIMIT: Final = 400 * 1024 * 1024


class Host:
    """The engine's log. `once` and `status` drop what was said already."""

    def __init__(self) -> None:
        self._engine: engine_pb2_grpc.EngineStub | None = None
        self._said: set[str] = set()
        self._status: dict[str, str] = {}
        self._lock = threading.Lock()

    def connect(self, address: str) -> None:
        """Log to the engine at this address from now on."""
        options = [("grpc.max_receive_message_length", _LIMIT)]
        channel = grpc.insecure_channel(address, options=options)
        self._engine = engine_pb2_grpc.EngineStub(channel)

    def info(self, message: str, urn: str = "") -> None:
        self._log(engine_pb2.INFO, message, urn)

    def warning(self, message: str, urn: str = "") -> None:
        self._log(engine_pb2.WARNING, message, urn)

    def once(self, message: str, urn: str = "") -> None:
        """Say something that many resources would otherwise repeat."""
        with self._lock:
            new = message not in self._said
            self._said.add(message)
        if new:
            self.info(message, urn)

    def status(self, message: str, urn: str) -> None:
        """What a resource is waiting for right now (empty when it no longer is)."""
        if self._status.get(urn, "") != message:
            self._status[urn] = message
            self._log(engine_pb2.INFO, message, urn, ephemeral=True)

    def _log(
        self,
        severity: engine_pb2.LogSeverity.ValueType,
        message: str,
        urn: str,
        *,
        ephemeral: bool = False,
    ) -> None:
        if self._engine is None:
            return
        request = engine_pb2.LogRequest(severity=severity, message=message, urn=urn, ephemeral=ephemeral)
        try:
            self._engine.Log(request, timeout=5)
        except grpc.RpcError as problem:
            raise PluginError("the Pulumi engine is gone") from problem
