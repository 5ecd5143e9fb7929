"""The parts of a declaration as values, whether they hold together or not, and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from garrison import defaults as d
from garrison.manifest import variable
from garrison.model.breach import Place
from garrison.model.calls import Call, Target
from garrison.model.databases import Database, Use
from garrison.model.elsewhere import Elsewhere, Foreign
from garrison.model.externals import External, is_outside
from garrison.model.hosts import Host
from garrison.model.issuers import Issuer
from garrison.model.jobs import Job
from garrison.model.permissions import Permission
from garrison.model.ports import Port
from garrison.model.routes import Route
from garrison.model.secrets import Read
from garrison.model.services import Protocol, Service
from garrison.words import Ref

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Parts:
    """Everything declared, as it was said; `Graph` is the same when the laws hold, in order and merged."""

    name: str
    trust_domain: str
    namespaces: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    calls: tuple[Call, ...] = ()
    databases: tuple[Database, ...] = ()
    uses: tuple[Use, ...] = ()
    reads: tuple[Read, ...] = ()
    permissions: tuple[Permission, ...] = ()
    issuers: tuple[Issuer, ...] = ()
    hosts: tuple[Host, ...] = ()
    routes: tuple[Route, ...] = ()
    ports: tuple[Port, ...] = ()
    jobs: tuple[Job, ...] = ()
    externals: tuple[External, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    """Other Apps on the same cluster."""
    images: tuple[tuple[str, str], ...] = ()
    """Images of the platform's own containers (`envoy`, `openbao`) by role."""

    def spiffe_id(self, ref: Ref) -> str:
        """The SPIFFE id of a service (SPIFFE-ID section 2; the path follows Istio's ns/sa form)."""
        return f"spiffe://{self.trust_domain}/ns/{ref.namespace}/sa/{ref.name}"

    @cached_property
    def known_namespaces(self) -> frozenset[str]:
        return frozenset(self.namespaces)

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
    def routes_of(self) -> Mapping[Ref, tuple[Route, ...]]:
        return _group((route.service, route) for route in self.routes)

    @cached_property
    def routes_at(self) -> Mapping[str, tuple[Route, ...]]:
        return _group((route.host, route) for route in self.routes)

    @cached_property
    def tokens_at(self) -> Mapping[Ref, frozenset[tuple[str, str]]]:
        """Whose tokens reach each service, through its routes and from whoever forwards to it, however far.

        As issuer and host; the host is empty where browsers do not log in, and a token is the same at all of these.
        """
        served: dict[tuple[str, str], set[Ref]] = {}
        for route in self.routes:
            if route.issuer:
                kind = route.issuer, route.host if self.host_by_name[route.host].login else ""
                served.setdefault(kind, set()).add(route.service)
        found: dict[Ref, set[tuple[str, str]]] = {}
        for kind, reached in served.items():
            for ref in self.forwarded(reached):
                found.setdefault(ref, set()).add(kind)
        return {ref: frozenset(kinds) for ref, kinds in found.items()}

    def forwarded(self, start: Iterable[Ref]) -> set[Ref]:
        """These services, and all that their users' tokens get to by being forwarded, however far."""
        reached = {*start}
        near = [*reached]
        while near:
            more = {call.callee for call in self.calls_from.get(near.pop(), ()) if call.forwards} - reached
            reached |= more
            near += more
        return reached

    @cached_property
    def host_by_name(self) -> Mapping[str, Host]:
        return {host.name: host for host in self.hosts}

    @cached_property
    def issuer_by_name(self) -> Mapping[str, Issuer]:
        return {issuer.name: issuer for issuer in self.issuers}

    @property
    def embedded_issuer(self) -> Issuer | None:
        """The issuer that is deployed with the estate, if it was declared."""
        return next((issuer for issuer in self.issuers if issuer.embedded), None)

    @cached_property
    def workloads(self) -> tuple[Service, ...]:
        """Whatever has an identity and speaks to others: the services, and the jobs, which nobody calls."""
        return (*self.services, *(job.worker for job in self.jobs))

    @property
    def placed(self) -> Iterator[tuple[Place, Service]]:
        """The same, each with the row that it was said in."""
        for index, service in enumerate(self.services):
            yield ("services", index), service
        for index, job in enumerate(self.jobs):
            yield ("jobs", index), job.worker

    @cached_property
    def job_by_ref(self) -> Mapping[Ref, Job]:
        return {job.ref: job for job in self.jobs}

    @cached_property
    def by_ref(self) -> Mapping[Ref, Service]:
        return {service.ref: service for service in self.services}

    @cached_property
    def ports_of(self) -> Mapping[Ref, tuple[Port, ...]]:
        return _group((port.service, port) for port in self.ports)

    @cached_property
    def protocols(self) -> Mapping[Target, Protocol]:
        """What is spoken with everybody who can be called."""
        main = {Target(service.ref): service.protocol for service in self.services if service.port}
        main |= {Target(one.ref, name): spoken for one in self.foreign.values() for name, spoken in one.ports}
        return main | {Target(port.service, port.name): port.protocol for port in self.ports}

    @cached_property
    def foreign(self) -> Mapping[Ref, Foreign]:
        """The workloads of other Apps."""
        return {foreign.ref: foreign for other in self.elsewhere for foreign in other.workloads}

    @cached_property
    def elsewhere_of(self) -> Mapping[Ref, Elsewhere]:
        """Whose each of these is."""
        return {ref: other for other in self.elsewhere for ref in other.refs}

    @property
    def spaces(self) -> tuple[str, ...]:
        """Every namespace that this App makes: its own, and those of its gateways."""
        edge = [d.EDGE.namespace, *([d.USERS.namespace] if self.embedded_issuer else [])] if self.hosts else []
        return (*self.namespaces, *edge, *([d.EGRESS.namespace] if self.leaves else []))

    @cached_property
    def leaves(self) -> bool:
        """Whether anybody uses a host outside, so that there is an egress gateway."""
        return any(is_outside(call.callee) for call in self.calls)

    def numbers_of(self, ref: Ref) -> dict[str, int]:
        """Where the application listens: each port's name, empty for the main one, and its number."""
        service = self.by_ref.get(ref)
        main = {"": service.port} if service and service.port else {}
        return main | {port.name: port.number for port in self.ports_of.get(ref, ())}

    def told(self, call: Call) -> tuple[tuple[str, str], ...]:
        """The variables in which the caller's application finds the callee, as texts with places for the address.

        Without words of its own: `CART_URL` for HTTP, `CART_ADDR` for all else.
        """
        if call.env:
            return call.env
        stem = variable(f"{call.callee.name}_{call.port}" if call.port else call.callee.name)
        if is_outside(call.callee) and call.alias:  # by its name: the application looks at the certificate itself
            return ((f"{stem}_URL" if not call.connects else f"{stem}_ADDR", "{host}:{port}"),)
        if not call.connects and self.protocols.get(call.target, "http") == "http":
            return ((f"{stem}_URL", "{url}"),)
        return ((f"{stem}_ADDR", "{host}:{port}"),)

    def patience(self, call: Call) -> int:
        """Seconds for an answer; 0 is as long as it takes."""
        if call.timeout is not None:
            return call.timeout
        return 0 if self.protocols.get(call.target) == "grpc" else d.REQUEST_SECONDS

    def services_in(self, namespace: str) -> tuple[Service, ...]:
        return self._by_namespace.get(namespace, ())

    @cached_property
    def _by_namespace(self) -> Mapping[str, tuple[Service, ...]]:
        return _group((service.namespace, service) for service in self.services)

    def image(self, role: str) -> str:
        """The image of a platform container; raises KeyError where none was given."""
        return dict(self.images)[role]


def _group(pairs: Iterable[tuple[K, V]]) -> dict[K, tuple[V, ...]]:
    grouped: dict[K, list[V]] = {}
    for key, value in pairs:
        grouped.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in grouped.items()}
