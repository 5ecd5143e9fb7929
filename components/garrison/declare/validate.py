"""Checks of a whole declaration. Each check is a generator of problems over all statements; the list below is all.

Nothing is repaired and nothing is skipped: whoever writes the program sees every problem in one go.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

from garrison import defaults as d
from garrison.declare import app as said
from garrison.declare.freeze import resolve
from garrison.errors import Problem, did_you_mean
from garrison.model.permissions import derived_config_maps, objections
from garrison.words import Ref

LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")  # RFC 1035 label: what a Service name has to be
TRUST_DOMAIN = re.compile(r"[a-z0-9]([-._a-z0-9]*[a-z0-9])?")  # SPIFFE-ID section 2.1
DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|[KMGT]i?)?")
SECRET_PATH = re.compile(r"[a-z0-9]([-_a-z0-9]*)(/[a-z0-9][-_a-z0-9]*)*")
SEGMENT = re.compile(r"([A-Za-z0-9._~-]+|\{[a-z][a-z0-9_]*\})")
STEP = re.compile(r"[0-9]{4}_[a-z0-9_]+")
MAX_SCHEMA = 512 * 1024  # a ConfigMap holds a mebibyte
MAX_LABEL = 63
MAX_NAME = 52  # a service's name, so that every derived name still fits a label of 63
PLATFORM_IMAGES = ("envoy", "openbao")


def problems(app: said.App) -> list[Problem]:
    """Every problem of the declaration, in the order of the program."""
    found = [problem for check in CHECKS for problem in check(app)]
    return sorted(set(found), key=lambda problem: (_position(problem.where), problem))


def _position(where: str) -> tuple[str, int]:
    file, _, line = where.rpartition(":")
    return file, int(line) if line.isdigit() else 0


def _application(app: said.App) -> Iterator[Problem]:
    if not _is_label(app.name):
        yield Problem(app.where, f"{app.name!r} is not a name for an App", "use a DNS label (RFC 1035)")
    if not TRUST_DOMAIN.fullmatch(app.trust_domain) or len(app.trust_domain) > 255:
        what = f"{app.trust_domain!r} is not a SPIFFE trust domain"
        yield Problem(app.where, what, "use lower-case letters, digits, dots and dashes, such as 'estate.example'")
    for role in PLATFORM_IMAGES:
        if not DIGEST.fullmatch(app.images.get(role, "")):
            yield Problem(
                app.where, f"no pinned image for {role!r}", f"give App images={{{role!r}: 'NAME@sha256:...'}}"
            )


def _namespaces(app: said.App) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for statement in _only(app, said.NamespaceStatement):
        name, where = statement.name, statement.where
        if not _is_label(name, MAX_LABEL):
            yield Problem(where, f"{name!r} is not a namespace name", "use a DNS label (RFC 1035)")
        if name in d.RESERVED_NAMESPACES or name.startswith("kube-"):
            yield Problem(where, f"namespace {name!r} belongs to the platform", "choose another name")
        if name in seen:
            yield Problem(where, f"namespace {name!r} was declared before, at {seen[name]}", "declare it once")
        seen.setdefault(name, where)


def _duplicates(app: said.App) -> Iterator[Problem]:
    first: dict[Ref, str] = {}
    for statement in app.statements:
        if isinstance(statement, said.ServiceStatement | said.DatabaseStatement):
            if statement.ref in first:
                what = f"'{statement.ref}' was declared before, at {first[statement.ref]}"
                yield Problem(statement.where, what, "give each service and database a name of its own")
            first.setdefault(statement.ref, statement.where)


def _services(app: said.App) -> Iterator[Problem]:
    reserved = {d.MTLS_PORT, d.HEALTH_PORT}
    for s in _only(app, said.ServiceStatement):
        yield from _named(s.where, "service", s.ref)
        yield from _pinned(s.where, s.ref, s.image)
        if not 1024 <= s.port <= 65535 or s.port in reserved or d.OUTBOUND_PORT <= s.port < d.OUTBOUND_PORT + 1000:
            what = f"'{s.ref}' cannot listen on port {s.port}"
            remedy = (
                f"use 1024-65535 except {d.MTLS_PORT}, {d.HEALTH_PORT} and {d.OUTBOUND_PORT}-{d.OUTBOUND_PORT + 999}"
            )
            yield Problem(s.where, what, f"{remedy}, which the sidecar needs")
        if not 1 <= s.replicas <= 1000:
            yield Problem(s.where, f"'{s.ref}' asks for {s.replicas} replicas", "use 1 to 1000")
        r = s.resources
        for quantity in (r.cpu, r.memory, r.cpu_limit, r.memory_limit):
            if not QUANTITY.fullmatch(quantity):
                yield Problem(s.where, f"{quantity!r} is not a Kubernetes quantity", "write it like '100m' or '128Mi'")


def _databases(app: said.App) -> Iterator[Problem]:
    for s in _only(app, said.DatabaseStatement):
        yield from _named(s.where, "database", s.ref)
        yield from _pinned(s.where, s.ref, s.image)
        if not QUANTITY.fullmatch(s.storage):
            yield Problem(s.where, f"{s.storage!r} is not a Kubernetes quantity", "write it like '1Gi'")
        if not 60 <= s.lease_seconds <= d.LEASE_SECONDS:
            what = f"'{s.ref}' would lease credentials for {s.lease_seconds} s"
            yield Problem(s.where, what, f"use 60 to {d.LEASE_SECONDS}")
        yield from _schema(s)


def _schema(s: said.DatabaseStatement) -> Iterator[Problem]:
    for name, text in s.schema:
        if not text.strip() or "\0" in text or not STEP.fullmatch(name):
            what = f"'{s.ref}' has no schema step in {name!r}"
            yield Problem(s.where, what, "give a folder of files like '0001_accounts.sql', none of them empty")
    if sum(len(text.encode()) for _, text in s.schema) > MAX_SCHEMA:
        yield Problem(s.where, f"the schema of '{s.ref}' is too long", f"use at most {MAX_SCHEMA} bytes for all steps")


def _calls(app: said.App) -> Iterator[Problem]:
    known = {s.ref for s in _only(app, said.ServiceStatement)}
    for s in _only(app, said.CallStatement):
        yield from _known(s.where, "service", s.callee, s.caller, known)
        if _resolved(s.callee, s.caller) == s.caller:
            yield Problem(
                s.where, f"'{s.caller}' calls itself", "remove the call; a service needs no leave to be itself"
            )
        if not s.operations:
            remedy = 'say which, such as "GET /items/{id}"; a call without operations would be a call to everything'
            yield Problem(s.where, f"the call from '{s.caller}' to '{s.callee}' names no operation", remedy)
        for text in s.operations:
            yield from _operation(s.where, text)


def _operation(where: str, text: str) -> Iterator[Problem]:
    method, _, path = text.partition(" ")
    if method not in d.METHODS:
        remedy = did_you_mean(method.upper(), d.METHODS, "use one of " + ", ".join(d.METHODS))
        yield Problem(where, f"{text!r} does not begin with an HTTP method", remedy)
    segments = path.removeprefix("/").split("/") if path != "/" else []
    if not path.startswith("/") or not all(SEGMENT.fullmatch(segment) for segment in segments):
        remedy = "write a path like '/items/{id}': plain segments or {names}, no wildcard, query or trailing slash"
        yield Problem(where, f"{text!r} has no valid path template", remedy)
    if any(segment in (".", "..") for segment in segments):
        yield Problem(where, f"{text!r} has a relative segment", "write the path that the callee serves")
    names = Counter(segment for segment in segments if segment.startswith("{"))
    if any(count > 1 for count in names.values()):
        yield Problem(where, f"{text!r} uses a parameter twice", "give each parameter a name of its own")


def _uses(app: said.App) -> Iterator[Problem]:
    known = {s.ref for s in _only(app, said.DatabaseStatement)}
    for s in _only(app, said.UseStatement):
        yield from _known(s.where, "database", s.database, s.service, known)
        if s.role not in ("reader", "writer"):
            yield Problem(
                s.where,
                f"{s.role!r} is not a database role",
                did_you_mean(s.role, ("reader", "writer"), "use 'reader' or 'writer'"),
            )


def _reads(app: said.App) -> Iterator[Problem]:
    for s in _only(app, said.ReadStatement):
        if not SECRET_PATH.fullmatch(s.path):
            remedy = "write it like 'psp/api-key': lower case, no wildcard, no leading or trailing slash"
            yield Problem(s.where, f"{s.path!r} is not a path in the secret store", remedy)


def _permissions(app: said.App) -> Iterator[Problem]:
    services = [s.ref for s in _only(app, said.ServiceStatement)]
    databases = [s.ref for s in _only(app, said.DatabaseStatement)]
    for s in _only(app, said.MayStatement):
        derived = derived_config_maps(s.service.namespace, services, databases)
        for why, remedy in objections(s.verbs, s.resource, s.names, s.group, derived=derived):
            asked = " ".join(filter(None, (s.verbs, ".".join(filter(None, (s.resource, s.group))), *s.names)))
            yield Problem(s.where, f"'{s.service}' may not be permitted {asked!r}: {why}", remedy)


CHECKS: tuple[Callable[[said.App], Iterator[Problem]], ...] = (
    _application,
    _namespaces,
    _duplicates,
    _services,
    _databases,
    _calls,
    _uses,
    _reads,
    _permissions,
)


# --- what the checks share -------------------------------------------------------------------------------------------


def _only(app: said.App, kind: type[said.S]) -> Iterator[said.S]:
    return (statement for statement in app.statements if isinstance(statement, kind))


def _is_label(name: str, longest: int = MAX_NAME) -> bool:
    return bool(LABEL.fullmatch(name)) and len(name) <= longest


def _named(where: str, what: str, ref: Ref) -> Iterator[Problem]:
    if not _is_label(ref.name):
        yield Problem(
            where, f"{ref.name!r} is not a {what} name", f"use a DNS label (RFC 1035) of at most {MAX_NAME} characters"
        )


def _pinned(where: str, ref: Ref, image: str) -> Iterator[Problem]:
    if not DIGEST.fullmatch(image):
        what = f"the image of '{ref}' is not pinned by digest: {image!r}"
        yield Problem(where, what, "write NAME@sha256:DIGEST; a tag can be moved to another image")


def _resolved(target: Ref | str, near: Ref) -> Ref | None:
    try:
        return resolve(target, near)
    except ValueError:
        return None


def _known(where: str, what: str, target: Ref | str, near: Ref, known: set[Ref]) -> Iterator[Problem]:
    ref = _resolved(target, near)
    if ref in known:
        return
    names = {str(r) for r in known} | {r.name for r in known if r.namespace == near.namespace}
    remedy = did_you_mean(str(target), names, f"declare it, or name one of {', '.join(sorted(names)) or 'none yet'}")
    yield Problem(where, f"'{near}' names {what} {str(target)!r}, which nobody declared", remedy)
