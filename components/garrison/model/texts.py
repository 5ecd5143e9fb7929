"""The forms of the texts in a graph.

Whatever a layer writes them into (Envoy's JSON, HCL, SQL, pg_hba.conf, a shell) sees nothing but words in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from string import Formatter

from garrison.model.breach import Breach, Place
from garrison.words import Ref

Pairs = tuple[tuple[str, str], ...]
LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")  # RFC 1035 label: what a Service name has to be
TRUST_DOMAIN = re.compile(r"[a-z0-9]([-._a-z0-9]*[a-z0-9])?")  # SPIFFE-ID section 2.1
_PART = r"[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?"
DIGEST = re.compile(rf"{_PART}(:[0-9]{{1,5}})?(/{_PART})*(:[A-Za-z0-9_][-._A-Za-z0-9]{{0,127}})?@sha256:[0-9a-f]{{64}}")
UNSTORED = re.compile("[\0\ud800-\udfff]")  # what no ConfigMap, environment or PostgreSQL can have
BYTES = re.compile(r"[0-9]{1,15}(\.[0-9]{1,3})?(k|M|G|T|[KMGT]i)?")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")  # of a container: what every shell can read
MAX_LABEL = 63
MAX_NAME = 52  # of a service or database, so that every derived name still fits a label of 63
# What every namespace has of its own: the account of pods that name none, and the deny that everything else lifts.
TAKEN = ("default", "default-deny")
_UNITS = {"m": Decimal("0.001"), "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12)}
_UNITS |= {"": Decimal(1), **{f"{letter}i": Decimal(1024**n) for n, letter in enumerate("KMGT", 1)}}


def is_label(name: str, longest: int = MAX_NAME) -> bool:
    return bool(LABEL.fullmatch(name)) and len(name) <= longest


def is_trust_domain(name: str) -> bool:
    return bool(TRUST_DOMAIN.fullmatch(name)) and len(name) <= 255


def unpinned(place: Place, whose: str, image: str) -> Iterator[Breach]:
    if not DIGEST.fullmatch(image):
        what = f"the image of {whose} is not pinned by digest: {image!r}"
        yield Breach(place, what, "write NAME@sha256:DIGEST; a tag can be moved to another image")


def named(place: Place, what: str, ref: Ref) -> Iterator[Breach]:
    """What the name of a service or database has to be, so that every name derived from it is one."""
    if not is_label(ref.name):
        remedy = f"use a DNS label (RFC 1035) of at most {MAX_NAME} characters"
        yield Breach(place, f"{ref.name!r} is not a {what} name", remedy)
    if ref.name in TAKEN:
        yield Breach(place, f"{ref.name!r} is in every namespace already", f"give the {what} a name of its own")


def bytes_breaches(place: Place, quantity: str, example: str) -> Iterator[Breach]:
    if not BYTES.fullmatch(quantity) or not amount(quantity):
        yield Breach(place, f"{quantity!r} is not a Kubernetes quantity", f"write it like {example!r}")


def amount(quantity: str) -> Decimal:
    """The number that a quantity stands for; both forms above have one."""
    number = quantity.rstrip("".join(_UNITS))
    return Decimal(number) * _UNITS[quantity[len(number) :]]


def named_variable(place: Place, name: str) -> Iterator[Breach]:
    if not VARIABLE.fullmatch(name):
        yield Breach(place, f"{name!r} is no variable", "use letters, digits and _, no digit first")


def fields(text: str) -> set[str]:
    """What a text has in braces; `?` where it has other braces than around plain names, doubled ones included: the
    agent's own templates are written in those.
    """
    return {"?"} if "{{" in text or "}}" in text else places(text)


def places(text: str) -> set[str]:
    """What Python's `format` would put into a text; `?` where that is more than a plain name, or no text at all."""
    try:
        parts = [*Formatter().parse(text)]
    except ValueError:
        return {"?"}
    return {"?" if spec or conversion else str(name) for _, name, spec, conversion in parts if name is not None}
