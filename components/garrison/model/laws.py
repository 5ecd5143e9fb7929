"""The laws of a declaration, in one place: they hold for every graph, however it came to be.

A noun's own laws are with the noun; here is what its rows have to keep among each other. A law over several rows names
the later one, and the earlier beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from itertools import chain
from typing import Any

from garrison import defaults as d
from garrison.errors import did_you_mean
from garrison.model import neighbours, outside, served, spoken
from garrison.model.breach import Breach, Place
from garrison.model.calls import ALL, ONE, ByPath, Operation, Target
from garrison.model.externals import is_outside
from garrison.model.names import derived_config_maps
from garrison.model.parts import Parts
from garrison.model.texts import DIGEST, MAX_LABEL, is_label, is_trust_domain, unpinned
from garrison.words import Ref

PLATFORM_IMAGES = ("envoy", "openbao")
EDGE_IMAGES = ("edge",)  # needed only where the App has hosts
APP: Place = ("name", 0)


def breaches(parts: Parts) -> Iterator[Breach]:
    """Every law that does not hold."""
    return chain.from_iterable(law(parts) for law in LAWS)


def _application(parts: Parts) -> Iterator[Breach]:
    if not is_label(parts.name):
        yield Breach(APP, f"{parts.name!r} is not a name for an App", "use a DNS label (RFC 1035)")
    if not is_trust_domain(parts.trust_domain):
        what = f"{parts.trust_domain!r} is not a SPIFFE trust domain"
        remedy = "use lower-case letters, digits, dots and dashes, such as 'estate.example'"
        yield Breach(("trust_domain", 0), what, remedy)
    given = dict(parts.images)
    needed = (*PLATFORM_IMAGES, *(EDGE_IMAGES if parts.hosts else ()))
    for role in needed:
        if not DIGEST.fullmatch(given.get(role, "")):
            remedy = f"give App images={{{role!r}: 'NAME@sha256:...'}}"
            yield Breach(("images", 0), f"no pinned image for {role!r}", remedy)
    for index, (role, image) in enumerate(parts.images):
        yield from unpinned(("images", index), repr(role), image) if role not in needed else ()
    yield from _once("images", [role for role, _ in parts.images], repr, "name each role once")


def _namespaces(parts: Parts) -> Iterator[Breach]:
    for index, name in enumerate(parts.namespaces):
        place = "namespaces", index
        if not is_label(name, MAX_LABEL):
            yield Breach(place, f"{name!r} is not a namespace name", "use a DNS label (RFC 1035)")
        if name in d.RESERVED_NAMESPACES or name.startswith("kube-"):
            yield Breach(place, f"namespace {name!r} belongs to the platform", "choose another name")
    yield from _once("namespaces", parts.namespaces, lambda name: f"namespace {name!r}", "declare it once")


def _once(field: str, keys: Any, told: Callable[[Any], str], remedy: str) -> Iterator[Breach]:
    first: dict[Hashable, Place] = {}
    for index, key in enumerate(keys):
        if first.setdefault(key, (field, index)) != (field, index):
            yield Breach((field, index), f"{told(key)} was declared before", remedy, also=first[key])


def _workloads(parts: Parts) -> Iterator[Breach]:
    """Services, jobs and databases have objects of the same kinds, so they share one space of names."""
    first: dict[Ref, Place] = {}
    for field in ("services", "jobs", "databases"):
        for index, item in enumerate(getattr(parts, field)):
            place = field, index
            yield from item.breaches(place)
            if item.ref.namespace not in parts.known_namespaces:
                remedy = did_you_mean(item.ref.namespace, parts.namespaces, "declare it")
                yield Breach(place, f"'{item.ref}' is in a namespace that nobody declared", remedy)
            if first.setdefault(item.ref, place) != place:
                remedy = "give each service, job and database a name of its own"
                yield Breach(place, f"'{item.ref}' was declared before", remedy, also=first[item.ref])


def _edges(parts: Parts) -> Iterator[Breach]:
    """Each edge's own laws, and that both of its ends were declared."""
    services = {service.ref: None for service in parts.services}
    speakers = services | dict.fromkeys(parts.job_by_ref)
    databases = {database.ref: None for database in parts.databases}
    foreign = dict.fromkeys(parts.foreign)
    callers, callees = speakers | foreign, services | foreign
    for index, call in enumerate(parts.calls):
        place = "calls", index
        yield from call.breaches(place)
        yield from _known(place, "service", call.caller, call.caller, callers)
        if call.callee in parts.job_by_ref:
            remedy = "let the job call, or make it a service with a port"
            yield Breach(place, f"'{call.caller}' calls job '{call.callee}', and nobody can call a job", remedy)
        elif not is_outside(call.callee):
            yield from _known(place, "service", call.callee, call.caller, callees)
    for index, port in enumerate(parts.ports):
        yield from port.breaches(("ports", index))
        yield from _known(("ports", index), "service", port.service, port.service, services)
    for index, use in enumerate(parts.uses):
        yield from use.breaches(("uses", index))
        yield from _known(("uses", index), "service", use.service, use.service, speakers)
        yield from _known(("uses", index), "database", use.database, use.service, databases)
    for index, read in enumerate(parts.reads):
        yield from read.breaches(("reads", index))
        yield from _known(("reads", index), "service", read.service, read.service, speakers)
    for index, permission in enumerate(parts.permissions):
        place = "permissions", index
        derived = derived_config_maps(permission.service.namespace, speakers, databases)
        yield from permission.breaches(place, derived)
        yield from _known(place, "service", permission.service, permission.service, speakers)


