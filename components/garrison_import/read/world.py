"""Everything the documents say, and who selects whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from garrison.words import Ref
from garrison_import.read.documents import Documents, ImportingError
from garrison_import.read.parts import Container, Service, ServicePort, Workload
from garrison_import.read.pods import Pod
from garrison_import.read.shapes import Json, mapping, mappings, number, within, word
from garrison_policies.language.objects import Object
from garrison_policies.language.selectors import by_labels, selects

KINDS = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "Pod", "Job", "CronJob", "DaemonSet")
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_HOOK = "helm.sh/hook"


@dataclass(frozen=True)
class World:
    """`home` is the namespace of what names none. `secrets` are the keys of Secrets: values are never looked at."""

    home: str
    objects: tuple[Object, ...]
    workloads: tuple[Workload, ...]
    services: tuple[Service, ...]
    configmaps: Mapping[Ref, Mapping[str, str]]
    secrets: Mapping[Ref, tuple[str, ...]]
    claims: Mapping[Ref, str]
    remarks: tuple[str, ...]
    """What was left out, and why."""
    _serving: Mapping[Ref, list[Service]] = field(default_factory=dict, repr=False)

    def ref(self, item: Object) -> Ref:
        return Ref(item.namespace or self.home, item.name)

    def serving(self, workload: Workload) -> Sequence[Service]:
        """The Services that lead to it."""
        return self._serving.get(workload.ref, [])

    def selected(self, namespace: str, selector: Json) -> list[Workload]:
        """The workloads whose pods a label selector selects."""
        return [one for one in self.workloads if one.ref.namespace == namespace and selects(selector, one.labels)]


def world(documents: Documents, home: str) -> World:
    """The documents as one application; raises ImportingError where they have no workload, or two of one name."""
    objects, remarks = _kept(documents)

    def refs(kind: str) -> dict[Ref, Object]:
        return {Ref(item.namespace or home, item.name): item for item in objects if item.known_as == kind}

    configmaps = {
        ref: {key: text for key, text in mapping(item.body.get("data")).items() if isinstance(text, str)}
        for ref, item in refs("ConfigMap").items()
    }
    secrets = {
        ref: tuple(sorted({*mapping(item.body.get("data")), *mapping(item.body.get("stringData"))}))
        for ref, item in refs("Secret").items()
    }
    claims = {
        ref: word(within(item.body, "spec", "resources", "requests", "storage"))
        for ref, item in refs("PersistentVolumeClaim").items()
    }
    found: dict[Ref, Workload] = {}
    for item in objects:
        if item.template is None or made_by_another(item, objects):
            continue
        if item.known_as not in KINDS:
            remarks.append(f"{item.file}:{item.line}: {item} runs pods and is not read: an import knows no {item.kind}")
            continue
        ref = _free(Ref(item.namespace or home, item.name), item, found)
        pod = Pod(item.template, ref, configmaps, secrets)
        own = {name: size for at, size in claims.items() if at.namespace == ref.namespace for name in (at.name,)}
        if one := _workload(item, ref, pod, own | _templates(item)):
            found[ref] = one
    if not found:
        raise ImportingError("there is no Deployment, StatefulSet, Pod, Job or CronJob in it; give rendered manifests")
    services = [_service(item, ref, [*found.values()]) for ref, item in refs("Service").items()]
    serving: dict[Ref, list[Service]] = defaultdict(list)
    for service in services:
        for one in service.workloads:
            serving[one.ref].append(service)
    return World(
        home,
        tuple(objects),
        tuple(found.values()),
        tuple(services),
        configmaps,
        secrets,
        claims,
        tuple(remarks),
        serving,
    )


def _free(ref: Ref, item: Object, found: Mapping[Ref, Workload]) -> Ref:
    """Its name, or a longer one where another kind has it; raises ImportingError for a second of a kind."""
    other = found.get(ref)
    if other is None:
        return ref
    longer = Ref(ref.namespace, f"{ref.name}-{item.kind.lower()}")
    if other.kind == item.kind or longer in found:
        before = f"{other.object.file}:{other.object.line}"
        raise ImportingError(
            f"{item.file}:{item.line}: {item} is in {before} already; give each object once, or import them apart"
        )
    return longer


def made_by_another(item: Object, objects: Sequence[Object]) -> bool:
    """Whether another object of the documents made it, as a Deployment makes its ReplicaSet on a cluster."""
    owners = {(word(one.get("kind")), word(one.get("name"))) for one in mappings(item.metadata.get("ownerReferences"))}
    return bool(owners) and any((one.kind, one.name) in owners for one in objects)


def _kept(documents: Documents) -> tuple[list[Object], list[str]]:
    """The objects but for Helm's tests, which are pods that are run by hand; and what was passed over."""
    kept, remarks = [], list(documents.passed)
    for item in documents.objects:
        hooks = word(mapping(item.metadata.get("annotations")).get(_HOOK)).replace(" ", "").split(",")
        if any(hook.startswith("test") for hook in hooks):
            remarks.append(f"{item.file}: {item} is a test of a chart (helm.sh/hook), passed over")
        else:
            kept.append(item)
    return kept, remarks


def _templates(item: Object) -> dict[str, str]:
    """The volumes a StatefulSet claims for each of its pods, with their size."""
    return {
        word(within(one, "metadata", "name")): word(within(one, "spec", "resources", "requests", "storage"))
        for one in mappings(within(item.body, "spec", "volumeClaimTemplates"))
    }


def _workload(item: Object, ref: Ref, pod: Pod, claims: Mapping[str, str]) -> Workload | None:
    containers = pod.containers("containers", claims)
    if not containers:
        return None
    main = _main(containers, ref.name, pod)
    labels = pod.metadata.get("labels")
    replicas = within(item.body, "spec", "replicas")
    return Workload(
        ref=ref,
        kind=item.kind,
        labels=mapping(labels),
        main=main,
        beside=tuple(one for one in containers if one is not main),
        before=tuple(pod.containers("initContainers", claims)),
        replicas=None if replicas is None else number(replicas, 1),
        schedule=word(within(item.body, "spec", "schedule")),
        account=word(pod.spec.get("serviceAccountName")) or "default",
        object=item,
    )


def _main(containers: Sequence[Container], name: str, pod: Pod) -> Container:
    """The application among several: the one kubectl would take, or that has the workload's name, or the first."""
    chosen = word(mapping(pod.metadata.get("annotations")).get(_DEFAULT_CONTAINER))
    for wanted in (chosen, name):
        for one in containers:
            if wanted and one.name == wanted:
                return one
    return containers[0]


def _service(item: Object, ref: Ref, workloads: Sequence[Workload]) -> Service:
    spec = mapping(item.body.get("spec"))
    selector = mapping(spec.get("selector"))
    selected = [
        one
        for one in workloads
        if selector and one.ref.namespace == ref.namespace and not one.ends and selects(by_labels(selector), one.labels)
    ]
    kind = word(spec.get("type"))
    ports = tuple(_port(one, selected) for one in mappings(spec.get("ports")) if number(one.get("port")))
    return Service(
        ref, ports, tuple(selected), word(spec.get("clusterIP")) == "None", "" if kind == "ClusterIP" else kind, item
    )


def _port(one: Json, selected: Sequence[Workload]) -> ServicePort:
    own = number(one.get("port"))
    target = one.get("targetPort", own)
    if isinstance(target, str) and not target.isdigit():
        named = {name: port for work in selected for box in (work.main, *work.beside) for port, name in box.ports}
        target = named.get(target, 0)
    return ServicePort(word(one.get("name")), own, number(target), word(one.get("appProtocol")))
