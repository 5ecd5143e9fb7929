"""What one cluster is, beside the graph: the two together are the whole truth.

`render(graph, cluster)` is pure, Pulumi registers both, and whatever judges (the proof, the policy pack, admission,
`garrison check --live --app`) starts from the same two values. No object is changed after it was derived from them.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, Self

from garrison import defaults as d
from garrison.errors import IntentError, Problem, did_you_mean
from garrison.words import DNS_NAME

EVERYBODY: Final = ("system:authenticated", "system:unauthenticated", "system:anonymous", "system:serviceaccounts")
SCHEMA: Final = "garrison.dev/cluster/v1"
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Dns:
    """The pods that answer names: where they run, their labels and their port."""

    namespace: str = "kube-system"
    labels: Labels = (("k8s-app", "kube-dns"),)
    port: int = 53


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """How the edge is reached from outside this cluster, where the graph has hosts."""

    port: int = 443
    """As clients see it: part of every URL of the edge, and of the embedded issuer's name, where it is not 443."""
    service: Literal["LoadBalancer", "NodePort"] = "LoadBalancer"
    """NodePort where the cluster has nobody who gives addresses, as on kind."""
    node_port: int | None = None
    """Which port of the nodes; None lets the cluster choose."""
    issuer: str | None = None
    """The ClusterIssuer of the hosts' certificates; None is the one that signs identities."""
    replicas: int = 2
    """Of the edge. Local limits count in each."""
    issuer_ranges: tuple[str, ...] = ()
    """Where issuers are that are not ours, beside public addresses, which are open to the edge unless each issuer has a
    CA of its own and these ranges are given."""
    limits: Literal["local", "global"] = "local"
    """Where requests are counted: in each pod alone, or once for all of them, too."""


@dataclass(frozen=True, kw_only=True)
class Egress:
    """How hosts outside are reached from this cluster, where the graph has any."""

    allowed: tuple[str, ...] = ()
    """Ranges that are not of the internet and may be reached nevertheless: a provider in a private network."""
    closed: tuple[str, ...] = ()
    """Ranges of the internet that are this cluster's own, such as public addresses of its nodes; beside `api_server`"""
    authorities: tuple[tuple[str, str], ...] = ()
    """Who vouches for a host, as host and PEM text; without, the authorities that the image's system trusts."""
    replicas: int = 2
    """Of the gateway."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Facts of one cluster; each has the default of a cluster whose platform Garrison installs.

    Raises IntentError with every problem at once, however it came to be.
    """

    issuer: str = d.ISSUER
    """The ClusterIssuer that signs every identity."""
    api_server: tuple[str, ...] = ()
    """Address ranges of the API server as pods see it; empty where nobody has said, which `unknown` tells."""
    storage_class: str | None = None
    """For the volumes of databases and of the secret store; None is the cluster's own default."""
    dns: Dns = Dns()
    entrance: Entrance = Entrance()
    egress: Egress = Egress()
    system_namespaces: tuple[str, ...] = ()
    """What the cluster itself runs, beside Kubernetes' own: left alone by admission and by `check --live`."""
    admission: Literal["deny", "warn"] = "deny"
    """What the admission policies do with an object that breaks a rule."""
    deployers: tuple[str, ...] = d.DEPLOYERS
    """Who runs Pulumi and the proof, `user:NAME` or `group:NAME`: nobody else changes what stands in the estate."""
    signed_images: tuple[str, ...] = ()
    """Images whose signatures were verified; with them no other image from the same places runs."""

    def __post_init__(self) -> None:
        if found := sorted(_problems(self)):
            raise IntentError(found)

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
        known = [field.name for field in fields(cls)]
        if unknown := [name for name in data if name not in known]:
            raise IntentError([Problem(n, "no such field", did_you_mean(n, known, "remove it")) for n in unknown])
        return cls(**{name: _value(name, value) for name, value in data.items()})


_PARTS: Final[dict[str, type[Entrance | Egress | Dns]]] = {"entrance": Entrance, "egress": Egress, "dns": Dns}


def _value(name: str, value: Any) -> Any:
    if name in _PARTS and isinstance(value, dict):
        return _part(name, value)
    return tuple(value) if isinstance(value, list) else value


