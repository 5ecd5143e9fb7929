"""What happens around every request: its id, its log line, its size limit, its last resort."""

from __future__ import annotations

import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common import context, problem
from common.limits import MAX_BODY
from common.log import logger

QUIET = frozenset({"/healthz"})


class Requests:
    """ASGI middleware; plain ASGI, so that context variables reach the handlers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        context.request_id.set(context.accepted_request_id(headers.get("x-request-id", "")))
        claimed = headers.get("x-correlation-id", "") or context.request_id.get()
        context.correlation_id.set(context.accepted_request_id(claimed))
        context.caller.set(context.identity(headers.get("x-forwarded-client-cert", "")))
        context.authorization.set(headers.get("authorization", ""))
        path, query = scope.get("raw_path") or b"", scope.get("query_string") or b""
        claims = context.verified(headers.get("x-verified-claims", ""))
        context.asked.set(context.Asked(path.decode("latin-1"), query.decode("latin-1"), claims))
        await _Exchange(scope, send).run(self.app, receive)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self._send = send
        self.status = 0
        self.received = 0

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        start = time.monotonic()

        async def limited() -> Message:
            message = await receive()
            self.received += len(message.get("body", b""))
            if self.received > MAX_BODY:
                raise HTTPException(413, f"a request body has at most {MAX_BODY} bytes")
            return message

        try:
            await app(self.scope, limited, self.send)
        except Exception:
            logger.exception("unexpected error")
            if not self.status:
                failed = problem.answer(500, "unexpected error; the log has it by request id")
                await failed(self.scope, receive, self.send)
        self._log(start)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["x-request-id"] = context.request_id.get()
        await self._send(message)

    def _log(self, start: float) -> None:
        if self.scope["path"] in QUIET and self.status < 400:
            return
        fields = {
            "method": self.scope["method"],
            "path": self.scope["path"],
            "status": self.status,
            "ms": round((time.monotonic() - start) * 1000, 1),
        }
        logger.info("request", extra={"fields": fields})
