"""Hosts: the names under which the edge answers, and how a browser says there who its user is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from garrison.model.breach import Breach, Place

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
HOST: Final = re.compile(rf"(?=.{{1,200}}$){_LABEL}(\.{_LABEL})+")  # RFC 1123; a certificate and a browser know it
INTERNAL: Final = re.compile(r"\.(svc|local|localhost|internal|arpa)$|\.svc\.")  # what means something within


def unusable(name: str) -> str:
    """Why no client from outside could use this name of a host; empty where one could."""
    if not HOST.fullmatch(name):
        return f"{name!r} is not a host name"
    return f"{name!r} is a name within a cluster" if INTERNAL.search(name) else ""


@dataclass(frozen=True, order=True)
class Host:
    """One host of the edge. With `login`, an issuer's name, browsers get a session there; without, tokens only."""

    name: str
    login: str = ""

    def breaches(self, place: Place) -> Iterator[Breach]:
        if wrong := unusable(self.name):
            yield Breach(place, wrong, "write it like 'api.estate.example', in lower case")
