"""One cluster as one frozen, checked value, and its JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Literal, Self, get_args

from garrison import defaults as d
from garrison.cluster import dns, egress, entrance, issuer, store
from garrison.cluster.dns import Dns
from garrison.cluster.egress import Egress
from garrison.cluster.entrance import Entrance
from garrison.cluster.issuer import Issuer
from garrison.cluster.ranges import range_problems
from garrison.cluster.store import Store
from garrison.cluster.words import is_name
from garrison.errors import IntentError, Problem, did_you_mean

EVERYBODY: Final = ("system:authenticated", "system:unauthenticated", "system:anonymous", "system:serviceaccounts")
AdmissionScope = Literal["estate", "labelled", "everywhere"]
SCOPES: Final = get_args(AdmissionScope)
SCHEMA: Final = "garrison.dev/cluster/v1"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Facts of one cluster; each has the default of a cluster whose platform Garrison installs.

    Raises IntentError with every problem at once, however it came to be.
    """

    issuer: str | Issuer = d.ISSUER
    """Who signs every identity: a ClusterIssuer by its name, or an issuer of any kind."""
    api_server: tuple[str, ...] = ()
    """Address ranges of the API server as pods see it; empty where nobody has said, which `unknown` tells."""
    storage_class: str | None = None
    """For the volumes of databases and of the secret store; None is the cluster's own default."""
    dns: Dns = field(default_factory=Dns)
    entrance: Entrance = field(default_factory=Entrance)
    egress: Egress = field(default_factory=Egress)
    store: Store = field(default_factory=Store)
    system_namespaces: tuple[str, ...] = ()
    """What the cluster itself runs, beside Kubernetes' own: left alone by admission and by `check --live`."""
    admission: Literal["deny", "warn"] = "deny"
    """What the admission policies do with an object that breaks a rule."""
    admission_scope: AdmissionScope = "everywhere"
    """Where the rules hold, at admission and for `check --live`: in the estate's namespaces and those of the platform
    that is installed with it, in labelled ones too, or in all but `spared`."""
    deployers: tuple[str, ...] = d.DEPLOYERS
    """Who runs Pulumi and the proof, `user:NAME` or `group:NAME`: nobody else changes what stands in the estate."""
    signed_images: tuple[str, ...] = ()
    """Images whose signatures were verified; with them no other image from the same places runs."""

    def __post_init__(self) -> None:
        if found := sorted(_problems(self)):
            raise IntentError(found)

    @property
    def authority(self) -> Issuer:
        """Who signs every identity, by name, kind and group."""
        return Issuer.of(self.issuer)

    @property
    def api_server_ranges(self) -> tuple[str, ...]:
        """The ranges that rules name: the cluster's own, or every private one; never the internet."""
        return self.api_server or d.API_SERVER_RANGES

    @property
    def spared(self) -> tuple[str, ...]:
        """All namespaces that are the cluster's own."""
        return (*d.SYSTEM_NAMESPACES, *self.system_namespaces)

    def to_json(self) -> str:
        """Stable JSON: same cluster, same bytes."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read `to_json` back; raises IntentError naming what does not fit. A field left out has its default."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise IntentError([Problem("cluster", f"is not JSON: {error}", "write `garrison cluster` again")]) from None
        if not isinstance(data, dict) or data.pop("schema", None) != SCHEMA:
            raise IntentError([Problem("cluster", f"is not of schema {SCHEMA!r}", "write it with this version")])
        known = [one.name for one in fields(cls)]
        if unknown := [name for name in data if name not in known]:
            raise IntentError([Problem(n, "no such field", did_you_mean(n, known, "remove it")) for n in unknown])
        return cls(**{name: _value(name, value) for name, value in data.items()})


# --- each part has a file of its own, with the same three: its fields, how it is read, what may be wrong with it -----

_READERS: Final[dict[str, tuple[Any, Any]]] = {
    "issuer": (Issuer, Issuer.read),
    "dns": (Dns, dns.read),
    "entrance": (Entrance, entrance.read),
    "egress": (Egress, egress.read),
    "store": (Store, store.read),
}


def _value(name: str, value: Any) -> Any:
    if name in _READERS and isinstance(value, dict):
        part, read = _READERS[name]
        if unknown := sorted(set(value) - {one.name for one in fields(part)}):
            raise IntentError([Problem(name, f"no such field: {', '.join(unknown)}", "remove it")])
        return read(value)
    return tuple(value) if isinstance(value, list) else value


def _problems(cluster: Cluster) -> Iterator[Problem]:
    yield from issuer.problems("issuer", cluster.issuer, identities=True)
    if cluster.storage_class is not None and not is_name(cluster.storage_class):
        what = f"{cluster.storage_class!r} is not a Kubernetes name"
        yield Problem("storage_class", what, "use lower case letters, digits, '-' and '.'")
    if cluster.admission not in ("deny", "warn"):
        yield Problem("admission", f"{cluster.admission!r} is not a mode", "use deny or warn; there is no off")
    if cluster.admission_scope not in SCOPES:
        yield Problem("admission_scope", f"{cluster.admission_scope!r} is no scope", f"use {', '.join(SCOPES)}")
    yield from _each(cluster, "system_namespaces", is_name, "a namespace")
    if cluster.deployers == ():
        yield Problem("deployers", "is empty, so that nobody could deploy", "name who runs Pulumi")
    yield from _each(cluster, "deployers", is_person, "`user:NAME` or `group:NAME`")
    yield from _each(cluster, "signed_images", lambda image: isinstance(image, str), "an image")
    if isinstance(cluster.api_server, tuple):
        for cidr in cluster.api_server:
            yield from range_problems("api_server", cidr)
    else:
        yield Problem("api_server", "is not a list of address ranges", "use one such as 10.0.0.0/24")
    yield from dns.problems(cluster.dns)
    yield from entrance.problems(cluster.entrance)
    yield from egress.problems(cluster.egress)
    yield from store.problems(cluster.store)


def _each(cluster: Cluster, name: str, fits: Any, what: str) -> Iterator[Problem]:
    values = getattr(cluster, name)
    if not isinstance(values, tuple):
        yield Problem(name, f"{values!r} is not a list", f"give a list of which each is {what}")
        return
    for value in values:
        if not fits(value):
            yield Problem(name, f"{value!r} is not {what}", f"name {what}")


def is_person(value: Any) -> bool:
    """Never everybody: a group of all users or all accounts would guard nothing."""
    kind, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    return kind in ("user", "group") and bool(name.strip()) and name not in EVERYBODY
