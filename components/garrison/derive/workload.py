"""Workload layer: the hardened Deployment of each service and its disruption budget; the pod of a job is the same.

The application sees loopback, its declared callees in its own words or as `<CALLEE>_URL`, its settings, its secrets as
files, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import mesh, rbac, secrets, tokens
from garrison.derive.names import APP, PROXY, secret_name
from garrison.manifest import Manifest, claim, compact, container, labels, manifest, pod, selector
from garrison.model.externals import is_outside
from garrison.model.graph import Call, Graph, Service
from garrison.model.names import files_config
from garrison.words import Ref, Resources

Json = dict[str, Any]
PROXY_SECONDS = 60  # in which a proxy has started
FIRST_FREE_PORT = 1024  # below, only root may listen unless the pod says otherwise


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    for service in graph.services:
        spec = {"spec": budget(service.ref)}
        yield manifest("policy/v1", "PodDisruptionBudget", service.ref, spec, app=graph.name)
    for one in graph.workloads:
        if one.container.files:
            files = Ref(one.namespace, files_config(one.ref))
            yield manifest("v1", "ConfigMap", files, {"data": _file_texts(one)}, app=graph.name)
    for service in graph.services:
        kind = "StatefulSet" if service.stateful else "Deployment"
        yield manifest("apps/v1", kind, service.ref, {"spec": _workload(graph, cluster, service)}, app=graph.name)


def budget(ref: Ref) -> Json:
    """One pod may be away at a time, also where there is only one: a budget must never block a node drain for ever, nor
    may a pod that is broken anyway.
    """
    return {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow", "selector": selector(ref.name)}


def _workload(graph: Graph, cluster: Cluster, service: Service) -> Json:
    found = pod_labels(graph, service)
    asked = {**_probes(service), "lifecycle": {"preStop": {"sleep": {"seconds": d.DRAIN_SECONDS}}}}
    told = {"HOST": "0.0.0.0" if service.bind == "all" else "127.0.0.1"}
    if service.port:
        told["PORT"] = str(service.port)
    spec = pod_spec(graph, cluster, service, asked, told, topologySpreadConstraints=[spread(service.ref)])
    if not service.stateful:
        return deployment(service.ref, service.replicas, found, spec)
    claims = [
        claim(f"volume-{index}", size, cluster.storage_class)
        for index, (_, size) in enumerate(service.container.volumes)
    ]
    return {
        "replicas": service.replicas,
        "revisionHistoryLimit": 3,
        "serviceName": service.name,
        "selector": selector(service.name),
        "volumeClaimTemplates": claims,
        "template": {"metadata": {"labels": found}, "spec": spec},
    }


def deployment(ref: Ref, replicas: int, pod_labels: Mapping[str, str], spec: Json) -> Json:
    """Pods of that spec; one is made and ready before the one that it replaces goes."""
    return {
        "replicas": replicas,
        "revisionHistoryLimit": 3,
        "selector": selector(ref.name),
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": {"labels": dict(pod_labels)}, "spec": spec},
    }


def pod_labels(graph: Graph, one: Service) -> dict[str, str]:
    return labels(one.name, graph.name) | secrets.pod_labels(graph, one.ref)


def pod_spec(
    graph: Graph, cluster: Cluster, service: Service, asked: Json | None = None, told: Json | None = None, **more: Any
) -> Json:
    """The pod of a service or job; `asked` are fields of the application's container, `told` its first variables."""
    return pod(
        service.name,
        **_low_ports(graph, service),
        **_aliases(graph, service),
        **more,
        initContainers=[sidecar(graph), *secrets.sidecar(graph, service.ref)],
        containers=[_app(graph, cluster, service, asked or {}, told or {})],
        volumes=[
            *proxy_volumes(service.ref),
            *secrets.volumes(graph, service.ref, cluster.store),
            *rbac.volumes(graph, service.ref),
            *_own_volumes(service),
        ],
    )