def _known(place: Place, what: str, ref: Ref, near: Ref, known: Mapping[Ref, None]) -> Iterator[Breach]:
    if ref in known:
        return
    names = {str(r) for r in known} | {r.name for r in known if r.namespace == near.namespace}
    named = ref.name if ref.namespace == near.namespace else str(ref)
    remedy = did_you_mean(named, names, f"declare it, or name one of {', '.join(sorted(names)) or 'none yet'}")
    yield Breach(place, f"'{near}' names {what} {named!r}, which nobody declared", remedy)


def _variables(parts: Parts) -> Iterator[Breach]:
    """A service finds each callee, secret and database under a variable of its own."""
    found: dict[tuple[Ref, str], tuple[object, Place]] = {}
    rows = chain(
        (
            ((workload.ref, variable), "a setting", place)
            for place, workload in parts.placed
            for variable, _ in workload.container.env
        ),
        (
            ((call.caller, variable), (call.target, text), ("calls", index))
            for index, call in enumerate(parts.calls)
            if call.caller not in parts.foreign
            for variable, text in parts.told(call)
        ),
        (
            ((read.service, variable), (read.path, text), ("reads", index))
            for index, read in enumerate(parts.reads)
            for variable, text in read.told
        ),
        (
            ((use.service, variable), (use.database, use.role, text), ("uses", index))
            for index, use in enumerate(parts.uses)
            for variable, text in (*use.told, *use.files)
        ),
    )
    for (service, variable), meant, place in rows:
        before, where = found.setdefault((service, variable), (meant, place))
        if before != meant:
            what = f"'{service}' would find two things under {variable}"
            yield Breach(place, what, "rename one of them, or leave one out", also=where)


def _files(parts: Parts) -> Iterator[Breach]:
    """No secret of a service is a file where another needs a folder, or another's credentials are."""
    held: dict[tuple[Ref, str], tuple[object, Place]] = {}
    for index, use in enumerate(parts.uses):
        if use.has_json:
            meant, place = (use.database, use.role), ("uses", index)
            before, where = held.setdefault((use.service, use.file), (meant, place))
            if before != meant:
                what = f"'{use.service}' would need {use.file!r} for two credentials"
                yield Breach(place, what, "give one of them files of its own: files=", also=where)
    paths = {(read.service, read.file): ("reads", index) for index, read in enumerate(parts.reads)}
    for (service, path), place in paths.items():
        folders = path.split("/")[:-1]
        for depth in range(1, len(folders) + 1):
            folder = "/".join(folders[:depth])
            if (service, folder) in paths:
                what = f"'{service}' would need {folder!r} both as a file and as a folder"
                yield Breach(place, what, "give one of the two secrets another path", also=paths[service, folder])


def _callees(parts: Parts) -> Iterator[Breach]:
    callees: dict[Ref, set[Target]] = {}
    for index, call in enumerate(parts.calls):
        mine = callees.setdefault(call.caller, set())
        new = call.target not in mine
        mine.add(call.target)
        if new and len(mine) == d.MAX_CALLEES + 1:
            yield Breach(
                ("calls", index), f"'{call.caller}' has more than {d.MAX_CALLEES} callees", "divide the service"
            )


def _operations(parts: Parts) -> Iterator[Breach]:
    """A variable of one caller covers nothing that another caller alone was given."""
    said: dict[tuple[Target, str], dict[Operation, list[tuple[Ref, Place]]]] = {}
    for index, call in enumerate(parts.calls):
        for operation in call.operations:
            alike = call.target, operation.method
            said.setdefault(alike, {}).setdefault(operation.shape, []).append((call.caller, ("calls", index)))
    for index, route in enumerate(parts.routes):
        operation = route.operation
        alike = Target(route.service), operation.method
        said.setdefault(alike, {}).setdefault(operation.shape, []).append((d.EDGE, ("routes", index)))
    for shapes in said.values():
        known = ByPath()
        for shape in shapes:
            known.add(shape)
        for wide in (shape for shape in shapes if {ONE, ALL} & {*shape.segments}):
            for other in (shape for shape in known.meeting(wide) if wide.reaches(shape)):
                yield from _unmeant(wide, shapes[wide], other, shapes[other])


def _forwarded(parts: Parts) -> Iterator[Breach]:
    """One pair of caller and callee has one way with tokens."""
    first: dict[tuple[Ref, Target], tuple[str, Place]] = {}
    for index, call in enumerate(parts.calls):
        token, where = first.setdefault((call.caller, call.target), (call.token, ("calls", index)))
        if token != call.token:
            what = f"'{call.caller}' calls '{call.callee}' with a token and without"
            yield Breach(("calls", index), what, "say the same of each operation", also=where)


def _unmeant(
    wide: Operation, wides: list[tuple[Ref, Place]], other: Operation, others: list[tuple[Ref, Place]]
) -> Iterator[Breach]:
    meant = {caller for caller, _ in others}
    for caller, place in dict(wides).items():
        if caller not in meant:
            what = f"'{wide}' of '{caller}' reaches '{other}', which '{others[0][0]}' was given"
            remedy = f"give '{other}' to '{caller}' as well, or serve it under another path"
            yield Breach(place, what, remedy, also=others[0][1])


LAWS: tuple[Callable[[Parts], Iterator[Breach]], ...] = (
    _application,
    _namespaces,
    _workloads,
    _edges,
    _variables,
    _files,
    _callees,
    _operations,
    _forwarded,
    neighbours.laws,
    outside.laws,
    spoken.laws,
    served.laws,
)
