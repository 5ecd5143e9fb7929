"""From checked statements to the frozen graph: resolve names, merge what was said twice, sort everything."""

from __future__ import annotations

from garrison.declare import app as said
from garrison.model.graph import Call, Database, Graph, Operation, Permission, Read, Service, Use
from garrison.words import Ref


def freeze(app: said.App) -> Graph:
    """The graph of a declaration that `validate.problems` found nothing wrong with."""
    statements = app.statements
    services = (
        Service(s.ref, s.image, s.port, s.replicas, s.resources)
        for s in statements
        if isinstance(s, said.ServiceStatement)
    )
    databases = (
        Database(s.ref, s.image, s.storage, s.lease_seconds, s.schema)
        for s in statements
        if isinstance(s, said.DatabaseStatement)
    )
    uses = {
        Use(s.service, resolve(s.database, s.service), s.role) for s in statements if isinstance(s, said.UseStatement)
    }
    return Graph(
        name=app.name,
        trust_domain=app.trust_domain,
        namespaces=tuple(sorted({s.name for s in statements if isinstance(s, said.NamespaceStatement)})),
        services=tuple(sorted(services)),
        calls=tuple(sorted(_calls(statements))),
        databases=tuple(sorted(databases)),
        uses=tuple(sorted(uses)),
        reads=tuple(sorted({Read(s.service, s.path) for s in statements if isinstance(s, said.ReadStatement)})),
        permissions=tuple(sorted(_permissions(statements))),
        images=tuple(sorted(app.images.items())),
    )


def resolve(target: Ref | str, near: Ref) -> Ref:
    """A bare name means the speaker's own namespace."""
    if isinstance(target, Ref):
        return target
    return Ref.parse(target) if "/" in target else Ref(near.namespace, target)


def operation(text: str) -> Operation:
    method, _, path = text.partition(" ")
    return Operation(method, path)


def _calls(statements: tuple[said.Statement, ...]) -> list[Call]:
    pairs: dict[tuple[Ref, Ref], set[Operation]] = {}
    for statement in statements:
        if isinstance(statement, said.CallStatement):
            pair = statement.caller, resolve(statement.callee, statement.caller)
            pairs.setdefault(pair, set()).update(operation(text) for text in statement.operations)
    return [Call(caller, callee, tuple(sorted(found))) for (caller, callee), found in pairs.items()]


def _permissions(statements: tuple[said.Statement, ...]) -> list[Permission]:
    """One for each set of objects, with all the verbs said about it."""
    objects: dict[tuple[Ref, str, str, tuple[str, ...]], set[str]] = {}
    for s in statements:
        if isinstance(s, said.MayStatement):
            what = s.service, s.group, s.resource, tuple(sorted(set(s.names)))
            objects.setdefault(what, set()).update(s.verbs.split())
    return [Permission(*what, tuple(sorted(verbs))) for what, verbs in objects.items()]
