"""The plan of a program: every workload, every edge, and what of them is open."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from garrison.words import Ref
from garrison_import.evidence.edges import Edge, Evidence
from garrison_import.evidence.protocols import Protocol
from garrison_import.operations import Operations
from garrison_import.plan.contradictions import contradictions
from garrison_import.plan.environment import Environment, Told
from garrison_import.plan.images import PINS, Images
from garrison_import.plan.parts import Line, Plan, Said
from garrison_import.plan.verdicts import Verdicts
from garrison_import.plan.workloads import Writer
from garrison_import.read.documents import Documents
from garrison_import.read.parts import Workload
from garrison_import.read.world import World
from garrison_import.source import Identifiers, Verbatim, quoted

_DOORS = ("Ingress", "HTTPRoute", "GRPCRoute", "VirtualService", "IngressRoute", "Route", "HTTPProxy")


def plan(
    app: str, world: World, documents: Documents, evidence: Evidence, operations: Operations, verdicts: Verdicts
) -> Plan:
    """Everything that the program and the report say."""
    names = Identifiers()
    spaces = {space: names.of(space) for space in dict.fromkeys(work.ref.namespace for work in world.workloads)}
    edges: dict[Ref, list[Edge]] = defaultdict(list)
    for edge in evidence.edges:
        edges[edge.callee.ref].append(edge)
    writer = Writer(world, edges, app)
    images = Images([work.main.image for work in world.workloads])
    refs = _labels(world.workloads)
    said = {}
    for work in world.workloads:
        ref = refs[work.ref]
        name = names.of(ref.name, f"{ref.namespace}-{ref.name}")
        image = Verbatim(f'lock["{images.name(work.main.image)}"]')
        said[work.ref] = writer.said(work, ref, name, image)
        for index, (_, label, port, protocol) in enumerate(said[work.ref].ports):
            said[work.ref].ports[index] = names.of(f"{name}-{label}"), label, port, protocol
    lines: list[Line] = []
    every = [refs[work.ref] for work in world.workloads]
    for work in world.workloads:
        mine = [edge for edge in evidence.edges if edge.caller is work]
        environment = Environment(said[work.ref], mine, evidence, writer, every)
        environment.write()
        lines += [
            _absent(edge, told, said[work.ref])
            if edge.absent
            else _line(edge, told, said[work.ref], said[edge.callee.ref], operations)
            for edge, told in zip(mine, environment.told, strict=True)
        ]
    for one in said.values():
        one.remarks += _refused(one, verdicts)
    return Plan(
        app,
        spaces,
        tuple(said.values()),
        tuple(lines),
        images.lock,
        tuple(_doors(world)),
        world,
        evidence,
        verdicts,
        tuple(contradictions(world, documents, evidence, verdicts, lines)),
    )


def _labels(workloads: Sequence[Workload]) -> dict[Ref, Ref]:
    """The name of each in a program: its own, made a label of at most 52 letters where it is none."""
    found: dict[Ref, Ref] = {}
    for work in workloads:
        name = re.sub(r"[^a-z0-9-]+", "-", work.ref.name.lower()).strip("-")[:52].strip("-") or "it"
        name = name if name[0].isalpha() else f"s-{name}"[:52].strip("-")
        name = f"{name}-service" if name in ("default", "default-deny") else name
        ref = Ref(work.ref.namespace, name)
        while ref in found.values():
            ref = Ref(ref.namespace, f"{ref.name[:48]}-{len(found)}")
        found[work.ref] = ref
    return found


def _line(edge: Edge, told: Told, caller: Said, callee: Said, operations: Operations) -> Line:
    spoken = callee.spoken(edge.port)
    line = Line(edge, caller.name, "calls", callee.target(edge.port), spoken, remarks=[*told.remarks])
    if spoken.known and spoken.spoken == "tcp":
        line.verb = "connects"
    else:
        line.operations, file = operations.of(edge.callee.ref.name, spoken.spoken)
        if line.operations:
            line.source = Path(file).name
        elif not spoken.known:
            line.open_ = "what is spoken, and the operations"
        else:
            line.open_ = "operations, as package.Service/Method" if spoken.spoken == "grpc" else "operations"
    if not edge.sure_of_port:
        line.remarks.append("open: the manifests do not say at which of its ports")
    line.env = _env(told)
    line.alias = told.alias
    _free_alias(line, caller)
    if edge.port and edge.port not in (callee.port, *(port for _, _, port, _ in callee.ports)):
        line.remarks.append(f"port {edge.port} of {edge.callee.ref.name} is of a container that is not in the program")
    line.written = edge.port in (0, callee.port, *(port for _, _, port, _ in callee.ports)) and any(
        found.sighting is None
        or found.sighting.main
        or found.sighting.container in {b.name for b in edge.caller.before}
        for found in edge.found
    )
    if not line.written and not line.remarks:
        line.remarks.append("seen only in a container that the program does not have")
    return line


def _absent(edge: Edge, told: Told, caller: Said) -> Line:
    """A line for a callee that no document has: it is named, and refused until somebody declares it."""
    ref = edge.callee.ref
    name = quoted(ref.name if ref.namespace == caller.ref.namespace else str(ref))
    spoken = Protocol("tcp", f"an address of {edge.schemes[0]}://")
    line = Line(edge, caller.name, "connects", name, spoken, remarks=[*told.remarks], alias=told.alias)
    line.env = _env(told)
    line.open_ = f"no document has {ref.name}; import its manifests, too, or declare it"
    return line


def _env(told: Told) -> Mapping[str, str] | str | None:
    """The variables of an edge as a program says them: the name alone where the text is host and port."""
    variables = dict(sorted(told.env.items()))
    return next(iter(variables)) if [*variables.values()] == ["{host}:{port}"] else variables or None


def _free_alias(line: Line, caller: Said) -> None:
    """No alias at a port that the caller itself binds at every address: one of the two could not listen."""
    number_ = line.alias.rpartition(":")[2]
    own = {str(caller.port), *(str(port) for _, _, port, _ in caller.ports)}
    if line.alias and number_ in own and caller.argument("bind") == "all":
        line.remarks.append(
            f"open: the image knows it as {line.alias}, and itself listens on {number_} of every address: give the"
            " address by env=, or let it listen elsewhere"
        )
        line.alias = ""


def _refused(said: Said, verdicts: Verdicts) -> Iterator[str]:
    """What the rules refuse of a workload, each once: rule, message, remedy. Images are all in the lock file."""
    found = {one.rule: one for one in reversed(verdicts.of(said.work.object)) if one.rule not in PINS}
    yield from (
        f"{rule}: {one.message.removeprefix('required: ')}; {one.remedy}" for rule, one in sorted(found.items())
    )


def _doors(world: World) -> Iterator[str]:
    """How it is reached from outside today: that is said with `serves`, never taken over."""
    for service in world.services:
        if service.outside in ("LoadBalancer", "NodePort"):
            names = ", ".join(work.ref.name for work in service.workloads) or "nothing"
            yield f"Service {service.ref.name} ({service.outside}) leads to {names}"
    for item in world.objects:
        if item.known_as in _DOORS:
            yield f"{item.kind} {item.name}"
