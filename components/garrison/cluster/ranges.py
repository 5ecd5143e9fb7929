"""Which address ranges a cluster's description may name: each purpose has its own bounds."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.errors import Problem


def allowed_range_problems(where: str, cidr: Any) -> Iterator[Problem]:
    """What is wrong with a range that is let out beside the internet: it is a provider, so a few addresses (/24, IPv6:
    /64), and never this machine, its link (where clouds keep credentials) or nobody.
    """
    network = _network(cidr)
    if network is None:
        yield Problem(where, f"{cidr!r} is not an address range", "use one such as 10.1.2.3/32")
    elif network.prefixlen < (least := d.EGRESS_WIDEST[network.version]):
        yield Problem(where, f"{cidr} is far more than a provider has", f"use ranges of /{least} at most")
    elif any(_overlap(network, one) for one in d.NEVER_OUTSIDE):
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
    network = _network(cidr)
    if network is None:
        yield Problem(where, f"{cidr!r} is not an address range", "use one such as 10.1.2.0/24")
    elif network.prefixlen < (least := d.API_SERVER_WIDEST[network.version]):
        yield Problem(where, f"{cidr} is far more than issuers have", f"use ranges of /{least} at most")


def resolver_range_problems(where: str, cidr: Any) -> Iterator[Problem]:
    """What is wrong with addresses of resolvers, to which every pod is let out: they are a few, of a link one at a time
    (NodeLocal DNSCache), and never where clouds give credentials to whoever asks.
    """
    network = _network(cidr)
    if network is None:
        yield Problem(where, f"{cidr!r} is not an address range", "use one such as 169.254.20.10/32")
    elif any(_overlap(network, one) for one in d.METADATA):
        yield Problem(where, f"{cidr} is where clouds give credentials away", "name an address of the resolver's own")
    elif network.prefixlen < (least := d.RESOLVERS_WIDEST[network.version]):
        yield Problem(where, f"{cidr} is far more than resolvers have", f"use ranges of /{least} at most")
    elif network.is_link_local and network.num_addresses > 1:
        yield Problem(where, f"{cidr} is a part of this link", "name the one address, such as 169.254.20.10/32")
    elif network.is_loopback or network.is_multicast or network.is_reserved or _overlap(network, d.MAPPED):
        yield Problem(where, f"{cidr} is nobody's whom a pod could ask", "name the resolver's own address")


def _overlap(network: Any, other: str) -> bool:
    there = ipaddress.ip_network(other)
    return bool(there.version == network.version and network.overlaps(there))


def range_problems(where: str, cidr: Any) -> Iterator[Problem]:
    """What is wrong with an address range for the API server.

    A range wider than a private network's (RFC 1918, 6598, 4193) is refused unless it is at most a /16 (IPv4) or /32
    (IPv6) of public addresses, as managed control planes have: a way to the API server is never a way to anywhere.
    """
    network = _network(cidr)
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