def _part(name: str, value: dict[str, Any]) -> Entrance | Egress | Dns:
    if unknown := sorted(set(value) - {field.name for field in fields(_PARTS[name])}):
        raise IntentError([Problem(name, f"no such field: {', '.join(unknown)}", "remove it")])
    if name == "entrance":
        ranges = value.get("issuer_ranges", ())
        return Entrance(**value | {"issuer_ranges": tuple(ranges) if isinstance(ranges, list) else ranges})
    if name == "egress":
        lists = {key: tuple(said) for key, said in value.items() if isinstance(said, list) and key != "authorities"}
        pairs = value.get("authorities", ())
        whole = isinstance(pairs, list) and all(isinstance(pair, list) for pair in pairs)
        return Egress(**value | lists | {"authorities": tuple(tuple(pair) for pair in pairs) if whole else pairs})
    labels = value.get("labels", [list(pair) for pair in Dns().labels])
    pairs = tuple(tuple(pair) for pair in labels if isinstance(pair, list)) if isinstance(labels, list) else labels
    return Dns(**value | {"labels": pairs})


def _problems(cluster: Cluster) -> Iterator[Problem]:
    for name in ("issuer", "storage_class"):
        value = getattr(cluster, name)
        if not (value is None and name == "storage_class") and not _is_name(value):
            yield Problem(name, f"{value!r} is not a Kubernetes name", "use lower case letters, digits, '-' and '.'")
    if cluster.admission not in ("deny", "warn"):
        yield Problem("admission", f"{cluster.admission!r} is not a mode", "use deny or warn; there is no off")
    yield from _each(cluster, "system_namespaces", _is_name, "a namespace")
    if cluster.deployers == ():
        yield Problem("deployers", "is empty, so that nobody could deploy", "name who runs Pulumi")
    yield from _each(cluster, "deployers", _is_person, "`user:NAME` or `group:NAME`")
    yield from _each(cluster, "signed_images", lambda image: isinstance(image, str), "an image")
    if isinstance(cluster.api_server, tuple):
        for cidr in cluster.api_server:
            yield from range_problems("api_server", cidr)
    else:
        yield Problem("api_server", "is not a list of address ranges", "use one such as 10.0.0.0/24")
    yield from _dns(cluster.dns)
    yield from _entrance(cluster.entrance)
    yield from _egress(cluster.egress)


def _each(cluster: Cluster, name: str, fits: Any, what: str) -> Iterator[Problem]:
    values = getattr(cluster, name)
    if not isinstance(values, tuple):
        yield Problem(name, f"{values!r} is not a list", f"give a list of which each is {what}")
        return
    for value in values:
        if not fits(value):
            yield Problem(name, f"{value!r} is not {what}", f"name {what}")


def _entrance(entrance: Any) -> Iterator[Problem]:
    if not isinstance(entrance, Entrance):
        yield Problem(
            "entrance", f"{entrance!r} is not an Entrance", "give port, service, node_port, issuer, replicas, limits"
        )
        return
    if not _whole(entrance.port) or not 1 <= entrance.port <= 65535:
        yield Problem("entrance.port", f"{entrance.port!r} is not a port", "use 1 to 65535")
    if entrance.service not in ("LoadBalancer", "NodePort"):
        yield Problem("entrance.service", f"{entrance.service!r} leads to no edge", "use LoadBalancer or NodePort")
    node_port = entrance.node_port
    if node_port is not None and not (_whole(node_port) and 30000 <= node_port <= 32767):
        yield Problem("entrance.node_port", f"{node_port!r} is not a port of the nodes", "use 30000 to 32767")
    if entrance.issuer is not None and not _is_name(entrance.issuer):
        yield Problem("entrance.issuer", f"{entrance.issuer!r} is not a Kubernetes name", "name a ClusterIssuer")
    if not _whole(entrance.replicas) or not 1 <= entrance.replicas <= 100:
        yield Problem("entrance.replicas", f"{entrance.replicas!r} replicas of the edge", "use 1 to 100")
    if isinstance(entrance.issuer_ranges, tuple):
        for cidr in entrance.issuer_ranges:
            yield from issuer_range_problems("entrance.issuer_ranges", cidr)
    else:
        yield Problem("entrance.issuer_ranges", "is not a list of address ranges", "use one such as 10.1.2.0/24")
    if entrance.limits not in ("local", "global"):
        yield Problem("entrance.limits", f"{entrance.limits!r} is no place to count", "use local or global")


