"""What is spoken at a port, from what the manifests say of it; the first source that says something counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from garrison_import.read.parts import ServicePort, Workload
from garrison_import.read.world import World

Spoken = Literal["http", "grpc", "tcp"]

_ON_TCP = (
    "tls https wss kubernetes.io/wss mongo mongodb mongodb+srv mysql mariadb redis rediss postgres postgresql amqp"
    " amqps kafka nats smtp memcached mssql sqlserver oracle ldap ldaps mqtt zookeeper"
)
# appProtocol, and the prefix of a port's name (Istio, protocol selection): an application's own TLS is TCP to a proxy.
_SAID: Final[dict[str, Spoken]] = {
    **dict.fromkeys(("http", "http1", "ws", "kubernetes.io/ws", "http-alt"), "http"),
    **dict.fromkeys(("grpc", "h2c", "http2", "kubernetes.io/h2c"), "grpc"),
    **dict.fromkeys(_ON_TCP.split(), "tcp"),
}
_SCHEMES: Final[dict[str, Spoken]] = {
    **dict.fromkeys(("http", "ws"), "http"),
    "grpc": "grpc",
    **dict.fromkeys((*_ON_TCP.split(), "grpcs", "tcp", "ssl", "plaintext", "sasl_plaintext"), "tcp"),
}
_DATA_IMAGES = (
    "redis valkey keydb memcached mongo mongodb postgres postgresql mysql mariadb percona-server rabbitmq kafka"
    " cp-kafka zookeeper nats cassandra oracle-xe mosquitto"
)
_IMAGES: Final[dict[str, Spoken]] = {
    **dict.fromkeys(_DATA_IMAGES.split(), "tcp"),
    **dict.fromkeys(("nginx", "httpd", "elasticsearch", "opensearch", "kibana", "grafana", "prometheus"), "http"),
}
# IANA, and where the owner of a protocol keeps its own: what nothing else is found at.
_PORTS: Final[dict[int, Spoken]] = {
    **dict.fromkeys((80, 8080, 9200, 15672), "http"),
    27017: "tcp",
    **dict.fromkeys(
        (
            25,
            389,
            443,
            465,
            587,
            636,
            1433,
            1521,
            1883,
            2181,
            3306,
            4222,
            5432,
            5671,
            5672,
            6379,
            9042,
            9092,
            11211,
            27017,
            4369,
        ),
        "tcp",
    ),
}


@dataclass(frozen=True)
class Protocol:
    """What is spoken, and what says so; `http` and an empty reason where nothing does. `against` says otherwise."""

    spoken: Spoken
    why: str
    against: str = ""

    @property
    def known(self) -> bool:
        return bool(self.why)


Says = Iterator[tuple[Spoken, str]]


def protocol(work: Workload, port: int, world: World, schemes: Iterable[str] = ()) -> Protocol:
    """What a workload speaks at a port of its pods; `schemes` are those of the addresses that lead there.

    A port that is called `tcp-...` and no more may speak anything: it says that TCP is spoken only where its number is
    that of a protocol on TCP, too.
    """
    ports = [one for service in world.serving(work) for one in service.ports if one.target == port]
    names = [one.name for one in ports if one.name]
    names += [name for box in work.containers for number, name in box.ports if number == port and name]
    found = [*_said(ports, names), *_probed(work, port), *_addressed(schemes), *_imaged(work, port)]
    if not found and (usual := _PORTS.get(port)) is not None:
        vague = [name for name in names if name.partition("-")[0].lower() == "tcp"]
        if not vague or usual == "tcp":
            found.append((usual, f"the port {port}, which is well known"))
    if not found:
        return Protocol("http", "")
    spoken, why = found[0]
    against = next((f"{other} says {that}" for that, other in found[1:] if that != spoken), "")
    return Protocol(spoken, why, against)


def _said(ports: Iterable[ServicePort], names: Iterable[str]) -> Says:
    for one in ports:
        if (said := _SAID.get(one.app_protocol.lower())) is not None:
            yield said, f"appProtocol {one.app_protocol}"
    for name in names:
        first, _, rest = name.lower().partition("-")
        if first == "tcp":  # tcp-redis says more than tcp-service
            first = rest.partition("-")[0] if _SAID.get(rest.partition("-")[0]) == "tcp" else ""
        if (said := _SAID.get(first)) is not None:
            yield ("http" if name.startswith("grpc-web") else said), f"the port's name {name}"


def _probed(work: Workload, port: int) -> Says:
    for box in (work.main, *work.beside):
        for name, probe in box.probes:
            if probe.port == port and probe.kind in ("http", "grpc"):
                yield ("tcp" if probe.tls else "grpc" if probe.kind == "grpc" else "http"), f"its {name} probe"


def _addressed(schemes: Iterable[str]) -> Says:
    for scheme in schemes:
        said = "tcp" if scheme.startswith("jdbc:") else _SCHEMES.get(scheme.rpartition(":")[2])
        if said is not None:
            yield said, f"an address of {scheme}://"


def _imaged(work: Workload, port: int) -> Says:
    for box in (work.main, *work.beside):
        mine = [number for number, _ in box.ports] or ([port] if box is work.main and not work.beside else [])
        image = box.image.partition("@")[0].rpartition("/")[2].partition(":")[0]
        said = _IMAGES.get(image)
        if said is not None and port in mine and (len(mine) == 1 or _PORTS.get(port) in (None, said)):
            yield said, f"the image {image}"
