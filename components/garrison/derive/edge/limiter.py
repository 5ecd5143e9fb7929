"""The pod that counts for all pods of the edge: a sidecar, envoyproxy/ratelimit and Redis, which share its loopback.

One pod, because what it counts is in its memory. When it is exchanged the new one is there before the old one goes, and
begins with nothing: in the window in which that happens, up to twice as many pass as a limit says. Whoever is not the
edge does not get to it, and it gets to nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import mesh
from garrison.derive import network as rules
from garrison.derive.edge import counting, filters, names, routes
from garrison.derive.identity import certificate
from garrison.derive.mesh import access, envoy, inbound
from garrison.derive.mesh import limits as bounds
from garrison.derive.names import secret_name
from garrison.derive.workload import budget, deployment, healthy, sidecar
from garrison.errors import IntentError, Problem
from garrison.manifest import Manifest, compact, container, labels, manifest, pod, selector
from garrison.model.graph import Graph

Json = dict[str, Any]
ROLES: Final = ("ratelimit", "redis")  # of the images
FILE: Final = "config.json"  # YAML as JSON
FOLDER: Final = "limits"  # in the mount: the limiter looks for its files in a folder below what is exchanged
LOOPBACK: Final = "127.0.0.1"


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    """All of it, where the cluster says so; raises IntentError without the images."""
    if not counting.on(cluster):
        return
    _imaged(graph)
    both = ["digital signature", "client auth", "server auth"]
    yield certificate(
        graph, cluster.authority, d.LIMITS, {"uris": [graph.spiffe_id(d.LIMITS)]}, both, secret_name(d.LIMITS)
    )
    ways = {"ingress": rules.from_pods([d.EDGE], d.MTLS_PORT)}
    yield rules.policy(graph, d.LIMITS, {"podSelector": selector(d.LIMITS.name), **ways})
    yield manifest("v1", "ServiceAccount", d.LIMITS, {"automountServiceAccountToken": False}, app=graph.name)
    yield manifest("v1", "ConfigMap", names.LIMITS_PROXY, {"data": proxy(graph)}, app=graph.name)
    read = manifest("v1", "ConfigMap", names.LIMITS, {"data": {FILE: counting.known(graph)}}, app=graph.name)
    read["metadata"]["labels"][d.RELOADED] = "true"
    yield read
    yield mesh.entrance(graph, d.LIMITS)
    yield manifest("policy/v1", "PodDisruptionBudget", d.LIMITS, {"spec": budget(d.LIMITS)}, app=graph.name)
    yield manifest("apps/v1", "Deployment", d.LIMITS, {"spec": _deployment(graph)}, app=graph.name)


def _imaged(graph: Graph) -> None:
    given = dict(graph.images)
    missing = [
        Problem("images", f"no pinned image for {role!r}", f"give App images={{{role!r}: 'NAME@sha256:...'}}")
        for role in ROLES
        if role not in given
    ]
    if missing:
        raise IntentError(missing)


def environment() -> dict[str, str]:
    """Of ratelimit: all of it on loopback, no metrics sent to anybody, and its file read again whenever it changes."""
    ports = d.LIMITS_PORTS
    return {
        **{f"{name}HOST": LOOPBACK for name in ("", "GRPC_", "DEBUG_")},
        "PORT": str(ports["http"]),
        "GRPC_PORT": str(ports["grpc"]),
        "DEBUG_PORT": str(ports["debug"]),
        "REDIS_SOCKET_TYPE": "tcp",
        "REDIS_URL": f"{LOOPBACK}:{ports['redis']}",
        "REDIS_TIMEOUT": d.LIMITS_TIMEOUT,
        "REDIS_HEALTH_CHECK_ACTIVE_CONNECTION": "true",
        # what the kubelet exchanges is the link `..data`
        "RUNTIME_ROOT": f"{d.LIMITS_DIR}/..data",
        "RUNTIME_SUBDIRECTORY": FOLDER,
        "RUNTIME_WATCH_ROOT": "true",
        "EXPIRATION_JITTER_MAX_SECONDS": "0",  # a count is of no use after its window
        "DISABLE_STATS": "true",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "warn",
    }


def redis_arguments() -> list[str]:
    """Memory alone, bounded; what it holds is counts, each with its end."""
    said = {
        "bind": LOOPBACK,
        "port": str(d.LIMITS_PORTS["redis"]),
        "protected-mode": "yes",
        "save": "",
        "appendonly": "no",
        "databases": "1",
        "maxmemory": d.REDIS_MEMORY,
        "maxmemory-policy": "volatile-lru",
    }
    return [word for name, value in said.items() for word in (f"--{name}", value)]


def proxy(graph: Graph) -> dict[str, str]:
    """The files of the sidecar: gRPC over mutual TLS, of the edge, this one method."""
    return {"envoy.json": compact(_bootstrap(graph)), **envoy.secret_files()}


def _bootstrap(graph: Graph) -> Json:
    idle = {"idle_timeout": d.APP_IDLE_TIMEOUT}
    asked = envoy.cluster("grpc", LOOPBACK, d.LIMITS_PORTS["grpc"], dns=False, durations={})
    looked = envoy.cluster("http", LOOPBACK, d.LIMITS_PORTS["http"], dns=False, durations=idle)
    return {
        "node": {"id": str(d.LIMITS), "cluster": graph.name},
        "static_resources": {
            "listeners": [_inbound(graph), _health()],
            "clusters": [envoy.http2(asked), looked],
        },
        "overload_manager": bounds.overload_manager(),
        "layered_runtime": bounds.runtime(),
    }


def _inbound(graph: Graph) -> Json:
    manager = envoy.connection_manager(
        "inbound",
        [envoy.forward("grpc", match=routes.matching(counting.METHOD, "POST"))],
        **inbound.OF_CALLERS,
        filters=(_edge_alone(graph),),
        codec_type="HTTP2",
        http2_protocol_options={"max_concurrent_streams": d.EDGE_REQUESTS},
        **inbound.undisputed(),
    )
    return inbound.mutual_listener(graph, "inbound", manager)


def _edge_alone(graph: Graph) -> Json:
    policy = {"permissions": [{"any": True}], "principals": [access.principal(graph.spiffe_id(d.EDGE))]}
    rules_of = {"action": "ALLOW", "policies": {str(d.EDGE): policy}}
    return {"name": filters.ACCESS, "typed_config": envoy.typed(f"{filters.HTTP}.rbac.v3.RBAC", rules=rules_of)}


def _health() -> Json:
    """What the kubelet asks: the proxy itself, and whether the limiter has its Redis."""
    looked = envoy.forward("http", match=inbound.asked("/healthz"), prefix_rewrite="/healthcheck")
    return inbound.health_listener(looked)


def _deployment(graph: Graph) -> Json:
    return deployment(d.LIMITS, 1, labels(d.LIMITS.name, graph.name), _pod(graph))


def _pod(graph: Graph) -> Json:
    maps = {"proxy": {"name": names.LIMITS_PROXY.name}, "trust": {"name": d.TRUST_BUNDLE}}
    maps["limits"] = {"name": names.LIMITS.name, "items": [{"key": FILE, "path": f"{FOLDER}/{FILE}"}]}  # type: ignore[dict-item]
    secret = {"secretName": secret_name(d.LIMITS), "defaultMode": d.SECRET_MODE}
    proxied = sidecar(graph) | {"startupProbe": healthy("/proxy", periodSeconds=1, failureThreshold=60)}
    return pod(
        d.LIMITS.name,
        initContainers=[proxied, _redis(graph)],
        containers=[_ratelimit(graph)],
        volumes=[
            *({"name": name, "configMap": {**body, "defaultMode": d.SECRET_MODE}} for name, body in maps.items()),
            {"name": "identity", "secret": secret},
        ],
    )


def _redis(graph: Graph) -> Json:
    return container(
        "redis",
        graph.image("redis"),
        resources=d.REDIS_RESOURCES,
        security=d.container_security_context(d.REDIS_UID),
        restartPolicy="Always",
        command=["/usr/local/bin/redis-server"],
        args=redis_arguments(),
    )


def _ratelimit(graph: Graph) -> Json:
    return container(
        "ratelimit",
        graph.image("ratelimit"),
        resources=d.LIMITS_RESOURCES,
        security=d.container_security_context(d.LIMITS_UID),
        command=["/bin/ratelimit"],
        env=[{"name": name, "value": value} for name, value in environment().items()],
        startupProbe=healthy("/healthz", periodSeconds=1, failureThreshold=120),
        readinessProbe=healthy("/healthz", periodSeconds=5),
        livenessProbe=healthy("/healthz", periodSeconds=15, failureThreshold=4),
        lifecycle={"preStop": {"sleep": {"seconds": d.DRAIN_SECONDS}}},
        volumeMounts=[{"name": "limits", "mountPath": d.LIMITS_DIR, "readOnly": True}],
    )
