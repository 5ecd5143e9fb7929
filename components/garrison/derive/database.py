"""Database layer: one PostgreSQL per declared database, entered over TLS with a lease or a client certificate only.

What the server is told, and what a lease is there, stands in postgres.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive.names import secret_name
from garrison.derive.postgres import BIN, SOCKET, VOLUME, configuration
from garrison.manifest import Manifest, claim, container, labels, manifest, pod, selector
from garrison.model.graph import Database, Graph
from garrison.model.names import database_config
from garrison.words import Ref

Json = dict[str, Any]


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    for database in graph.databases:
        ref, config = database.ref, configuration(database, cluster.store)
        yield manifest("v1", "ConfigMap", Ref(ref.namespace, database_config(ref)), {"data": config}, app=graph.name)
        ports = [{"name": "postgres", "port": d.DATABASE_PORT, "targetPort": d.DATABASE_PORT, "protocol": "TCP"}]
        spec = {"clusterIP": "None", "selector": {d.NAME: ref.name}, "ports": ports}
        yield manifest("v1", "Service", ref, {"spec": spec}, app=graph.name)
        stateful_set = _stateful_set(graph, cluster, database)
        yield manifest("apps/v1", "StatefulSet", ref, {"spec": stateful_set}, app=graph.name)


def _stateful_set(graph: Graph, cluster: Cluster, database: Database) -> Json:
    name = database.ref.name
    return {
        "replicas": 1,
        "serviceName": name,
        "selector": selector(name),
        "volumeClaimTemplates": [claim("data", database.storage, cluster.storage_class)],
        "template": {
            "metadata": {"labels": labels(name, graph.name) | {d.DATABASE_LABEL: "true"}},
            "spec": _pod(database),
        },
    }


def _pod(database: Database) -> Json:
    init = _container(database, "init", ["/bin/sh", "/etc/postgres/init.sh"])
    return pod(
        database.ref.name,
        securityContext=d.pod_security_context() | {"fsGroup": d.DATABASE_UID},
        initContainers=[init],
        containers=[_server(database)],
        volumes=[
            {"name": "config", "configMap": {"name": database_config(database.ref), "defaultMode": d.SECRET_MODE}},
            {"name": "identity", "secret": {"secretName": secret_name(database.ref), "defaultMode": d.SECRET_MODE}},
            {"name": "trust", "configMap": {"name": d.TRUST_BUNDLE, "defaultMode": d.SECRET_MODE}},
            {"name": "socket", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    )


def _server(database: Database) -> Json:
    return _container(
        database,
        "postgres",
        ["/bin/sh", "/etc/postgres/start.sh"],
        ports=[{"name": "postgres", "containerPort": d.DATABASE_PORT}],
        startupProbe=_ready(periodSeconds=1, failureThreshold=120),
        readinessProbe=_ready(periodSeconds=30, failureThreshold=2),
        livenessProbe=_ready(periodSeconds=30, failureThreshold=3),
    )


def _ready(**when: int) -> Json:
    """A question in SQL: a port that answers says nothing of a server that hangs.

    It costs a tenth of a second of CPU, most of it for a process in the container; and a server that ended is seen
    without it. So it is asked twice a minute.
    """
    psql = [f"{BIN}/psql", "-qAt", "-v", "ON_ERROR_STOP=1", "-h", SOCKET, "-U", "postgres", "-d", "postgres"]
    return {"exec": {"command": [*psql, "-f", "/etc/postgres/ready.sql"]}, "timeoutSeconds": 5, **when}


def _container(database: Database, name: str, command: list[str], **more: Any) -> Json:
    return container(
        name,
        database.image,
        resources=d.DATABASE_RESOURCES,
        security=d.container_security_context(d.DATABASE_UID),
        command=command,
        volumeMounts=[
            {"name": "data", "mountPath": VOLUME},
            {"name": "config", "mountPath": "/etc/postgres", "readOnly": True},
            {"name": "identity", "mountPath": d.IDENTITY_DIR, "readOnly": True},
            {"name": "trust", "mountPath": d.TRUST_DIR, "readOnly": True},
            {"name": "socket", "mountPath": SOCKET},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
        **more,
    )
