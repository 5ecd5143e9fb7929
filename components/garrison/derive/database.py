"""Database layer: one PostgreSQL per declared database, entered over TLS with a lease or a client certificate only.

The server keeps no password of ours. The secret store makes users for an hour at most and takes them away again; the
store itself enters by certificate. Nobody else has a way in, not even the owner of the schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive.names import secret_name
from garrison.manifest import Manifest, container, labels, manifest, selector
from garrison.model.graph import Database, Graph
from garrison.words import Ref

Json = dict[str, Any]
BIN = "/usr/lib/postgresql/15/bin"
VOLUME = "/var/lib/postgresql/data"
SOCKET = "/var/run/postgresql"


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    for database in graph.databases:
        ref, config = database.ref, configuration(database.ref.name)
        yield manifest("v1", "ConfigMap", Ref(ref.namespace, f"{ref.name}-config"), {"data": config}, app=graph.name)
        ports = [{"name": "postgres", "port": d.DATABASE_PORT, "targetPort": d.DATABASE_PORT, "protocol": "TCP"}]
        spec = {"clusterIP": "None", "selector": {d.NAME: ref.name}, "ports": ports}
        yield manifest("v1", "Service", ref, {"spec": spec}, app=graph.name)
        stateful_set = _stateful_set(graph, cluster, database)
        yield manifest("apps/v1", "StatefulSet", ref, {"spec": stateful_set}, app=graph.name)


# --- configuration ---------------------------------------------------------------------------------------------------


def configuration(name: str) -> dict[str, str]:
    return {
        "postgresql.conf": _SERVER,
        "pg_hba.conf": access_rules(name),
        "init.sh": _INIT.format(bin=BIN, volume=VOLUME, name=name),
        "start.sh": _START.format(bin=BIN, volume=VOLUME),
        "ready.sql": _READY,
        "cluster.sql": _CLUSTER.format(name=name),
        "database.sql": _DATABASE.format(name=name),
    }


def access_rules(name: str) -> str:
    """pg_hba.conf: first match wins, and what matches nothing is refused. No line allows plaintext."""
    return f"""\
# type   database  user      address  method
local    all       postgres           peer
hostssl  {name}    openbao   all      cert
hostssl  {name}    openbao   all      reject
hostssl  {name}    postgres  all      reject
hostssl  {name}    all       all      scram-sha-256
host     all       all       all      reject
"""


_SERVER = f"""\
listen_addresses = '*'
unix_socket_directories = '{SOCKET}'
hba_file = '/etc/postgres/pg_hba.conf'
ssl = on
ssl_min_protocol_version = 'TLSv1.3'
ssl_cert_file = '{d.IDENTITY_DIR}/tls.crt'
ssl_key_file = '{d.IDENTITY_DIR}/tls.key'
ssl_ca_file = '{d.TRUST_DIR}/{d.TRUST_FILE}'
password_encryption = 'scram-sha-256'
log_connections = on
log_disconnections = on
log_line_prefix = '%m [%p] %u@%d %h '
max_connections = 50
shared_buffers = '64MB'
dynamic_shared_memory_type = mmap
"""

# An attempt that was interrupted is left behind and never used: only a finished one is named in `complete`. Builtins of
# the shell alone, because the image has no other program (initdb itself is why there is a shell at all).
_INIT = """\
set -eu
umask 077
cd {volume}
[ -s complete ] && exit 0
attempt=0
while [ -e "pgdata-$attempt" ]; do attempt=$((attempt + 1)); done
data="pgdata-$attempt"
{bin}/initdb --pgdata="$data" --username=postgres --auth=reject --encoding=UTF8 --locale=C.UTF-8 --data-checksums
{bin}/postgres --single -j -D "$data" postgres < /etc/postgres/cluster.sql
{bin}/postgres --single -j -D "$data" {name} < /etc/postgres/database.sql
echo "$data" > complete
"""

_START = """\
read -r data < {volume}/complete
exec {bin}/postgres -D "{volume}/$data" -c config_file=/etc/postgres/postgresql.conf
"""

# Asked by the kubelet: does the server answer a query, and is its certificate the one on disk? PostgreSQL reads a
# renewed certificate only when told to; existing connections go on. File times have whole seconds: a certificate
# written in the second of the last reading counts as new, at worst read twice.
_READY = f"""\
SELECT CASE WHEN (pg_stat_file('{d.IDENTITY_DIR}/tls.crt')).modification >= date_trunc('second', pg_conf_load_time())
  THEN pg_reload_conf() ELSE true END;
