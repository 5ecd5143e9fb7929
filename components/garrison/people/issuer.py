"""`garrison issuer URL`: what another issuer says of itself, as the line that a program has for it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from garrison.exits import Exit
from garrison.model.issuers import HTTPS, MAX_URL
from garrison.people.door import Door, DoorError

WELL_KNOWN: Final = "/.well-known/openid-configuration"  # OpenID Connect Discovery 1.0, section 4
FIELDS: Final = {
    "jwks": "jwks_uri",
    "authorize": "authorization_endpoint",
    "token": "token_endpoint",
    "end_session": "end_session_endpoint",
    "introspect": "introspection_endpoint",  # RFC 8414
}
EPILOG = """examples:
  garrison issuer https://people.example
  garrison issuer https://people.example --audience estate --client estate-www --ca ca.pem

Nothing is written: put the line into your program. What an audience, a client and its secret are is agreed with the
issuer; its discovery document does not say them.
"""


def parser() -> argparse.ArgumentParser:
    """Its options."""
    made = argparse.ArgumentParser(
        prog="garrison issuer",
        description="Ask an issuer for its discovery document and print the line that declares it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("url", metavar="URL", help="the issuer, as its tokens name it")
    made.add_argument("--audience", default="...", help="what its tokens for this estate have in `aud`")
    made.add_argument("--client", help="the client id of browsers' logins, for hosts with login=; or of who asks")
    made.add_argument("--introspect", action="store_true", help="its tokens are opaque: the edge asks about each")
    made.add_argument("--edge", metavar="URL", help="where it is reached, if its name leads elsewhere")
    made.add_argument("--ca", type=Path, metavar="FILE", help="the CA of its certificate (default: this machine's)")
    return made


def main(arguments: Sequence[str]) -> int:
    """Print the line; raises DoorError where there is no such issuer."""
    options = parser().parse_args(arguments)
    found = discovered(options.url, options.edge, options.ca)
    if options.introspect and "introspect" not in found:
        raise DoorError(f"{options.url} cannot be asked about tokens (introspection_endpoint)")
    more = {"ca": str(options.ca)} if options.ca else {}
    print(line(options.url, found | more, options.audience, options.client, opaque=options.introspect))
    return Exit.CLEAN


def discovered(url: str, edge: str | None = None, ca: Path | None = None) -> dict[str, str]:
    """What the discovery document says, as the words of `estate.issuer(...)`; its name and every URL are checked."""
    if not HTTPS.fullmatch(url) or len(url) > MAX_URL:
        raise DoorError(f"{url!r} is no issuer; write https://HOST or https://HOST/PATH")
    origin, path = _divided(url)
    status, said = Door(origin, edge, ca).ask("GET", f"{path.rstrip('/')}{WELL_KNOWN}")
    if status != 200 or not isinstance(said, dict):
        raise DoorError(f"{url}{WELL_KNOWN}: no discovery document there (status {status})")
    if said.get("issuer") != url:  # section 4.3: it has to be the very same, or somebody speaks for another
        raise DoorError(f"{url} calls itself {_short(said.get('issuer'))}; give that name, if it is who you mean")
    found = {word: said[field] for word, field in FIELDS.items() if field in said}
    if "jwks" not in found:
        raise DoorError(f"{url} publishes no keys (jwks_uri)")
    for word, value in found.items():
        if not isinstance(value, str) or not HTTPS.fullmatch(value) or len(value) > MAX_URL:
            raise DoorError(f"{url}: its {FIELDS[word]} is {_short(value)}, and only https is taken")
    return found


def line(url: str, found: dict[str, str], audience: str, client: str | None, *, opaque: bool = False) -> str:
    """The declaration, as Python."""
    said: dict[str, str] = {"audience": audience}
    if opaque:
        said |= {"introspect": found["introspect"], "client": client or "...", "client_secret": "people/introspection"}
    else:
        said["jwks"] = found["jwks"]
    if client and not opaque:
        said |= {"client": client, "client_secret": "people/client"}
        said |= {word: found[word] for word in ("authorize", "token", "end_session") if word in found}
    said |= {"ca": found["ca"]} if "ca" in found else {}
    return "\n".join(["estate.issuer(", f"    {_text(url)},", *(f"    {k}={_text(v)}," for k, v in said.items()), ")"])


def _text(value: str) -> str:
    """A text of JSON is one of Python."""
    return json.dumps(value, ensure_ascii=False)


def _divided(url: str) -> tuple[str, str]:
    host, slash, path = url.removeprefix("https://").partition("/")
    return f"https://{host}", slash + path


def _short(value: Any) -> str:
    return repr(value)[:MAX_URL]
