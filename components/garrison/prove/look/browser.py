"""A browser's login through the edge (RFC 6749 section 4.1), as far as it takes no page: the cookies it ends with."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from garrison.prove.expect.messages import Message
from garrison.prove.trials import Answer

PAGES: Final = "/ui/vault/"  # of the embedded issuer's login, as people see it; programs ask its API
FOUND: Final = 302

Send = Callable[[Message], Answer]
Ask = Callable[[str], dict[str, Any]]


def log_in(host: str, path: str, port: int, send: Send, ask: Ask) -> str:
    """The Cookie header of a session at a host; `ask` is a GET at the issuer's API as the person.

    Raises LookupError where the login does not go as it should.
    """
    first = _get(host, path, port, send, "")
    page = urlsplit(first.header("location"))
    if first.status != FOUND or PAGES not in page.path:
        raise LookupError(f"{host}{path} sends nobody to a login (it answers {first.status})")
    cookies = _cookies(first, {})
    given = ask(f"{page.path.partition(PAGES)[2]}?{page.query}")
    callback = dict(part.partition("=")[::2] for part in page.query.split("&")).get("redirect_uri", "")
    back = urlsplit(unquote(callback)).path
    last = _get(host, f"{back}?code={given['code']}&state={_state(page.query)}", port, send, _line(cookies))
    if last.status != FOUND:
        raise LookupError(f"{host}{back} takes no code (it answers {last.status})")
    return _line(_cookies(last, cookies))


def _get(host: str, target: str, port: int, send: Send, cookies: str) -> Answer:
    headers = (("cookie", cookies),) if cookies else ()
    return send(Message("GET", target, host if port == 443 else f"{host}:{port}", host, headers, b"", "1.3"))


def _cookies(answer: Answer, before: dict[str, str]) -> dict[str, str]:
    found = dict(before)
    for name, value in answer.headers:
        if name == "set-cookie":
            jar: SimpleCookie = SimpleCookie()
            try:
                jar.load(value)
            except CookieError as error:
                raise LookupError(f"a cookie that cannot be read: {error}") from None
            found |= {key: morsel.value for key, morsel in jar.items()}
    return {key: value for key, value in found.items() if value not in ("", "deleted")}


def _line(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def _state(query: str) -> str:
    """As it was written: it is compared byte by byte."""
    return next((part.removeprefix("state=") for part in query.split("&") if part.startswith("state=")), "")
