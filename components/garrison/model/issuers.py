"""Issuers: who says of a person or a machine who they are, in tokens (RFC 7519) signed with published keys."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from garrison.model.breach import Breach, Place
from garrison.model.conditions import NAME
from garrison.model.hosts import unusable
from garrison.model.texts import is_label

HTTPS: Final = re.compile(r"https://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?(/[-A-Za-z0-9._~/]*)?")
PATH: Final = re.compile(r"[a-z0-9][-_a-z0-9]*(/[a-z0-9][-_a-z0-9]*)*")
MAX_URL: Final = 300
CERTIFICATES: Final = re.compile(
    r"(-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=]{1,76}\n)+-----END CERTIFICATE-----\n)+"  # RFC 7468
)
MAX_CA: Final = 16 * 1024  # letters of PEM: some ten certificates
MAX_CACHE: Final = 30  # seconds; what `garrison_edge.introspection` takes


@dataclass(frozen=True, order=True)
class Issuer:
    """An issuer of tokens by the name that the program gives it.

    Embedded, it is the estate's own, at the host `login`; any other is found at its `url`, with all else that its
    discovery document says (`garrison issuer URL` prints it). Rights come from `groups`, never from what was asked for.
    """

    name: str
    login: str = ""
    """The host of the embedded issuer's own pages; empty for any other."""
    url: str = ""
    """The `iss` of its tokens, exactly (RFC 8414 section 2)."""
    jwks: str = ""
    """Where its signing keys are (RFC 7517)."""
    audience: str = ""
    """The `aud` that a token has to have, exactly."""
    groups: str = "groups"
    """The claim that lists a user's groups."""
    client: str = ""
    """The client id of the browser's login; empty where no host logs in with it."""
    client_secret: str = ""
    """Where the secret of that client is in the secret store."""
    authorize: str = ""
    token: str = ""
    end_session: str = ""
    ca: str = ""
    """Who vouches for its certificates, as PEM (RFC 7468); empty for an issuer that every system trusts."""
    introspect: str = ""
    """Where its tokens are asked about (RFC 7662), which then may be opaque; empty where they are verified by keys."""
    cache_seconds: int = 0
    """How long such an answer holds, 0 to 30: a token that was taken back is good for so long."""

    @property
    def embedded(self) -> bool:
        return bool(self.login)

    @property
    def opaque(self) -> bool:
        """Its tokens say nothing by themselves: only who asks it about them knows whose they are."""
        return bool(self.introspect)

    @property
    def authorities(self) -> frozenset[str]:
        """Everywhere that the edge asks it: host, or host:port."""
        asked = (self.jwks, self.token, self.introspect)
        return frozenset(url.removeprefix("https://").partition("/")[0] for url in asked if url)

    def breaches(self, place: Place) -> Iterator[Breach]:
        if not is_label(self.name):
            yield Breach(place, f"{self.name!r} is not a name for an issuer", "use a DNS label (RFC 1035)")
        if not NAME.fullmatch(self.groups):
            yield Breach(place, f"{self.groups!r} is not the name of a claim", "name the claim that lists the groups")
        if self.embedded:
            if wrong := unusable(self.login):
                yield Breach(place, wrong, "write it like 'login.estate.example'")
            return
        needed = {"url": self.url} | ({} if self.opaque else {"jwks": self.jwks})
        asked = {"authorize": self.authorize, "token": self.token, "end_session": self.end_session}
        asked |= {"introspect": self.introspect}
        for name, url in {**needed, **{name: url for name, url in asked.items() if url}}.items():
            if not HTTPS.fullmatch(url) or len(url) > MAX_URL:
                remedy = "write https://HOST/PATH, as `garrison issuer URL` prints it"
                yield Breach(place, f"{name}={url!r} of issuer '{self.name}' is no https URL", remedy)
        if not self.audience or len(self.audience) > MAX_URL or not self.audience.isprintable():
            remedy = 'give audience="...", what its tokens for this estate have in `aud`'
            yield Breach(place, f"issuer '{self.name}' names no audience: a token for anybody would do", remedy)
        if self.ca and (wrong := not_certificates(self.ca)):
            yield Breach(place, f"ca= of issuer '{self.name}' {wrong}", "give the PEM file of its CA, without any key")
        yield from self._asked_about(place) if self.opaque else self._verified(place)

    def _verified(self, place: Place) -> Iterator[Breach]:
        if self.client and not (self.authorize and self.token and PATH.fullmatch(self.client_secret)):
            remedy = "give authorize=, token= and client_secret=, a path in the secret store such as 'login/client'"
            yield Breach(place, f"issuer '{self.name}' has a client and not all that a login needs", remedy)
        if self.cache_seconds:
            what = f"issuer '{self.name}' has cache_seconds= and no introspect="
            yield Breach(place, what, "leave it out: key sets have a time of their own")

    def _asked_about(self, place: Place) -> Iterator[Breach]:
        if not (self.client and self.client.isprintable() and PATH.fullmatch(self.client_secret)):
            remedy = "give client= and client_secret=, a path in the secret store such as 'people/introspection'"
            yield Breach(place, f"issuer '{self.name}' is asked about tokens by nobody it knows", remedy)
        if self.jwks or self.authorize or self.token or self.end_session:
            what = f"issuer '{self.name}' is asked about tokens, and has keys or a login too"
            yield Breach(
                place, what, "declare it once more under another name= for tokens with signatures and for logins"
            )
        if type(self.cache_seconds) is not int or not 0 <= self.cache_seconds <= MAX_CACHE:
            what = f"cache_seconds={self.cache_seconds!r} of issuer '{self.name}'"
            yield Breach(place, what, f"use 0 (a token that was taken back is refused at once) to {MAX_CACHE}")


def not_certificates(pem: str) -> str:
    """Why this text is not a list of CA certificates; empty where it is."""
    if len(pem) > MAX_CA:
        return f"has more than {MAX_CA:,} letters"
    if not CERTIFICATES.fullmatch(pem):
        return "is not PEM certificates and nothing else"
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        trust.load_verify_locations(cadata=pem)
    except ssl.SSLError:
        return "has something in it that is no certificate"
    known = trust.cert_store_stats()
    return "" if known["x509"] == known["x509_ca"] else "has a certificate in it that is no CA's"
