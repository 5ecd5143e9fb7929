"""Who answers names: the Service that pods are told of, the pods behind it, and a cache on each node before it."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from garrison.cluster.dns import Labels
from garrison.manifest import Manifest

OF: Final = "kubernetes.io/service-name"  # on an EndpointSlice: of which Service
APP: Final = "k8s-app"
NAMES: Final = ("kube-dns", "coredns", "dns-default")
CACHES: Final = ("node-local-dns", "nodelocaldns")


@dataclass(frozen=True, kw_only=True)
class Resolver:
    """The cluster's own. Without labels no pod answers; `caches` are addresses on each node."""

    namespace: str
    service: str
    addresses: tuple[str, ...]
    """Of the Service."""
    labels: Labels = ()
    port: int = 53
    behind: tuple[str, ...] = ()
    """Who answers for it, where those are no pods."""
    caches: tuple[str, ...] = ()

    @property
    def ranges(self) -> list[str]:
        """What the network has to be open to beside pods."""
        service = self.addresses if self.caches or not self.labels else ()
        return [str(ipaddress.ip_network(one)) for one in dict.fromkeys([*self.caches, *service, *self.behind])]


def found(
    services: Iterable[Manifest], slices: Iterable[Manifest], sets: Iterable[Manifest], pods: Iterable[Manifest]
) -> Resolver | None:
    """The Service at port 53 that every cluster calls by one of a few names; None where none is there."""
    service = min(filter(_answers, services), key=_rank, default=None)
    if service is None:
        return None
    home, name = service["metadata"]["namespace"], service["metadata"]["name"]
    chosen = service["spec"].get("selector") or {}
    there = [one for one in slices if one["metadata"]["namespace"] == home and _service(one) == name]
    answering = [pod for pod in pods if pod["metadata"]["namespace"] == home and _has(pod, chosen)] if chosen else []
    ports = {port["port"] for one in there for port in one.get("ports") or () if port.get("protocol") == "UDP"}
    return Resolver(
        namespace=home,
        service=name,
        addresses=cluster_ips(service),
        labels=tuple(sorted(chosen.items())) if answering else (),
        port=min(ports) if answering and ports else 53,
        behind=() if answering else addresses(there),
        caches=tuple(dict.fromkeys(_caches(sets, cluster_ips(service)))),
    )


def addresses(slices: Iterable[Manifest]) -> tuple[str, ...]:
    """Where the endpoints are."""
    return tuple(sorted({ip for one in slices for end in one.get("endpoints") or () for ip in end["addresses"]}))


def cluster_ips(service: Manifest) -> tuple[str, ...]:
    """Of a Service, in both families; none for a headless one, or one that is a name."""
    spec = service["spec"]
    return tuple(ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP")] if ip and ip != "None")


def _caches(sets: Iterable[Manifest], service: Sequence[str]) -> Iterator[str]:
    """The addresses at which NodeLocal DNSCache listens, as its own arguments say; the Service's is known already."""
    for one in (item for item in sets if item["metadata"]["name"] in CACHES):
        for container in one["spec"]["template"]["spec"]["containers"]:
            words = [word for text in container.get("args", ()) for word in str(text).replace("=", " ").split()]
            listed = [after for word, after in itertools.pairwise(words) if word in ("-localip", "--localip")]
            yield from (ip for text in listed for ip in text.split(",") if _is_address(ip) and ip not in service)


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _answers(service: Manifest) -> bool:
    labels = service["metadata"].get("labels") or {}
    named = service["metadata"]["name"] in NAMES or labels.get(APP) in NAMES
    return named and any(port.get("port") == 53 for port in service["spec"].get("ports") or ())


def _rank(service: Manifest) -> tuple[bool, bool, str]:
    meta = service["metadata"]
    return (meta["name"] != "kube-dns", meta["namespace"] != "kube-system", meta["name"])


def _service(one: Manifest) -> str:
    return str((one["metadata"].get("labels") or {}).get(OF, ""))


def _has(pod: Manifest, chosen: dict[str, str]) -> bool:
    return chosen.items() <= (pod["metadata"].get("labels") or {}).items()