def _is_low(ports: Iterable[int]) -> bool:
    return any(0 < port < FIRST_FREE_PORT for port in ports)


def _low_ports(graph: Graph, service: Service) -> Json:
    """A port below 1024 is then anybody's of the pod: the one safe sysctl for it (Pod Security Standards). It is the
    application's, or its proxy's where the image looks for a callee there.
    """
    aliases = (call.alias_port for call in graph.calls_from.get(service.ref, ()))
    if not _is_low((*graph.numbers_of(service.ref).values(), *aliases)):
        return {}
    start = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
    return {"securityContext": d.pod_security_context() | {"sysctls": [start]}}


def _aliases(graph: Graph, service: Service) -> Json:
    """The names that are compiled into the image lead to its own proxy; a short one in its longer forms, too."""
    found = []
    for name, address in mesh.alias_addresses(graph, service.ref).items():
        longer = [f"{name}.{service.namespace}{end}" for end in ("", ".svc", f".{d.CLUSTER_DOMAIN}")]
        found.append({"ip": address, "hostnames": [name, *(longer if "." not in name else [])]})
    return {"hostAliases": found} if found else {}


def _security(graph: Graph, service: Service) -> Json:
    """Binaries that were given the right to low ports do not start without it; it is the one that `restricted` lets."""
    context = d.container_security_context(service.container.uid)
    if not _is_low(graph.numbers_of(service.ref).values()):
        return context
    return context | {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}


def _own_volumes(service: Service) -> list[Json]:
    given = service.container
    found: list[Json] = []
    if given.files:
        found.append({"name": "files", "configMap": {"name": files_config(service.ref), "defaultMode": d.FILE_MODE}})
    return found + [
        {"name": f"scratch-{index}", "emptyDir": {"sizeLimit": size}} for index, (_, size) in enumerate(given.scratch)
    ]


def _own_mounts(service: Service) -> list[Json]:
    given = service.container
    files = [
        {"name": "files", "mountPath": path, "subPath": _key(index), "readOnly": True}
        for index, (path, _) in enumerate(given.files)
    ]
    folders = [
        {"name": f"{name}-{index}", "mountPath": path}
        for name, pairs in (("scratch", given.scratch), ("volume", given.volumes))
        for index, (path, _) in enumerate(pairs)
    ]
    return [*files, *folders]


def _file_texts(service: Service) -> dict[str, str]:
    return {_key(index): text for index, (_, text) in enumerate(service.container.files)}


def _key(index: int) -> str:
    return f"file-{index}"


