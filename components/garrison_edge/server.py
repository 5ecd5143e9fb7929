"""HTTP/1.1 for two clients that are known: the proxy of the same pod, and the kubelet.

asyncio alone: a general server costs more than the judgement itself (docs/contract.md has the figures). What is not
plain (transfer codings, no length, long heads) is refused and the connection closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from garrison_edge import log
from garrison_edge.contract import BODY, Request
from garrison_edge.problem import MEDIA_TYPE, unavailable

HEAD: Final = 64 * 1024
"""Bytes of a request's line and headers; the proxy takes no larger ones from its clients."""
SECONDS: Final = 5.0
"""For the body of a request, once its head is here."""
Answer = tuple[int, str, bytes]
"""Status, content type and body."""
Handler = Callable[[Request], Awaitable[Answer]]


async def serve(host: str, port: int, handler: Handler) -> asyncio.Server:
    """A server that hands each request to `handler`; whatever that raises is a refusal."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _exchange(reader, writer, handler):
                pass
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, TimeoutError):
            pass  # the other side is gone, or is not the one that it should be
        except asyncio.CancelledError:
            pass  # the agent ends
        finally:
            writer.close()

    return await asyncio.start_server(connected, host, port, limit=HEAD)


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler) -> bool:
    """One request and its answer; False where the connection ends with it."""
    request, length = _read((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
    if request is None or length > BODY:
        writer.write(_written(HTTPStatus.BAD_REQUEST, "text/plain", b"", close=True))
        return False
    if length:
        async with asyncio.timeout(SECONDS):
            request = Request(request.method, request.target, request.headers, await reader.readexactly(length))
    try:
        status, kind, body = await handler(request)
    except Exception as error:
        log.line("alert", problem=f"a request could not be judged: {type(error).__name__}")
        refused = unavailable()
        status, kind, body = refused.status, MEDIA_TYPE, refused.document("")
    close = "close" in request.headers.get("connection", ())
    writer.write(_written(status, kind, body, close=close, head=request.method == "HEAD"))
    await writer.drain()
    return not close


def _read(head: str) -> tuple[Request | None, int]:
    """The request without its body, and how long that is; None for what is no plain request."""
    first, *lines = head[:-4].split("\r\n")
    words = first.split(" ")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            return None, 0
        headers.setdefault(name.lower(), []).append(value.strip(" \t"))
    lengths = headers.get("content-length", ["0"])
    plain = len(words) == 3 and len(lengths) == 1 and lengths[0].isdecimal() and len(lengths[0]) < 10
    if not plain or "transfer-encoding" in headers:
        return None, 0
    return Request(words[0], words[1], headers), int(lengths[0])


def _written(status: int, kind: str, body: bytes, *, close: bool = False, head: bool = False) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"content-length: {len(body)}"]
    lines += [f"content-type: {kind}"] if body else []
    lines += ["connection: close"] if close else []
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if head else body)
