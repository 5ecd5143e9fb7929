"""Issuers: who says of a person or a machine who they are, in tokens (RFC 7519) signed with published keys."""

from __future__ import annotations

import re
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

    @property
    def embedded(self) -> bool:
        return bool(self.login)

    def breaches(self, place: Place) -> Iterator[Breach]:
        if not is_label(self.name):
            yield Breach(place, f"{self.name!r} is not a name for an issuer", "use a DNS label (RFC 1035)")
        if not NAME.fullmatch(self.groups):
            yield Breach(place, f"{self.groups!r} is not the name of a claim", "name the claim that lists the groups")
        if self.embedded:
            if wrong := unusable(self.login):
                yield Breach(place, wrong, "write it like 'login.estate.example'")
            return
        needed = {"url": self.url, "jwks": self.jwks}
        asked = {"authorize": self.authorize, "token": self.token, "end_session": self.end_session}
        for name, url in {**needed, **{name: url for name, url in asked.items() if url}}.items():
            if not HTTPS.fullmatch(url) or len(url) > MAX_URL:
                remedy = "write https://HOST/PATH, as `garrison issuer URL` prints it"
                yield Breach(place, f"{name}={url!r} of issuer '{self.name}' is no https URL", remedy)
        if not self.audience or len(self.audience) > MAX_URL or not self.audience.isprintable():
            remedy = 'give audience="...", what its tokens for this estate have in `aud`'
            yield Breach(place, f"issuer '{self.name}' names no audience: a token for anybody would do", remedy)
        if self.client and not (self.authorize and self.token and PATH.fullmatch(self.client_secret)):
            remedy = "give authorize=, token= and client_secret=, a path in the secret store such as 'login/client'"
            yield Breach(place, f"issuer '{self.name}' has a client and not all that a login needs", remedy)
