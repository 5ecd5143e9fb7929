"""What a database server is told: its settings, who may enter, and what a lease is inside it.

The server keeps no password of ours. The secret store enters by certificate and may do three things: make a lease,
shut it, end it, each a function of the schema `garrison` (leases.py). Nobody else has a way in, not even the owner of
the schema.
"""

from __future__ import annotations

from garrison import defaults as d
from garrison.cluster import Store
from garrison.derive import leases
from garrison.derive.names import ACCESS_RULES, CLIENT_AUTHORITY, SERVER_SETTINGS
from garrison.derive.quoting import access_rule_name, shell_word, sql_name, sql_text
from garrison.model.graph import Database

BIN = "/usr/lib/postgresql/15/bin"
VOLUME = "/var/lib/postgresql/data"
SOCKET = "/var/run/postgresql"


def configuration(database: Database, store: Store = Store()) -> dict[str, str]:  # noqa: B008 a frozen value
    name = database.ref.name
    words = {"database": sql_name(name)} | {role: sql_name(f"{name}_{role}") for role in ("owner", "reader", "writer")}
    texts = {"name": sql_text(name), "prefix": sql_text(f"{name}_")}
    return {
        **_server(store),
        ACCESS_RULES: access_rules(name),
        "init.sh": _INIT.format(bin=BIN, volume=VOLUME, name=shell_word(name)),
        "start.sh": _START.format(bin=BIN, volume=VOLUME, settings=SERVER_SETTINGS),
        "ready.sql": _READY,
        "create.sql": f"CREATE DATABASE {words['database']};\n",
        "cluster.sql": _CLUSTER.format(**words, **texts),
        "database.sql": _DATABASE.format(**words)
        + leases.functions(name, database.lease_seconds)
        + _STEPS.format(**words),
        "schema.sql": "".join(
            f"SELECT garrison.step({sql_text(step)}, {sql_text(sql)});\n\n" for step, sql in database.schema
        ),
        "verify.sql": leases.verification(name),
    }


def _server(store: Store) -> dict[str, str]:
    """Its settings. Certificates of clients are asked of the store alone, so their authority may be its own."""
    own = {CLIENT_AUTHORITY: store.database_ca} if store.database_ca else {}
    authority = f"/etc/postgres/{CLIENT_AUTHORITY}" if own else f"{d.TRUST_DIR}/{d.TRUST_FILE}"
    return {SERVER_SETTINGS: _SERVER.format(authority=authority), **own}


def access_rules(name: str) -> str:
    """pg_hba.conf: first match wins, and what matches nothing is refused. No line allows plaintext."""
    here = access_rule_name(name)
    return f"""\
# type   database  user      address  method
local    all       postgres           peer
hostssl  {here}    openbao   all      cert
hostssl  {here}    openbao   all      reject
hostssl  {here}    postgres  all      reject
hostssl  {here}    all       all      scram-sha-256
host     all       all       all      reject
"""


_SERVER = f"""\
listen_addresses = '*'
unix_socket_directories = '{SOCKET}'
hba_file = '/etc/postgres/{ACCESS_RULES}'
ssl = on
ssl_min_protocol_version = 'TLSv1.3'
ssl_cert_file = '{d.IDENTITY_DIR}/tls.crt'
ssl_key_file = '{d.IDENTITY_DIR}/tls.key'
ssl_ca_file = '{{authority}}'
password_encryption = 'scram-sha-256'
log_connections = on
log_disconnections = on
log_line_prefix = '%m [%p] %u@%d %h '
max_connections = {d.DATABASE_CONNECTIONS}
max_prepared_transactions = 0
shared_buffers = '64MB'
dynamic_shared_memory_type = mmap
"""

