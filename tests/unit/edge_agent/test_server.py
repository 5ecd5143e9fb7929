"""The agent's HTTP: plain requests one after the other, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from garrison_edge import server
from garrison_edge.contract import Request
from garrison_edge.server import Answer, serve


def exchange(*texts: bytes, seen: list[Request] | None = None, fails: bool = False) -> list[bytes]:
    """What comes back for each text over one connection, until it is closed."""

    async def handler(request: Request) -> Answer:
        if seen is not None:
            seen.append(request)
        if fails:
            raise RuntimeError("planted")
        return Answer(200, "text/plain", request.body or b"-")

    async def run() -> list[bytes]:
        made = await serve("127.0.0.1", 0, handler)
        reader, writer = await asyncio.open_connection(*made.sockets[0].getsockname())
        answers = []
        try:
            for text in texts:
                writer.write(text)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                answers.append(head + (b"" if text.startswith(b"HEAD") else await reader.readexactly(length)))
        finally:
            writer.close()
            await writer.wait_closed()
            made.close()
        return answers

    return asyncio.run(run())


def test_requests_follow_one_another_on_a_connection() -> None:
    seen: list[Request] = []
    post = b"POST /a?b HTTP/1.1\r\nHost: h\r\nX-A:  1 \r\nX-A: 2\r\nContent-Length: 3\r\n\r\nabc"
    first, second, third = exchange(post, b"HEAD / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", seen=seen)
    assert first.endswith(b"\r\n\r\nabc")
    assert (b"content-length: 1\r\n" in second, second.endswith(b"\r\n\r\n"), third.endswith(b"-")) == (
        True,
        True,
        True,
    )
    assert seen[0] == Request("POST", "/a?b", {"host": ["h"], "x-a": ["1", "2"], "content-length": ["3"]}, b"abc")


@pytest.mark.parametrize(
    "text",
    [
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST /  HTTP/1.1\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ],
)
def test_what_is_not_plain_is_refused_and_ends_the_connection(text: bytes) -> None:
    seen: list[Request] = []
    (answer,) = exchange(text, seen=seen)
    assert (answer.startswith(b"HTTP/1.1 400 "), b"connection: close" in answer, seen) == (True, True, [])


def test_a_fault_of_its_own_is_503_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    (answer,) = exchange(b"GET / HTTP/1.1\r\n\r\n", fails=True)
    assert answer.startswith(b"HTTP/1.1 503 ")
    said = capsys.readouterr().out
    assert ("RuntimeError" in said, "planted" in said) == (True, False)


def test_a_body_that_does_not_come_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SECONDS", 0.05)
    with pytest.raises(asyncio.IncompleteReadError):
        exchange(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na")
