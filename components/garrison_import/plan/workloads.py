"""A workload as arguments of `service()` or `job()`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from garrison import defaults as d
from garrison.model.containers import Container
from garrison.model.services import MAX_PATH, MAX_STARTUP, PATH, listening
from garrison.words import Ref
from garrison_import.evidence.edges import Edge
from garrison_import.evidence.protocols import Protocol, protocol
from garrison_import.plan.mounts import Mounts, credentials
from garrison_import.plan.parts import Said
from garrison_import.plan.quantities import resources
from garrison_import.read.parts import Probe, Workload
from garrison_import.read.shapes import mapping
from garrison_import.read.world import World


class Writer:
    """What is the same for all workloads of one import."""

    def __init__(self, world: World, edges: Mapping[Ref, list[Edge]], app: str) -> None:
        self.world, self.edges, self.app = world, edges, app
        self._credentials = credentials(world)
        self._schemes: dict[tuple[Ref, int], list[str]] = {}
        for called in edges.values():
            for edge in called:
                self._schemes.setdefault((edge.callee.ref, edge.port), []).extend(edge.schemes)

    def protocol(self, work: Workload, port: int) -> Protocol:
        return protocol(work, port, self.world, self._schemes.get((work.ref, port), ()))

    def said(self, work: Workload, ref: Ref, name: str, image: Any) -> Said:
        """Its arguments but for the environment, which the edges have a part in."""
        main, further = self.ports(work)
        said = Said(work, ref, name, main, self.protocol(work, main))
        said.named.append(("image", image))
        if work.ends:
            if work.schedule:
                said.named.append(("schedule", work.schedule))
        else:
            self._listening(said, main, further)
        Mounts(said, self.world, self._credentials, self.path).write()
        self._pod(said)
        return said

    def ports(self, work: Workload) -> tuple[int, list[tuple[str, int]]]:
        """The main port, 0 for a worker, and the others that Services lead to."""
        if work.ends:
            return 0, []
        served = {one.target: one for service in self.world.serving(work) for one in service.ports if one.target}
        own = dict(work.main.ports)
        foreign = {number for box in work.beside for number, _ in box.ports} - {*own}
        called = [edge.port for edge in self.edges.get(work.ref, ()) if edge.port]
        probed = [probe.port for _, probe in work.main.probes if probe.port]
        rank = [*sorted(called, key=called.count, reverse=True), *served, *probed, *own]
        usable = [port for port in dict.fromkeys(rank) if port not in foreign]
        main = next((port for port in usable if port in called), next(iter(usable), 0))
        others = [(one.name or f"port-{port}", port) for port, one in served.items() if port not in (main, *foreign)]
        return main, others

    def _listening(self, said: Said, main: int, further: list[tuple[str, int]]) -> None:
        work = said.work
        if not main:
            return
        said.named.append(("port", main))
        if said.protocol.spoken != "http":
            said.named.append(("protocol", said.protocol.spoken))
        if not said.protocol.known:
            said.remarks.append(
                f'open: nothing in the manifests says what is spoken at port {main}; give protocol="grpc" or "tcp" if'
                " it is not HTTP"
            )
        said.named.append(("health", self._asked(said, "readiness", main) or "tcp"))
        if (alive := self._asked(said, "liveness", main)) not in ("", "tcp"):
            said.named.append(("liveness", alive))
        times = [probe.seconds for name, probe in work.main.probes if name == "startup"]
        times = times or [probe.seconds for name, probe in work.main.probes if name != "startup"]
        if max(times, default=0) > d.STARTUP_SECONDS:
            said.named.append(("startup_seconds", min(max(times), MAX_STARTUP)))
        said.remarks += [f"open: {one.what}; {one.remedy}" for one in listening(("services", 0), said.ref, main)]
        self._further(said, further)

    def _further(self, said: Said, further: list[tuple[str, int]]) -> None:
        """The other ports that Services lead to, each a callee of its own."""
        work = said.work
        names: set[str] = set()
        for name, port in further:
            if taken := next(listening(("ports", 0), said.ref, port), None):
                said.remarks.append(f"not said: port {port} ({name}): {taken.what}; {taken.remedy}")
                continue
            label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:15].strip("-")
            label = label if label[:1].isalpha() and label not in names else f"p{port}"
            names.add(label)
            said.ports.append((f"{said.name}_{label.replace('-', '_')}", label, port, self.protocol(work, port)))
        foreign = {number for box in work.beside for number, _ in box.ports}
        for service in self.world.serving(work):
            for one in service.ports:
                if one.target in foreign and one.target not in {number for number, _ in work.main.ports}:
                    said.remarks.append(
                        f"not said: port {one.target} of the Service {service.ref.name}, which is of another container"
                    )

    def _asked(self, said: Said, name: str, port: int) -> str:
        """How a probe asks, in Garrison's words; empty where there is none."""
        box = said.work.main
        probe = box.probe(name) or (box.probe("startup") or box.probe("liveness") if name == "readiness" else None)
        if probe is None:
            return ""
        if why := _unasked(probe, port):
            said.remarks.append(f"the {name} probe {why}: Garrison asks whether port {port} accepts connections")
            return "tcp"
        return probe.path if probe.kind == "http" else probe.kind

    def path(self, *names: str) -> str:
        """A path of the secret store for what these names say."""
        parts = [re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") for name in names]
        return "/".join([self.app, *(part or "it" for part in parts)])

    def _pod(self, said: Said) -> None:
        work = said.work
        uid = work.main.uid
        if uid is not None and uid != d.APP_UID and uid != 0:
            if wrong := next(Container(uid=uid).breaches(("services", 0), said.ref), None):
                said.remarks.append(f"not said: {wrong.what}; {wrong.remedy}")
            else:
                said.named.append(("uid", uid))
        if not work.ends:
            if said.port and self.world.serving(work):
                said.named.append(("bind", "all"))
            if not said.argument("volumes"):
                said.named.append(("replicas", 1 if work.replicas is None else max(work.replicas, 1)))
            elif (work.replicas or 1) > 1:
                said.remarks.append(f"not said: {work.replicas} replicas, each with a volume of its own")
        if (needs := resources(work.main.body, said.remarks)) is not None:
            said.named.append(("resources", needs))
        said.remarks += _left(work)


def _unasked(probe: Probe, port: int) -> str:
    """Why Garrison cannot ask as the probe does; empty where it can."""
    if probe.kind == "exec":
        return "runs a command"
    if probe.port != port:
        return f"asks port {probe.port}" if probe.port else "asks a port that the pod does not have"
    if probe.tls:
        return "asks over TLS of the application's own"
    return f"asks for {probe.path!r}" if probe.kind == "http" and not PATH.fullmatch(probe.path[:MAX_PATH]) else ""


def _left(work: Workload) -> Iterator[str]:
    """What a pod has beside its application, and a program does not say."""
    for box in work.before:
        yield f"not said: init container {box.name}; what waits for a callee is not needed, the proxy is there first"
    for box in work.beside:
        yield f"not said: container {box.name} ({box.image}); a pod has one application, give it a service of its own"
    if work.kind == "DaemonSet":
        yield "it was a DaemonSet, one pod on each node; Garrison has replicas"
    unknown = [str(key) for key in mapping(work.main.body.get("lifecycle"))]
    if unknown:
        yield f"not said: lifecycle hooks ({', '.join(unknown)}); Garrison drains before it stops"
