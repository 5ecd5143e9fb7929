"""Workload layer: the hardened Deployment of each service and its disruption budget.

The application sees loopback, its declared callees as `<CALLEE>_URL`, its secrets as files, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import mesh, rbac, secrets, tokens
from garrison.derive.names import APP, PROXY, secret_name
from garrison.manifest import Manifest, compact, container, labels, manifest, pod, selector
from garrison.model.calls import url_variable
from garrison.model.graph import Graph, Service
from garrison.words import Ref

Json = dict[str, Any]


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    for service in graph.services:
        spec = {"spec": budget(service.ref)}
        yield manifest("policy/v1", "PodDisruptionBudget", service.ref, spec, app=graph.name)
    for service in graph.services:
        yield manifest(
            "apps/v1", "Deployment", service.ref, {"spec": _deployment(graph, cluster, service)}, app=graph.name
        )


def budget(ref: Ref) -> Json:
    """One pod may be away at a time, also where there is only one: a budget must never block a node drain for ever, nor
    may a pod that is broken anyway.
    """
    return {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow", "selector": selector(ref.name)}


def _deployment(graph: Graph, cluster: Cluster, service: Service) -> Json:
    pod_labels = labels(service.name, graph.name) | secrets.pod_labels(graph, service.ref)
    return deployment(service.ref, service.replicas, pod_labels, _pod(graph, cluster, service))


def deployment(ref: Ref, replicas: int, pod_labels: Mapping[str, str], spec: Json) -> Json:
    """Pods of that spec; one is made and ready before the one that it replaces goes."""
    return {
        "replicas": replicas,
        "revisionHistoryLimit": 3,
        "selector": selector(ref.name),
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": {"labels": dict(pod_labels)}, "spec": spec},
    }


def _pod(graph: Graph, cluster: Cluster, service: Service) -> Json:
    return pod(
        service.name,
        topologySpreadConstraints=[spread(service.ref)],
        initContainers=[sidecar(graph), *secrets.sidecar(graph, service.ref)],
        containers=[_app(graph, cluster, service)],
        volumes=[
            *_proxy_volumes(service),
            *secrets.volumes(graph, service.ref),
            *rbac.volumes(graph, service.ref),
        ],
    )


def spread(ref: Ref) -> Json:
    """On as many nodes as there are."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",  # a cluster of one node must still run the service
        "labelSelector": selector(ref.name),
    }


def _app(graph: Graph, cluster: Cluster, service: Service) -> Json:
    return container(
        APP,
        service.image,
        resources=service.resources,
        security=d.container_security_context(d.APP_UID),
        env=_environment(graph, cluster, service),
        startupProbe=healthy("/healthz", periodSeconds=1, failureThreshold=120),
        readinessProbe=healthy("/healthz", periodSeconds=5),
        livenessProbe=healthy("/healthz", periodSeconds=15, failureThreshold=4),
        lifecycle={"preStop": {"sleep": {"seconds": d.DRAIN_SECONDS}}},
        volumeMounts=_app_mounts(graph, service.ref),
    )


def healthy(path: str, **when: int) -> Json:
    """A probe through the proxy: `/healthz` of the application behind it, `/proxy` of itself."""
    return {"httpGet": {"path": path, "port": d.HEALTH_PORT}, "timeoutSeconds": 3, **when}


def _app_mounts(graph: Graph, ref: Ref) -> list[Json]:
    files, token = secrets.app_mounts(graph, ref), rbac.app_mounts(graph, ref)
    if files and token:
        # where /var/run leads to /run, the token's folder lies inside that of the secrets, which is read-only here, so
        # the runtime cannot make it; the kubelet makes the folder of a subPath beforehand
        folder = d.API_TOKEN_DIR.removeprefix(f"/var{d.SECRETS_DIR}/")
        files.append({"name": "secrets", "mountPath": f"{d.SECRETS_DIR}/{folder}", "subPath": folder, "readOnly": True})
    return [*files, *token]


def _environment(graph: Graph, cluster: Cluster, service: Service) -> list[Json]:
    values = {"HOST": "127.0.0.1", "PORT": str(service.port)}
    for callee, port in mesh.outbound_ports(graph, service.ref).items():
        values[url_variable(callee)] = f"http://127.0.0.1:{port}"
    values |= secrets.environment(graph, service.ref)
    if rules := tokens.rules(graph, cluster, service.ref):
        values[d.ACCESS_RULES] = compact(rules)
    return [{"name": name, "value": value} for name, value in values.items()]


def sidecar(graph: Graph) -> Json:
    """The proxy beside an application: its configuration, identity and trust are volumes of these names."""
    return container(
        PROXY,
        graph.image("envoy"),
        resources=d.PROXY_RESOURCES,
        security=d.container_security_context(d.PROXY_UID),
        restartPolicy="Always",
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


def _proxy_volumes(service: Service) -> list[Json]:
    return [
        {"name": "proxy", "configMap": {"name": mesh.config_ref(service.ref).name, "defaultMode": d.SECRET_MODE}},
        {"name": "identity", "secret": {"secretName": secret_name(service.ref), "defaultMode": d.SECRET_MODE}},
        {"name": "trust", "configMap": {"name": d.TRUST_BUNDLE, "defaultMode": d.SECRET_MODE}},
    ]
