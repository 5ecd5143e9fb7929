"""The pen: an `App` only adds statements, in any order; `graph()` checks them all and freezes them into a `Graph`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from garrison import defaults
from garrison.errors import IntentError
from garrison.model.graph import DatabaseRole, Graph
from garrison.words import Ref, Resources


@dataclass(frozen=True)
class Statement:
    """Where in the program something was said, as `file:line`, so that a problem can point at it."""

    where: str


S = TypeVar("S", bound=Statement)


@dataclass(frozen=True)
class NamespaceStatement(Statement):
    name: str


@dataclass(frozen=True)
class ServiceStatement(Statement):
    ref: Ref
    image: str
    port: int
    replicas: int
    resources: Resources


@dataclass(frozen=True)
class DatabaseStatement(Statement):
    ref: Ref
    image: str
    storage: str
    lease_seconds: int
    schema: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class CallStatement(Statement):
    caller: Ref
    callee: Ref | str
    operations: tuple[str, ...]


@dataclass(frozen=True)
class UseStatement(Statement):
    service: Ref
    database: Ref | str
    role: DatabaseRole


@dataclass(frozen=True)
class ReadStatement(Statement):
    service: Ref
    path: str


@dataclass(frozen=True)
class MayStatement(Statement):
    service: Ref
    verbs: str
    resource: str
    names: tuple[str, ...]
    group: str


@dataclass(frozen=True)
class Service:
    """A declared service. Its verbs say what it may do; what is not said is refused by every layer."""

    ref: Ref
    _app: App = field(repr=False, compare=False)

    def calls(self, callee: Service | str, *operations: str) -> None:
        """Allow this service to call `callee` with the given operations, each a method and a path template.

        `orders.calls(catalog, "GET /items/{id}")`. A callee may be named as `"catalog"` (same namespace) or
        `"shop/catalog"` where it is declared further down. Saying more about the same pair adds to it.
        """
        target = callee.ref if isinstance(callee, Service) else callee
        self._app.add(CallStatement(_where(), self.ref, target, operations))

    def uses(self, database: Database | str, *, role: DatabaseRole) -> None:
        """Give this service leased credentials of `role` (`"reader"` or `"writer"`) at a database."""
        target = database.ref if isinstance(database, Database) else database
        self._app.add(UseStatement(_where(), self.ref, target, role))

    def reads(self, path: str) -> None:
        """Allow this service to read one path of the secret store, such as `"psp/api-key"`; never a value."""
        self._app.add(ReadStatement(_where(), self.ref, path))

    def may(self, verbs: str, resource: str, *names: str, group: str = "") -> None:
        """Permit this service `verbs` at a resource of its own namespace, through the Kubernetes API.

        `orders.may("get watch", "configmaps", "orders-flags")`: with names, those objects only. A resource outside
        the core group needs its `group`, without version: `orders.may("get update", "leases", "orders",
        group="coordination.k8s.io")`. Only then a pod gets a token for the API server, and a way there.
        """
        self._app.add(MayStatement(_where(), self.ref, verbs, resource, names, group))


@dataclass(frozen=True)
class Database:
    """A declared PostgreSQL database."""

    ref: Ref


@dataclass(frozen=True)
class Namespace:
    """A namespace of the App, closed by default in both directions."""

    name: str
    _app: App = field(repr=False, compare=False)

    def service(
        self,
        name: str,
        *,
        image: str,
        port: int,
        replicas: int = defaults.REPLICAS,
        resources: Resources = defaults.APP_RESOURCES,
    ) -> Service:
        """Declare a service. `image` is pinned by digest; `port` is where the application listens on loopback."""
        ref = Ref(self.name, name)
        self._app.add(ServiceStatement(_where(), ref, image, port, replicas, resources))
        return Service(ref, self._app)

    def postgres(
        self,
        name: str,
        *,
        image: str | None = None,
        storage: str = defaults.DATABASE_STORAGE,
        lease_seconds: int = defaults.LEASE_SECONDS,
        schema: str | Path | None = None,
    ) -> Database:
        """Declare a PostgreSQL database of that name; `image` defaults to the App's `postgres` image.

        Credentials are leases of `lease_seconds` (60 to 3600; an hour by default, never longer). `schema` is a folder
        of steps, `0001_name.sql` and so on: the database applies each once, in their order, as the owner of its
        schema, when it starts. No lease may become that owner, so no workload changes a schema.
        """
        ref = Ref(self.name, name)
        chosen = image if image is not None else self._app.images.get("postgres", "")
        self._app.add(DatabaseStatement(_where(), ref, chosen, storage, lease_seconds, _steps(schema)))
        return Database(ref)


class App:
    """One declared call graph. `images` are the platform's own containers by role: `envoy`, `openbao`, `postgres`."""

    def __init__(self, name: str, *, trust_domain: str, images: Mapping[str, str]) -> None:
        self.name = name
        self.trust_domain = trust_domain
        self.images = dict(images)
        self.where = _where()
        self._statements: list[Statement] = []

    def namespace(self, name: str) -> Namespace:
        """Declare one namespace."""
        self.add(NamespaceStatement(_where(), name))
        return Namespace(name, self)

    def namespaces(self, *names: str) -> tuple[Namespace, ...]:
        """Declare several namespaces and unpack them: `shop, bank = app.namespaces("shop", "bank")`."""
        where = _where()
        for name in names:
            self.add(NamespaceStatement(where, name))
        return tuple(Namespace(name, self) for name in names)

    def service(self, name: str, *, image: str, port: int) -> Service:
        """Declare a service in the namespace that has the App's own name, for an App of one namespace."""
        where = _where()
        if not any(isinstance(s, NamespaceStatement) and s.name == self.name for s in self._statements):
            self.add(NamespaceStatement(where, self.name))
        ref = Ref(self.name, name)
        self.add(ServiceStatement(where, ref, image, port, defaults.REPLICAS, defaults.APP_RESOURCES))
        return Service(ref, self)

    def graph(self) -> Graph:
        """Check every statement and freeze the declaration; raises IntentError with all problems at once."""
        from garrison.declare.freeze import freeze
        from garrison.declare.validate import problems

        if found := problems(self):
            raise IntentError(found)
        return freeze(self)

    @property
    def statements(self) -> tuple[Statement, ...]:
        return tuple(self._statements)

    def add(self, statement: Statement) -> None:
        """Take one more statement; nothing is ever changed or removed."""
        self._statements.append(statement)


def _steps(folder: str | Path | None) -> tuple[tuple[str, str], ...]:
    """Name and text of each step; a folder without any gives one without text, which is refused with its line."""
    if folder is None:
        return ()
    files = sorted(Path(folder).glob("*.sql"))
    return tuple((file.stem, file.read_text(encoding="utf-8")) for file in files) or ((str(folder), ""),)


def _where() -> str:
    """The first frame outside this package: the line of the program that spoke."""
    here, frame = Path(__file__).parent, sys._getframe(1)  # noqa: SLF001 the documented, cheap way to the caller
    while frame.f_back is not None and Path(frame.f_code.co_filename).parent == here:
        frame = frame.f_back
    return f"{_shown(Path(frame.f_code.co_filename))}:{frame.f_lineno}"


def _shown(path: Path) -> str:
    """Relative to where the command runs, so that messages are the same on every machine."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name