# An attempt that was interrupted is left behind and never used: only a finished one is named in `complete`. A statement
# that fails ends the program (`exit_on_error`; without it single-user mode goes on and reports success). The roles and
# functions are made as they should be at every start, then looked at: a database that is not as declared stays down.
# Builtins of the shell alone, because the image has no other program (initdb itself is why there is a shell).
_INIT = """\
set -eu
umask 077
cd {volume}
apply() {{
  {bin}/postgres --single -j -c exit_on_error=on -D "$data" -- "$1" < "/etc/postgres/$2" && return
  echo "the database is not as declared: $2 failed, see the line with FATAL above" >&2
  exit 1
}}
if [ -s complete ]; then
  read -r data < complete
else
  attempt=0
  while [ -e "pgdata-$attempt" ]; do attempt=$((attempt + 1)); done
  data="pgdata-$attempt"
  {bin}/initdb --pgdata="$data" --username=postgres --auth=reject --encoding=UTF8 --locale=C.UTF-8 --data-checksums
  apply postgres create.sql
fi
apply postgres cluster.sql
apply {name} database.sql
apply {name} schema.sql
apply {name} verify.sql
echo "$data" > complete
"""

_START = """\
read -r data < {volume}/complete
exec {bin}/postgres -D "{volume}/$data" -c config_file=/etc/postgres/{settings}
"""

# Asked by the kubelet. Does the server answer a query, and is its certificate the one on disk? PostgreSQL reads a
# renewed certificate only when told to; existing connections go on. File times have whole seconds: a certificate
# written in the second of the last reading counts as new, at worst read twice.
# And whoever is inside without a lease that still runs is put out: also when the store is not there to say so.
_READY = f"""\
SELECT CASE WHEN (pg_stat_file('{d.IDENTITY_DIR}/tls.crt')).modification >= date_trunc('second', pg_conf_load_time())
  THEN pg_reload_conf() ELSE true END;
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity LEFT JOIN pg_roles ON oid = usesysid
  WHERE backend_type = 'client backend' AND usesysid IS NOT NULL
    AND (oid IS NULL OR NOT rolcanlogin OR rolvaliduntil < now());
"""  # noqa: S608 the folder is ours

# Statements end at an empty line (postgres --single -j).
_CLUSTER = """\
DO $$
DECLARE
  known text;
BEGIN
  FOREACH known IN ARRAY ARRAY[{prefix} || 'owner', {prefix} || 'reader', {prefix} || 'writer', 'openbao'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = known) THEN EXECUTE format('CREATE ROLE %I', known); END IF;
  END LOOP;
END $$;

ALTER ROLE {owner} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL;

ALTER ROLE {reader} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL;

ALTER ROLE {writer} NOLOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL;

ALTER ROLE openbao LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL;

REVOKE {owner}, {reader}, {writer}, pg_signal_backend FROM openbao;

REVOKE {owner} FROM {writer};

ALTER DATABASE {database} OWNER TO {owner};

REVOKE ALL ON DATABASE {database} FROM PUBLIC;

REVOKE ALL ON DATABASE postgres FROM PUBLIC;

REVOKE ALL ON DATABASE template1 FROM PUBLIC;

GRANT CONNECT ON DATABASE {database} TO openbao, {reader}, {writer};
"""

# Large objects are shut: whoever makes one owns it, and grants it to others in ways that outlive a lease.
_DATABASE = """\
ALTER SCHEMA public OWNER TO {owner};

REVOKE ALL ON SCHEMA public FROM PUBLIC;

GRANT USAGE ON SCHEMA public TO {reader}, {writer};

ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT ON TABLES TO {reader};

ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO {writer};

ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT USAGE ON SEQUENCES TO {writer};

REVOKE EXECUTE ON FUNCTION lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea) FROM PUBLIC;

"""

# A step is applied once, as the owner, in one transaction with the note that it was; a step that changed afterwards is
# refused. Nobody but the superuser, at a start, may call this: no lease becomes the owner.
_STEPS = """\

CREATE TABLE IF NOT EXISTS garrison.applied (step text PRIMARY KEY, digest text NOT NULL, at timestamptz DEFAULT now());

CREATE OR REPLACE FUNCTION garrison.step(name text, statements text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  ours text := encode(sha256(convert_to(statements, 'UTF8')), 'hex');
  before text := (SELECT digest FROM garrison.applied WHERE step = name);
BEGIN
  IF before = ours THEN RETURN; END IF;
  IF before IS NOT NULL THEN RAISE EXCEPTION 'schema step % was changed after it was applied', name; END IF;
  SET LOCAL ROLE {owner};
  EXECUTE statements;
  RESET ROLE;
  INSERT INTO garrison.applied (step, digest) VALUES (name, ours);
END $$;

REVOKE ALL ON FUNCTION garrison.step FROM PUBLIC;
"""
