"""Who answers names in the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from garrison.cluster.ranges import resolver_range_problems
from garrison.cluster.words import is_name
from garrison.errors import Problem

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Dns:
    """Who answers names: pods, addresses, or both. All of them at one port."""

    namespace: str = "kube-system"
    """Where those pods run."""
    labels: Labels = (("k8s-app", "kube-dns"),)
    """Of those pods; none where no pod answers, such as with a resolver that the cloud runs."""
    port: int = 53
    ranges: tuple[str, ...] = ()
    """Addresses that no pod has: of a cache on each node (NodeLocal DNSCache), of the Service that such a cache
    answers for, of a resolver that the cloud runs."""


def problems(dns: Any) -> Iterator[Problem]:
    text = isinstance(dns, Dns) and isinstance(dns.labels, tuple) and isinstance(dns.ranges, tuple)
    if not text or not all(
        len(pair) == 2 and all(isinstance(word, str) and word for word in pair) for pair in dns.labels
    ):
        yield Problem("dns", "does not select pods by label", "give their labels, such as k8s-app: kube-dns")
        return
    if not dns.labels and not dns.ranges:
        what = "names neither pods nor addresses, and does not select pods by label"
        yield Problem("dns", what, "give labels such as k8s-app: kube-dns, or ranges such as 169.254.20.10/32")
    if not is_name(dns.namespace):
        yield Problem("dns", f"{dns.namespace!r} is not a namespace", "name the one in which the resolver runs")
    if type(dns.port) is not int or not 1 <= dns.port <= 65535:
        yield Problem("dns", f"{dns.port!r} is not a port", "use 1 to 65535")
    for cidr in dns.ranges:
        yield from resolver_range_problems("dns.ranges", cidr)


def read(said: dict[str, Any]) -> Dns:
    """From JSON, whose fields are known; what does not fit is left for `problems` to tell."""
    labels, ranges = said.get("labels", [list(pair) for pair in Dns().labels]), said.get("ranges", [])
    pairs = tuple(tuple(pair) for pair in labels if isinstance(pair, list)) if isinstance(labels, list) else labels
    return Dns(**said | {"labels": pairs, "ranges": tuple(ranges) if isinstance(ranges, list) else ranges})
