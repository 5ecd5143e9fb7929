"""The frozen call graph: what was declared, as values.

An `App` is written in; `App.graph()` freezes it into a `Graph`, which is checked, ordered, serialisable and free of
secret values and of Pulumi outputs. Every layer of protection is a pure function of this value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Literal, Self, TypeVar

from garrison.words import Ref, Resources

DatabaseRole = Literal["reader", "writer"]
SCHEMA = "garrison.dev/graph/v1"
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, order=True)
class Operation:
    """An HTTP method and a path template (RFC 6570 level 1), such as `GET /items/{id}`."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, order=True)
class Service:
    """A workload with an identity of its own. `port` is where the application listens, on loopback only."""

    ref: Ref
    image: str
    port: int
    replicas: int
    resources: Resources

    @property
    def name(self) -> str:
        return self.ref.name

    @property
    def namespace(self) -> str:
        return self.ref.namespace


@dataclass(frozen=True, order=True)
class Call:
    """`caller` may perform `operations` at `callee`; nothing else passes between the two."""

    caller: Ref
    callee: Ref
    operations: tuple[Operation, ...]


@dataclass(frozen=True, order=True)
class Database:
    """A PostgreSQL server of its own, reached only with leased credentials.

    `schema` has the steps that make its schema, each a name and its SQL, in their order.
    """

    ref: Ref
    image: str
    storage: str
    lease_seconds: int
    schema: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, order=True)
class Use:
    """`service` gets leased credentials of `role` at `database`."""

    service: Ref
    database: Ref
    role: DatabaseRole


@dataclass(frozen=True, order=True)
class Read:
    """`service` may read the static secret at `path` of the secret store, and no other."""

    service: Ref
    path: str


@dataclass(frozen=True, order=True)
class Permission:
    """`service` may do `verbs` at `resource` in its own namespace of the Kubernetes API; with `names`, there only."""

    service: Ref
    group: str
    resource: str
    names: tuple[str, ...]
    verbs: tuple[str, ...]

    def __str__(self) -> str:
        """The objects as kubectl names them: `leases.coordination.k8s.io orders`."""
        return " ".join([".".join(filter(None, (self.resource, self.group))), *self.names])


@dataclass(frozen=True)
class Graph:
    """The whole declaration, every tuple in sorted order so that two runs give the same bytes."""

    name: str
    trust_domain: str
    namespaces: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    calls: tuple[Call, ...] = ()
    databases: tuple[Database, ...] = ()
    uses: tuple[Use, ...] = ()
    reads: tuple[Read, ...] = ()
    permissions: tuple[Permission, ...] = ()
    images: tuple[tuple[str, str], ...] = field(default=())
    """Images of the platform's own containers (`envoy`, `openbao`) by role."""

    def spiffe_id(self, ref: Ref) -> str:
        """The SPIFFE id of a service (SPIFFE-ID section 2; the path follows Istio's ns/sa form)."""
        return f"spiffe://{self.trust_domain}/ns/{ref.namespace}/sa/{ref.name}"

    @cached_property
    def calls_from(self) -> Mapping[Ref, tuple[Call, ...]]:
        return _group((call.caller, call) for call in self.calls)

    @cached_property
    def calls_to(self) -> Mapping[Ref, tuple[Call, ...]]:
        return _group((call.callee, call) for call in self.calls)

    @cached_property
    def uses_by(self) -> Mapping[Ref, tuple[Use, ...]]:
        return _group((use.service, use) for use in self.uses)

    @cached_property
    def uses_of(self) -> Mapping[Ref, tuple[Use, ...]]:
        return _group((use.database, use) for use in self.uses)

    @cached_property
    def reads_by(self) -> Mapping[Ref, tuple[Read, ...]]:
        return _group((read.service, read) for read in self.reads)

    @cached_property
    def permissions_of(self) -> Mapping[Ref, tuple[Permission, ...]]:
        return _group((permission.service, permission) for permission in self.permissions)

    @cached_property
    def by_ref(self) -> Mapping[Ref, Service]:
        return {service.ref: service for service in self.services}

    def services_in(self, namespace: str) -> tuple[Service, ...]:
        return self._by_namespace.get(namespace, ())

    @cached_property
    def _by_namespace(self) -> Mapping[str, tuple[Service, ...]]:
        return _group((service.namespace, service) for service in self.services)

    def image(self, role: str) -> str:
        """The image of a platform container; raises KeyError where none was given."""
        return dict(self.images)[role]

    def to_json(self) -> str:
        """Stable JSON: same graph, same bytes.

        Without permissions the field is left out: a reader that does not know it takes the graph, and refuses one
        whose permissions it would lose.
        """
        data = {"schema": SCHEMA, **asdict(self)}
        if not self.permissions:
            del data["permissions"]
        return json.dumps(data, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read `to_json` back; raises ValueError naming what does not fit."""
        from garrison.model.codec import graph_fields

        return cls(**graph_fields(text, SCHEMA, tuple(f.name for f in fields(cls))))


def _group(pairs: Iterable[tuple[K, V]]) -> dict[K, tuple[V, ...]]:
    grouped: dict[K, list[V]] = {}
    for key, value in pairs:
        grouped.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in grouped.items()}
