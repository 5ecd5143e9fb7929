"""The nouns of an application as its manifests have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from garrison.words import Ref
from garrison_import.read.shapes import Json
from garrison_policies.language.objects import Object


@dataclass(frozen=True)
class Variable:
    """A variable of a container's environment.

    value: as the container gets it, with $(OTHER) filled in; None where the manifests do not say it.
    where: how a reader finds it: `env`, `ConfigMap settings`.
    whole: the ConfigMap that was imported whole, with envFrom, and brought it; empty for one that was asked for.
    config: name and key of the ConfigMap it comes from; empty for none.
    secret: name and key of the Secret it comes from. composed: a Secret's value is filled into it.
    """

    name: str
    value: str | None
    where: str
    whole: str = ""
    config: tuple[str, str] | None = None
    secret: tuple[str, str] | None = None
    composed: bool = False


@dataclass(frozen=True)
class Probe:
    """One question of the kubelet; `port` is a number, 0 where the pod does not have the port that is named."""

    kind: Literal["http", "grpc", "tcp", "exec"]
    port: int
    path: str = ""
    tls: bool = False
    command: tuple[str, ...] = ()
    seconds: int = 0
    """After so long at the most the kubelet gives up on a container that never answered."""


@dataclass(frozen=True)
class Volume:
    """What is mounted: its kind, the object it is made of, which keys under which names, and its size."""

    kind: Literal["scratch", "configmap", "secret", "claim", "host", "other"]
    name: str = ""
    items: tuple[tuple[str, str], ...] = ()
    size: str = ""


@dataclass(frozen=True)
class Mount:
    """A volume at a path of a container; with `sub` only that part of it."""

    path: str
    volume: Volume
    sub: str = ""


@dataclass(frozen=True)
class Container:
    """One container. `ports` are those it says it has, by number; the name may be empty."""

    name: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    variables: tuple[Variable, ...]
    ports: tuple[tuple[int, str], ...]
    probes: tuple[tuple[str, Probe], ...]
    mounts: tuple[Mount, ...]
    uid: int | None
    body: Json

    def probe(self, name: str) -> Probe | None:
        """Its `readiness`, `liveness` or `startup` probe."""
        return dict(self.probes).get(name)


@dataclass(frozen=True)
class Workload:
    """What runs pods. `main` is the container that is the application; `beside` run with it, `before` ran before it."""

    ref: Ref
    kind: str
    labels: Json
    main: Container
    beside: tuple[Container, ...]
    before: tuple[Container, ...]
    replicas: int | None
    schedule: str
    account: str
    object: Object

    @property
    def containers(self) -> tuple[Container, ...]:
        return (self.main, *self.beside, *self.before)

    @property
    def ends(self) -> bool:
        """Whether it runs to its end, as jobs do."""
        return self.kind in ("Job", "CronJob")


@dataclass(frozen=True)
class ServicePort:
    """A port of a Service: its own number, and the one of the pod it leads to, 0 where there is none."""

    name: str
    number: int
    target: int
    app_protocol: str


@dataclass(frozen=True)
class Service:
    """A Service and the workloads it selects."""

    ref: Ref
    ports: tuple[ServicePort, ...]
    workloads: tuple[Workload, ...]
    headless: bool
    outside: str
    """NodePort, LoadBalancer, ExternalName; empty for one that is for the cluster only."""
    object: Object
