"""What in the documents does not fit together: it is told, and nothing is decided by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from garrison.findings import Finding, Severity
from garrison.words import Ref
from garrison_import.evidence.addresses import in_file
from garrison_import.evidence.edges import Evidence, Names, told_once
from garrison_import.plan.parts import Line
from garrison_import.plan.verdicts import Verdicts
from garrison_import.read.documents import Documents
from garrison_import.read.shapes import mapping, within, word
from garrison_import.read.world import World
from garrison_policies.language.objects import Object


def contradictions(
    world: World, documents: Documents, evidence: Evidence, verdicts: Verdicts, lines: Sequence[Line]
) -> Iterator[Finding]:
    """All of them; the rules' own findings are among it."""
    yield from verdicts.contradictions
    for item, at, key in documents.twice:
        yield _told(item, "duplicate-key", f"the key {key!r} is written twice, and the later counts", "keep one", at)
    yield from _autoscalers(world)
    yield from _ports(world)
    yield from _unread(world)
    for where, what, remedy in told_once(evidence.told):
        yield Finding(
            rule="address-contradicted", severity=Severity.MEDIUM, file="", path=where, message=what, remedy=remedy
        )
    for line in {line.callee: line for line in lines if line.protocol.against}.values():
        yield _told(
            line.edge.callee.object,
            "protocol-contradicted",
            f"{line.protocol.why} says {line.protocol.spoken} at port {line.edge.port}, and {line.protocol.against}",
            "correct the one that is wrong",
        )


def _autoscalers(world: World) -> Iterator[Finding]:
    """Those that scale what is not there."""
    kinds = {(work.kind, work.ref.namespace, work.object.name) for work in world.workloads}
    for item in world.objects:
        target = mapping(within(item.body, "spec", "scaleTargetRef"))
        if item.known_as == "HorizontalPodAutoscaler" and target:
            kind, name = word(target.get("kind")) or "Deployment", word(target.get("name"))
            if (kind, world.ref(item).namespace, name) not in kinds:
                yield _told(
                    item, "autoscaler-dangling", f"scales {kind} {name}, which is not there", "name what is there"
                )


def _ports(world: World) -> Iterator[Finding]:
    """Ports of Services that lead to none of the pods."""
    for service in world.services:
        for port in service.ports:
            if service.workloads and not port.target:
                names = ", ".join(work.ref.name for work in service.workloads)
                what = f"its port {port.number} leads to no port of {names}"
                yield _told(service.object, "service-port-dangling", what, "name a port that the pods have")


def _unread(world: World) -> Iterator[Finding]:
    """ConfigMaps with addresses that no pod has: somebody reads them through the API, and nothing says who."""
    used = {
        Ref(work.ref.namespace, name)
        for work in world.workloads
        for box in work.containers
        for name in (
            *(mount.volume.name for mount in box.mounts if mount.volume.kind == "configmap"),
            *(one.config[0] for one in box.variables if one.config),
        )
    }
    names = Names(world)
    for item in world.objects:
        ref = world.ref(item)
        if item.known_as != "ConfigMap" or ref in used:
            continue
        hosts = [one for text in world.configmaps[ref].values() for one in in_file(text)]
        known = {service.ref.name for one in hosts if (service := names.service(one.host, ref.namespace))}
        lost = {one.host for one in hosts if ".svc" in one.host and names.service(one.host, ref.namespace) is None}
        if known or lost:
            lacks = f", and {', '.join(sorted(lost))}, which is no Service of these documents" if lost else ""
            what = f"no pod has it, and it names {', '.join(sorted(known)) or 'no Service'}{lacks}"
            yield _told(item, "configmap-unread", what, "say the calls of whoever reads it through the API")


def _told(item: Object, rule: str, message: str, remedy: str, at: int = 0) -> Finding:
    return Finding(
        rule=rule,
        severity=Severity.MEDIUM,
        file=item.file,
        line=at or item.line,
        object=item,
        message=message,
        remedy=remedy,
    )
