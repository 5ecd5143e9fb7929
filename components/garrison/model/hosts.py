"""Hosts: the names under which the edge answers, and how a browser says there who its user is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from garrison.model.breach import Breach, Place

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
HOST: Final = re.compile(rf"(?=.{{1,200}}$){_LABEL}(\.{_LABEL})+")  # RFC 1123; a certificate and a browser know it


@dataclass(frozen=True, order=True)
class Host:
    """One host of the edge. With `login`, an issuer's name, browsers get a session there; without, tokens only."""

    name: str
    login: str = ""

    def breaches(self, place: Place) -> Iterator[Breach]:
        if not HOST.fullmatch(self.name):
            yield Breach(
                place, f"{self.name!r} is not a host name", "write it like 'api.estate.example', in lower case"
            )
