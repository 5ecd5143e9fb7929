"""A stand-in application: answers every request with 200, so that a refusal can only come from what is before it.

Its answer names the headers by which a probe's claims came through to it.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from typing import NoReturn

CLAIM = "garrison-probe-claim"  # what a probe says in every header that has no business with an application


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        heard = [name.lower() for name, value in self.headers.items() if CLAIM in value]
        answer = json.dumps({"prober": "here", "heard": heard}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Serve every method alike: the base class looks for `do_GET` and its like."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_request(self, *_args: object) -> None:
        """Keep no record: whoever probes keeps it."""


def serve(host: str, port: int) -> int:
    """Until SIGTERM."""
    signal.signal(signal.SIGTERM, _leave)
    with ThreadingHTTPServer((host, port), Handler) as server:
        server.serve_forever()
    return 0


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)
