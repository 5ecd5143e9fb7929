"""The pods of the edge: Envoy, and the agent that brings its files and judges input; hardened as every service is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import contract_filter, contracts
from garrison.derive import login as logins
from garrison.derive.edge import names
from garrison.derive.edge.names import certificate_dir, certificate_secret, host_names
from garrison.derive.names import secret_name
from garrison.derive.tokens import introspected
from garrison.derive.workload import budget, deployment, proxy_probes, spread
from garrison.manifest import Manifest, container, labels, manifest, pod
from garrison.model.graph import Graph

Json = dict[str, Any]
DYNAMIC_DIR = "/etc/edge"  # the ConfigMap, as the kubelet keeps it
INTROSPECTION_DIR = "/etc/edge-introspection"  # that of the bootstrap: whom the agent asks rolls the pods, too


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    yield manifest("policy/v1", "PodDisruptionBudget", d.EDGE, {"spec": budget(d.EDGE)}, app=graph.name)
    yield manifest("apps/v1", "Deployment", d.EDGE, {"spec": _deployment(graph, cluster)}, app=graph.name)


def _deployment(graph: Graph, cluster: Cluster) -> Json:
    return deployment(d.EDGE, cluster.entrance.replicas, _labels(graph), _pod(graph, cluster))


def _labels(graph: Graph) -> dict[str, str]:
    """The secret store lets in whoever has its label; the edge where some login or question has its secret there."""
    entered = {d.STORE_LABEL: "true"} if logins.STORE in logins.keepers(graph) else {}
    return labels(d.EDGE.name, graph.name) | entered


def _pod(graph: Graph, cluster: Cluster) -> Json:
    return pod(
        d.EDGE.name,
        topologySpreadConstraints=[spread(d.EDGE)],
        initContainers=[*logins.containers(graph, cluster), _agent(graph)],
        containers=[_proxy(graph)],
        volumes=[*_volumes(graph), *logins.volumes(graph, cluster)],
    )


def _agent(graph: Graph) -> Json:
    """It has brought the files when it answers, so Envoy starts with them."""
    own = {"name": "proxy", "mountPath": INTROSPECTION_DIR, "readOnly": True}
    asks = [own] if introspected(graph) else []
    return container(
        "agent",
        graph.image("edge"),
        resources=d.AGENT_RESOURCES,
        security=d.container_security_context(d.EDGE_UID),
        restartPolicy="Always",
        args=["--admin", d.ADMIN_SOCKET],
        ports=[{"name": "agent", "containerPort": contract_filter.HEALTH_PORT}],
        startupProbe=_asked("/copied", periodSeconds=1, failureThreshold=120),
        readinessProbe=_asked("/ready", periodSeconds=5),
        livenessProbe=_asked("/live", periodSeconds=15, failureThreshold=4),
        volumeMounts=[
            {"name": "dynamic", "mountPath": DYNAMIC_DIR, "readOnly": True},
            {"name": "contracts", "mountPath": contracts.FOLDER, "readOnly": True},
            {"name": "run", "mountPath": d.RUN_DIR},
            {"name": "admin", "mountPath": d.ADMIN_SOCKET.rpartition("/")[0]},
            *asks,
            *logins.question_mounts(graph),
        ],
    )


def _asked(path: str, **when: int) -> Json:
    return {"httpGet": {"path": path, "port": contract_filter.HEALTH_PORT}, "timeoutSeconds": 3, **when}


def _proxy(graph: Graph) -> Json:
    ports = {"public": d.EDGE_PORT, "mtls": d.MTLS_PORT, "health": d.HEALTH_PORT}
    watched = {
        "proxy": "/etc/envoy",
        "identity": d.IDENTITY_DIR,
        "trust": d.TRUST_DIR,
        "run": d.RUN_DIR,
        **{f"host-{number}": certificate_dir(host) for number, host in enumerate(host_names(graph))},
    }
    options = ["--reject-unknown-dynamic-fields", "--disable-hot-restart", "--log-level", "warning"]
    return container(
        "proxy",
        graph.image("envoy"),
        resources=d.EDGE_PROXY_RESOURCES,
        security=d.container_security_context(d.PROXY_UID),
        command=["/usr/local/bin/envoy"],
        args=["-c", "/etc/envoy/envoy.json", "--concurrency", str(d.EDGE_WORKERS), *options],
        ports=[{"name": name, "containerPort": port} for name, port in ports.items()],
        **proxy_probes(),
        # the agent tells Envoy, and Envoy its clients, on their next answers; meanwhile endpoints are withdrawn
        lifecycle={"preStop": {"httpGet": {"path": "/leave", "port": contract_filter.HEALTH_PORT}}},
        volumeMounts=[
            *({"name": name, "mountPath": path, "readOnly": True} for name, path in watched.items()),
            *logins.mounts(graph),
            {"name": "admin", "mountPath": d.ADMIN_SOCKET.rpartition("/")[0]},
        ],
    )


def _volumes(graph: Graph) -> list[Json]:
    maps = {"proxy": names.PROXY.name, "dynamic": names.DYNAMIC.name, "contracts": names.CONTRACTS.name}
    secrets = {
        "identity": secret_name(d.EDGE),
        **{f"host-{n}": certificate_secret(host) for n, host in enumerate(host_names(graph))},
    }
    return [
        *({"name": name, "configMap": {"name": ref, "defaultMode": d.SECRET_MODE}} for name, ref in maps.items()),
        *({"name": name, "secret": {"secretName": ref, "defaultMode": d.SECRET_MODE}} for name, ref in secrets.items()),
        {"name": "trust", "configMap": {"name": d.TRUST_BUNDLE, "defaultMode": d.SECRET_MODE}},
        *({"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": d.EDGE_MEMORY}} for name in ("run", "admin")),
    ]