def _egress(egress: Any) -> Iterator[Problem]:
    if not isinstance(egress, Egress):
        yield Problem("egress", f"{egress!r} is not an Egress", "give allowed, closed, authorities, replicas")
        return
    for name, problems in (("allowed", allowed_range_problems), ("closed", closed_range_problems)):
        where, ranges = f"egress.{name}", getattr(egress, name)
        if isinstance(ranges, tuple):
            for cidr in ranges:
                yield from problems(where, cidr)
        else:
            yield Problem(where, "is not a list of address ranges", "use one such as 10.1.2.3/32")
    pairs = egress.authorities if isinstance(egress.authorities, tuple) else (egress.authorities,)
    for pair in pairs:
        if not (isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            yield Problem("egress.authorities", "does not pair hosts with authorities", "give a host and PEM text each")
        elif not _is_name(pair[0]) or "-----BEGIN CERTIFICATE-----" not in pair[1]:
            yield Problem("egress.authorities", f"{pair[0]!r} has no authority", "give a certificate as PEM text")
    if not _whole(egress.replicas) or not 1 <= egress.replicas <= 100:
        yield Problem("egress.replicas", f"{egress.replicas!r} replicas of the gateway", "use 1 to 100")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _dns(dns: Any) -> Iterator[Problem]:
    text = isinstance(dns, Dns) and isinstance(dns.labels, tuple) and bool(dns.labels)
    if not text or not all(
        len(pair) == 2 and all(isinstance(word, str) and word for word in pair) for pair in dns.labels
    ):
        yield Problem("dns", "does not select pods by label", "give their labels, such as k8s-app: kube-dns")
    elif not _is_name(dns.namespace):
        yield Problem("dns", f"{dns.namespace!r} is not a namespace", "name the one in which the resolver runs")
    elif type(dns.port) is not int or not 1 <= dns.port <= 65535:
        yield Problem("dns", f"{dns.port!r} is not a port", "use 1 to 65535")


def allowed_range_problems(where: str, cidr: Any) -> Iterator[Problem]:
    """What is wrong with a range that is let out beside the internet: it is a provider, so a few addresses (/24, IPv6:
    /64), and never this machine, its link (where clouds keep credentials) or nobody.
    """
    network = _network(cidr)
    if network is None:
        yield Problem(where, f"{cidr!r} is not an address range", "use one such as 10.1.2.3/32")
    elif network.prefixlen < (least := d.EGRESS_WIDEST[network.version]):
        yield Problem(where, f"{cidr} is far more than a provider has", f"use ranges of /{least} at most")
    elif any(
        network.overlaps(one) for one in map(ipaddress.ip_network, d.NEVER_OUTSIDE) if one.version == network.version
    ):
        yield Problem(where, f"{cidr} is of this machine or its link, where clouds keep credentials", "leave it out")


def closed_range_problems(where: str, cidr: Any) -> Iterator[Problem]:
    """What is wrong with a range that is closed: anything may be, but for everything."""
    network = _network(cidr)
    if network is None:
        yield Problem(where, f"{cidr!r} is not an address range", "use one such as 203.0.113.0/24")
    elif not network.prefixlen:
        yield Problem(where, f"{cidr} is everything", "declare no external instead")


def _network(cidr: Any) -> Any:
    try:
        return ipaddress.ip_network(cidr) if isinstance(cidr, str) else None
    except ValueError:
        return None


def issuer_range_problems(where: str, cidr: Any) -> Iterator[Problem]:
    """What is wrong with a range of issuers: they are a few machines, so at most a /16 (IPv6: /32), private or not."""
    try:
        network = ipaddress.ip_network(cidr) if isinstance(cidr, str) else None
    except ValueError:
        network = None
    if network is None:
        yield Problem(where, f"{cidr!r} is not an address range", "use one such as 10.1.2.0/24")
    elif network.prefixlen < (least := d.API_SERVER_WIDEST[network.version]):
        yield Problem(where, f"{cidr} is far more than issuers have", f"use ranges of /{least} at most")


def range_problems(where: str, cidr: Any) -> Iterator[Problem]:
    """What is wrong with an address range for the API server.

    A range wider than a private network's (RFC 1918, 6598, 4193) is refused unless it is at most a /16 (IPv4) or /32
    (IPv6) of public addresses, as managed control planes have: a way to the API server is never a way to anywhere.
    """
    try:
        network = ipaddress.ip_network(cidr) if isinstance(cidr, str) else None
    except ValueError:
        network = None
    if network is None:
        yield Problem(where, f"{cidr!r} is not an address range", "use one such as 10.0.0.0/24")
    elif not _private(network) and network.prefixlen < d.API_SERVER_WIDEST[network.version]:
        what = f"{cidr} is far more than an API server"
        yield Problem(
            where, what, f"use private ranges, or public ones of /{d.API_SERVER_WIDEST[network.version]} at most"
        )


def _private(network: Any) -> bool:
    known = (ipaddress.ip_network(cidr) for cidr in d.API_SERVER_RANGES)
    return any(network.version == wide.version and network.subnet_of(wide) for wide in known)


def _is_person(value: Any) -> bool:
    """Never everybody: a group of all users or all accounts would guard nothing."""
    kind, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    return kind in ("user", "group") and bool(name.strip()) and name not in EVERYBODY


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(DNS_NAME.fullmatch(value))