"""

# Statements end at an empty line (postgres --single -j).
_CLUSTER = """\
CREATE ROLE "{name}_owner" NOLOGIN;

CREATE ROLE "{name}_reader" NOLOGIN;

CREATE ROLE "{name}_writer" NOLOGIN NOINHERIT;

GRANT "{name}_owner" TO "{name}_writer";

CREATE ROLE openbao LOGIN CREATEROLE;

GRANT "{name}_reader", "{name}_writer" TO openbao WITH ADMIN OPTION;

GRANT pg_signal_backend TO openbao;

CREATE DATABASE "{name}" OWNER "{name}_owner";

REVOKE ALL ON DATABASE "{name}" FROM PUBLIC;

REVOKE ALL ON DATABASE postgres FROM PUBLIC;

REVOKE ALL ON DATABASE template1 FROM PUBLIC;

GRANT CONNECT ON DATABASE "{name}" TO openbao, "{name}_reader", "{name}_writer";
"""

_DATABASE = """\
ALTER SCHEMA public OWNER TO "{name}_owner";

REVOKE ALL ON SCHEMA public FROM PUBLIC;

GRANT USAGE ON SCHEMA public TO "{name}_reader", "{name}_writer";

ALTER DEFAULT PRIVILEGES FOR ROLE "{name}_owner" IN SCHEMA public GRANT SELECT ON TABLES TO "{name}_reader";

ALTER DEFAULT PRIVILEGES FOR ROLE "{name}_owner" IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE ON TABLES TO "{name}_writer";

ALTER DEFAULT PRIVILEGES FOR ROLE "{name}_owner" IN SCHEMA public GRANT USAGE ON SEQUENCES TO "{name}_writer";
"""


# --- workload --------------------------------------------------------------------------------------------------------


def _stateful_set(graph: Graph, cluster: Cluster, database: Database) -> Json:
    name = database.ref.name
    chosen = {"storageClassName": cluster.storage_class} if cluster.storage_class else {}
    size = {"requests": {"storage": database.storage}}
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": size, **chosen}}
    return {
        "replicas": 1,
        "serviceName": name,
        "selector": selector(name),
        "volumeClaimTemplates": [claim],
        "template": {
            "metadata": {"labels": labels(name, graph.name) | {d.DATABASE_LABEL: "true"}},
            "spec": _pod(database),
        },
    }


def _pod(database: Database) -> Json:
    name = database.ref.name
    init = _container(database, "init", ["/bin/sh", "/etc/postgres/init.sh"])
    return {
        "serviceAccountName": name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": d.pod_security_context() | {"fsGroup": d.DATABASE_UID},
        "terminationGracePeriodSeconds": d.GRACE_SECONDS,
        "initContainers": [init],
        "containers": [_server(database)],
        "volumes": [
            {"name": "config", "configMap": {"name": f"{name}-config", "defaultMode": d.SECRET_MODE}},
            {"name": "identity", "secret": {"secretName": secret_name(database.ref), "defaultMode": d.SECRET_MODE}},
            {"name": "trust", "configMap": {"name": d.TRUST_BUNDLE, "defaultMode": d.SECRET_MODE}},
            {"name": "socket", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }


def _server(database: Database) -> Json:
    return _container(
        database,
        "postgres",
        ["/bin/sh", "/etc/postgres/start.sh"],
        ports=[{"name": "postgres", "containerPort": d.DATABASE_PORT}],
        startupProbe=_ready(periodSeconds=1, failureThreshold=120),
        readinessProbe=_ready(periodSeconds=10),
        livenessProbe=_ready(periodSeconds=15, failureThreshold=4),
    )


def _ready(**when: int) -> Json:
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
