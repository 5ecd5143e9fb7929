"""A workload as arguments of `service()` or `job()`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from garrison import defaults as d
from garrison.words import Ref, Resources
from garrison_import.evidence.edges import Edge
from garrison_import.evidence.protocols import Protocol, protocol
from garrison_import.evidence.sightings import files
from garrison_import.plan.parts import Said, Secret
from garrison_import.plan.verdicts import is_secret, secret_entry, secret_line
from garrison_import.read.parts import Mount, Probe, Workload
from garrison_import.read.shapes import mapping, within, word
from garrison_import.read.world import World

STARTUP: Final = 120  # seconds that a service has where nothing is said
_OURS = (d.PROXY_UID, d.AGENT_UID, d.STORE_UID, d.EDGE_UID, d.LIMITS_UID, d.REDIS_UID)
_KEPT = ("/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/proc", "/run", "/sys", "/var/run")
_PATH = re.compile(r"(/[-A-Za-z0-9._@+]+)+")
_ASKED = re.compile(r"/[-A-Za-z0-9._~!$&'()*+,;=:@%/]{0,1000}(\?[-A-Za-z0-9._~!$&'()*+,;=:@%/?]{0,200})?")
_CPU = re.compile(r"[0-9]{1,9}m|[0-9]{1,6}(\.[0-9]{1,3})?")
_BYTES = re.compile(r"[0-9]{1,15}(\.[0-9]{1,3})?(k|M|G|T|[KMGT]i)?")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_LEAKS = 8  # letters of a value that is looked for in files
_COMMON = ("password", "passw0rd", "username", "changeme", "postgres")
_FILES_BYTES = 900_000  # of all files of one service: a ConfigMap has 1 MiB


class Writer:
    """What is the same for all workloads of one import."""

    def __init__(self, world: World, edges: Mapping[Ref, list[Edge]], app: str) -> None:
        self.world, self.edges, self.app = world, edges, app
        self._secret_values = secret_values(world)
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
        self._commands(said)
        self._mounts(said)
        self._pod(said)
        return said

    def ports(self, work: Workload) -> tuple[int, list[tuple[str, int]]]:
        """The main port, 0 for a worker, and the others that Services lead to."""
        if work.ends:
            return 0, []
        served = {one.target: one for service in self.world.serving(work) for one in service.ports if one.target}
        own = {number: name for number, name in work.main.ports}
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
                f'open: nothing in the manifests says what is spoken at port {main}; give protocol="grpc" or "tcp" if it is'
                " not HTTP"
            )
        said.named.append(("health", self._asked(said, "readiness", main) or "tcp"))
        if (alive := self._asked(said, "liveness", main)) not in ("", "tcp"):
            said.named.append(("liveness", alive))
        times = [probe.seconds for name, probe in work.main.probes if name == "startup"]
        times = times or [probe.seconds for name, probe in work.main.probes if name != "startup"]
        if max(times, default=0) > STARTUP:
            said.named.append(("startup_seconds", min(max(times), 3600)))
        names: set[str] = set()
        for name, port in further:
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

    def _commands(self, said: Said) -> None:
        box = said.work.main
        for name, line in (("command", box.command), ("args", box.args)):
            if line and secret_line(name, line):
                said.remarks.append(
                    f"secret-in-arguments: {name} is left out, because it carries a credential; read it from a file that"
                    " reads() brings, or from a variable"
                )
            elif line:
                said.named.append((name, list(line)))

    def _mounts(self, said: Said) -> None:
        texts: dict[str, str] = {}
        scratch: dict[str, str] = {}
        volumes: dict[str, str] = {}
        for mount in said.work.main.mounts:
            kind = mount.volume.kind
            path = mount.path.rstrip("/") or "/"
            if kind in ("scratch", "claim") and not _mountable(path):
                said.remarks.append(f"not said: a folder at {path}, where Garrison keeps what a pod must not change")
            elif kind == "scratch":
                scratch[path] = _size(mount.volume.size)
            elif kind == "claim":
                volumes[path] = _size(mount.volume.size) or "1Gi"
                if not mount.volume.size:
                    said.remarks.append(f"open: the size of the volume at {path} is not in the documents")
            elif kind == "configmap":
                self._files(said, mount, texts)
            elif kind == "secret":
                self._secret_files(said, mount)
            elif kind == "host":
                pass  # a finding of the rules, with its remedy
            else:
                said.remarks.append(f"not said: what is mounted at {path} ({mount.volume.name or 'nothing known'})")
        folders = [*scratch, *volumes]
        for path in [path for path in texts if any(path.startswith(f"{folder}/") for folder in folders)]:
            del texts[path]
            said.remarks.append(
                f"not said: the file {path}, which lies in a folder of its own; mount them beside each other"
            )
        for path in [
            path for path in folders if any(path.startswith(f"{other}/") for other in folders if other != path)
        ]:
            scratch.pop(path, None)
            if volumes.pop(path, None):
                said.remarks.append(f"not said: the volume at {path}, which lies in another folder")
        if texts:
            said.named.append(("files", texts))
        if scratch:
            sized = any(scratch.values())
            said.named.append(("scratch", {p: s or "64Mi" for p, s in scratch.items()} if sized else list(scratch)))
        if volumes:
            said.named.append(("volumes", volumes))

    def _files(self, said: Said, mount: Mount, texts: dict[str, str]) -> None:
        found = list(files(mount, said.work.ref.namespace, self.world))
        if not found:
            said.remarks.append(
                f"open: files at {mount.path} of the ConfigMap {mount.volume.name}, which is not in the documents"
            )
        for path, key, text in found:
            if not _mountable(path):
                said.remarks.append(f"not said: the file {path}, where Garrison keeps what a pod must not change")
            elif secret_entry(key, text) or any(value in text for value in self._secret_values):
                said.remarks.append(
                    f"secret-in-configmap: the file {path} is left out, because it holds a credential; keep it in the secret"
                    " store and say reads()"
                )
                said.secrets.append(Secret(self.path(mount.volume.name, key), None, f"the file {path}"))
            elif sum(len(one.encode(errors="replace")) for one in (*texts.values(), text)) > _FILES_BYTES:
                said.remarks.append(f"not said: the file {path}, with which they are too long; bake it into the image")
            else:
                texts[path] = text

    def _secret_files(self, said: Said, mount: Mount) -> None:
        """A Secret at a path: the application is told the path of the agent's file, where a variable has its own."""
        name = mount.volume.name
        keys = dict(mount.volume.items) or {
            key: key for key in self.world.secrets.get(Ref(said.work.ref.namespace, name), ())
        }
        if not keys:
            said.remarks.append(
                f"open: files at {mount.path} of the Secret {name}, whose keys are not in the documents: say reads() for each"
            )
        told = {one.value: one.name for one in said.work.main.variables if one.value}
        for key, path in keys.items():
            file = mount.path if mount.sub else f"{mount.path.rstrip('/')}/{path}"
            variable = told.get(file)
            remark = "" if variable else f"the image looks for it at {file}"
            env = {variable: "{path}"} if variable else None
            said.secrets.append(Secret(self.path(name, key), env, f"Secret {name}, {key}", remark))

    def path(self, *names: str) -> str:
        """A path of the secret store for what these names say."""
        parts = [re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") for name in names]
        return "/".join([self.app, *(part or "it" for part in parts)])

    def _pod(self, said: Said) -> None:
        work = said.work
        uid = work.main.uid
        if uid is not None and uid != d.APP_UID and uid != 0:
            if uid in _OURS or not 1 <= uid <= 65535:
                said.remarks.append(f"not said: user {uid}, which Garrison's own containers have or Kubernetes refuses")
            else:
                said.named.append(("uid", uid))
        if not work.ends:
            if said.port and self.world.serving(work):
                said.named.append(("bind", "all"))
            if not said.argument("volumes"):
                said.named.append(("replicas", 1 if work.replicas is None else max(work.replicas, 1)))
            elif (work.replicas or 1) > 1:
                said.remarks.append(f"not said: {work.replicas} replicas, each with a volume of its own")
        if (needs := _resources(work.main.body, said.remarks)) is not None:
            said.named.append(("resources", needs))
        said.remarks += _left(work)


def secret_values(world: World) -> frozenset[str]:
    """What looks like a credential in the variables, where it is long enough to be no mere word: no file may have it."""
    found = {
        one.value or ""
        for work in world.workloads
        for box in work.containers
        for one in box.variables
        if is_secret(one)
    }
    return frozenset(value for value in found if len(value) >= _LEAKS and value not in _COMMON)


def _unasked(probe: Probe, port: int) -> str:
    """Why Garrison cannot ask as the probe does; empty where it can."""
    if probe.kind == "exec":
        return "runs a command"
    if probe.port != port:
        return f"asks port {probe.port}" if probe.port else "asks a port that the pod does not have"
    if probe.tls:
        return "asks over TLS of the application's own"
    return f"asks for {probe.path!r}" if probe.kind == "http" and not _ASKED.fullmatch(probe.path) else ""


def _mountable(path: str) -> bool:
    kept = any(path == one or path.startswith(f"{one}/") for one in _KEPT)
    return bool(_PATH.fullmatch(path)) and not {".", ".."} & {*path.split("/")} and not kept


def _size(text: str) -> str:
    return text if _BYTES.fullmatch(text) and _amount(text) else ""


def _amount(text: str) -> Decimal:
    """What a quantity stands for, CPU or bytes; 0 for what is none."""
    match = re.fullmatch(r"([0-9.]+)(m|k|M|G|T|[KMGT]i)?", text)
    try:
        number = Decimal(match[1]) if match else Decimal(0)
    except InvalidOperation:
        return Decimal(0)
    unit = match[2] or "" if match else ""
    return number / 1000 if unit == "m" else number * _UNITS[unit]


def _resources(body: Mapping[str, Any], remarks: list[str]) -> Resources | None:
    """What the container asks for, completed by Garrison's own where it does not say."""
    said = {}
    for field, end in (("requests", ""), ("limits", "_limit")):
        for name, form in (("cpu", _CPU), ("memory", _BYTES)):
            text = word(within(body, "resources", field, name))
            if text and form.fullmatch(text) and _amount(text):
                said[name + end] = text
            elif text:
                remarks.append(f"not said: {field} of {text!r} {name}, which is not written as Garrison takes it")
    if not said:
        return None
    usual = {name: getattr(d.APP_RESOURCES, name) for name in ("cpu", "memory", "cpu_limit", "memory_limit")}
    whole = usual | said
    for name in ("cpu", "memory"):
        low, high = whole[name], whole[f"{name}_limit"]
        if _amount(low) > _amount(high):  # one of the two is Garrison's own: what the manifest says counts
            whole[name if name not in said else f"{name}_limit"] = high if name not in said else low
            if name in said and f"{name}_limit" in said:
                remarks.append(f"the manifests ask for {low} {name} and allow {high}")
    return Resources(**whole)


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