def spread(ref: Ref) -> Json:
    """On as many nodes as there are."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",  # a cluster of one node must still run the service
        "labelSelector": selector(ref.name),
    }


def _app(graph: Graph, cluster: Cluster, service: Service, asked: Json, told: Json) -> Json:
    given = service.container
    commanded = {name: list(said) for name, said in (("command", given.command), ("args", given.args)) if said}
    return container(
        APP,
        service.image,
        resources=service.resources,
        security=_security(graph, service),
        **commanded,
        env=_environment(graph, cluster, service, told),
        **asked,
        volumeMounts=[*_app_mounts(graph, service.ref), *_own_mounts(service)],
    )


def _probes(service: Service) -> Json:
    ready = mesh.READY if service.health else mesh.PROXY_ALONE
    alive = mesh.ALIVE if service.liveness else mesh.PROXY_ALONE
    return probes(ready, alive, ready if service.health else alive, service.startup_seconds)


def probes(ready: str, alive: str, first: str, seconds: int) -> Json:
    """All three of a container, each by what is asked of its proxy; `first` for so many seconds."""
    return {
        "startupProbe": healthy(first, periodSeconds=1, failureThreshold=seconds),
        "readinessProbe": healthy(ready, periodSeconds=5),
        "livenessProbe": healthy(alive, periodSeconds=15, failureThreshold=4),
    }


def proxy_probes() -> Json:
    """Those of a proxy with no application beside it."""
    alone = mesh.PROXY_ALONE
    return probes(alone, alone, alone, PROXY_SECONDS)


def healthy(path: str, **when: int) -> Json:
    """A probe of the proxy: `/healthz` and `/livez` are what it found of the application, `/proxy` is itself."""
    return {"httpGet": {"path": path, "port": d.HEALTH_PORT}, "timeoutSeconds": 3, **when}


def _app_mounts(graph: Graph, ref: Ref) -> list[Json]:
    files, token = secrets.app_mounts(graph, ref), rbac.app_mounts(graph, ref)
    if files and token:
        # where /var/run leads to /run, the token's folder lies inside that of the secrets, which is read-only here, so
        # the runtime cannot make it; the kubelet makes the folder of a subPath beforehand
        folder = d.API_TOKEN_DIR.removeprefix(f"/var{d.SECRETS_DIR}/")
        files.append({"name": "secrets", "mountPath": f"{d.SECRETS_DIR}/{folder}", "subPath": folder, "readOnly": True})
    return [*files, *token]


def _environment(graph: Graph, cluster: Cluster, service: Service, told: Json) -> list[Json]:
    values = {**told, **dict(service.container.env)}
    ports = mesh.outbound_ports(graph, service.ref)
    for call in graph.calls_from.get(service.ref, ()):
        values |= {name: text.format_map(_address(call, ports[call.target])) for name, text in graph.told(call)}
    values |= secrets.environment(graph, service.ref)
    if rules := tokens.rules(graph, cluster, service.ref):
        values[d.ACCESS_RULES] = compact(rules)
    said = [{"name": name, "value": value} for name, value in values.items()]
    return said + secrets.valued(graph, service.ref)


def _address(call: Call, port: int) -> dict[str, str]:
    """Where the application finds a callee: its own proxy, by the alias where there is one, of which half may be
    compiled into the image. With a host outside it may speak TLS of its own.
    """
    host, number = (call.alias_host, call.alias_port) if call.alias else ("127.0.0.1", port)
    scheme = "https" if call.connects and is_outside(call.callee) else "http"
    return {"host": host, "port": str(number), "url": f"{scheme}://{host}:{number}"}


def sidecar(graph: Graph) -> Json:
    """The proxy beside an application."""
    return proxy(graph, d.PROXY_RESOURCES, restartPolicy="Always")


def proxy(graph: Graph, resources: Resources, **more: Any) -> Json:
    """A proxy whose configuration, identity and trust are volumes of these names."""
    return container(
        PROXY,
        graph.image("envoy"),
        resources=resources,
        security=d.container_security_context(d.PROXY_UID),
        **more,
        command=["/usr/local/bin/envoy"],
        args=["-c", "/etc/envoy/envoy.json", "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"],
        ports=[{"name": "mtls", "containerPort": d.MTLS_PORT}, {"name": "health", "containerPort": d.HEALTH_PORT}],
        startupProbe={"httpGet": {"path": "/proxy", "port": d.HEALTH_PORT}, "periodSeconds": 1, "failureThreshold": 60},
        volumeMounts=[
            {"name": "proxy", "mountPath": "/etc/envoy", "readOnly": True},
            {"name": "identity", "mountPath": d.IDENTITY_DIR, "readOnly": True},
            {"name": "trust", "mountPath": d.TRUST_DIR, "readOnly": True},
        ],
    )


def proxy_volumes(ref: Ref) -> list[Json]:
    return [
        {"name": "proxy", "configMap": {"name": mesh.config_ref(ref).name, "defaultMode": d.SECRET_MODE}},
        {"name": "identity", "secret": {"secretName": secret_name(ref), "defaultMode": d.SECRET_MODE}},
        {"name": "trust", "configMap": {"name": d.TRUST_BUNDLE, "defaultMode": d.SECRET_MODE}},
    ]
