"""What a lease is inside a database: made, shut and ended by functions that only the secret store may call.

The store's own user has no right but these: it cannot make a role of another kind, nor a lease longer than declared.
"""

from __future__ import annotations

from typing import Any

from garrison import defaults as d
from garrison.derive.quoting import sql_name, sql_text


def statements(role: str) -> dict[str, Any]:
    """What the store says to make and to end a lease of `role`.

    It says each list inside one transaction, so the COMMIT is said as well: what `shut` took away stays taken,
    whatever goes wrong afterwards. A renewal changes nothing: a lease ends when it was said to.
    """
    make = f"SELECT garrison.lease('{{{{name}}}}', '{{{{password}}}}', '{{{{expiration}}}}', {sql_text(role)});"
    return {
        "creation_statements": [make],
        "renew_statements": ["SELECT 1;"],
        "revocation_statements": [
            "SELECT garrison.shut('{{name}}');",
            "COMMIT;",
            "SELECT garrison.finish('{{name}}');",
        ],
    }


def functions(name: str, seconds: int) -> str:
    """The schema `garrison`, as it should be, at every start."""
    return _FUNCTIONS.format(
        seconds=seconds + d.LEASE_SLACK_SECONDS,
        connections=d.LEASE_CONNECTIONS,
        prefix=sql_text(f"{name}_"),
        standing=", ".join(["'postgres'", "'openbao'", *(sql_text(f"{name}_{role}") for role in _STANDING)]),
    )


def verification(name: str) -> str:
    """Fails where the database is not as it should be: asked of the catalogue, not of what was said."""
    return _VERIFY.format(
        database=sql_text(name),
        owner=sql_text(f"{name}_owner"),
        writer=sql_text(f"{name}_writer"),
        reader=sql_text(f"{name}_reader"),
        quoted=sql_name(name),
    )


_STANDING = ("owner", "reader", "writer")

# Every function: as the superuser, with nothing on its search path that a lease could have made, and never waiting
# long for a lock that a lease holds.
_FUNCTIONS = """\
CREATE SCHEMA IF NOT EXISTS garrison;

REVOKE ALL ON SCHEMA garrison FROM PUBLIC;

GRANT USAGE ON SCHEMA garrison TO openbao;

CREATE OR REPLACE FUNCTION garrison.lease(name text, secret text, until timestamptz, role text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF role IS NULL OR role NOT IN ('reader', 'writer') THEN
    RAISE EXCEPTION 'there are no leases of role %', role;
  END IF;
  EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L VALID UNTIL %L CONNECTION LIMIT {connections} IN ROLE %I',
    name, secret, least(until, now() + interval '{seconds} seconds'), {prefix} || role);
END $$;

CREATE OR REPLACE FUNCTION garrison.shut(lease name) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
  held name;
BEGIN
  IF lease IN ({standing}) THEN RAISE EXCEPTION '% is not a lease', lease; END IF;
  FOR held IN SELECT r.rolname FROM pg_auth_members JOIN pg_roles r ON r.oid = roleid
              JOIN pg_roles l ON l.oid = member WHERE l.rolname = lease LOOP
    EXECUTE format('REVOKE %I FROM %I', held, lease);
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION garrison.finish(lease name) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
BEGIN
  IF lease IN ({standing}) THEN RAISE EXCEPTION '% is not a lease', lease; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = lease) THEN RETURN; END IF;
  PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = lease;
  EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', lease);
  PERFORM pg_stat_clear_snapshot();
  PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = lease;
  BEGIN
    EXECUTE format('DROP OWNED BY %I CASCADE', lease);
    EXECUTE format('DROP ROLE %I', lease);
  EXCEPTION WHEN dependent_objects_still_exist OR lock_not_available THEN
    RAISE WARNING 'lease % is over; its name stays, without a right and without a way in: %', lease, SQLERRM;
  END;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA garrison FROM PUBLIC;

GRANT EXECUTE ON FUNCTION garrison.lease, garrison.shut, garrison.finish TO openbao;
"""

_VERIFY = """\
DO $$
DECLARE
  wrong text;
BEGIN
  SELECT string_agg(what, ', ') INTO wrong FROM (VALUES
    ('everybody may connect', EXISTS (SELECT FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
      WHERE grantee = 0 AND datname IN ({database}, 'postgres', 'template1'))),
    ('everybody may use the schema public', EXISTS (SELECT FROM pg_namespace,
      aclexplode(coalesce(nspacl, acldefault('n', nspowner))) WHERE grantee = 0 AND nspname IN ('public', 'garrison'))),
    ('a function of the schema garrison is not only the store''s', (SELECT count(*) <> 4 OR bool_or(
        prosecdef <> (proname <> 'step') OR proowner <> 'postgres'::regrole OR proacl IS NULL
        OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee NOT IN ('openbao'::regrole, 'postgres'::regrole)))
      FROM pg_proc WHERE pronamespace = 'garrison'::regnamespace)),
    ('large objects are open', EXISTS (SELECT FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner)))
      WHERE grantee = 0 AND proname IN ('lo_create', 'lo_creat', 'lo_from_bytea'))),
    ('another role is a superuser, or may make roles or databases', EXISTS (SELECT FROM pg_roles
      WHERE (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls) AND rolname <> 'postgres')),
    ('a role that has to be there is missing', (SELECT count(*) <> 4 FROM pg_roles
      WHERE rolname IN ({owner}, {reader}, {writer}, 'openbao') AND rolcanlogin = (rolname = 'openbao'))),
    ('somebody may become the owner', EXISTS (SELECT FROM pg_auth_members JOIN pg_roles ON oid = roleid
      WHERE rolname = {owner})),
    ('somebody but the store makes leases', EXISTS (SELECT FROM pg_proc, aclexplode(proacl)
      WHERE pronamespace = 'garrison'::regnamespace AND proname = 'step' AND grantee <> 'postgres'::regrole)),
    ('the store is in a role', EXISTS (SELECT FROM pg_auth_members WHERE member = 'openbao'::regrole))
  ) AS looked (what, so) WHERE so IS NOT false;
  IF wrong IS NOT NULL THEN RAISE EXCEPTION 'the database is not as declared: %', wrong; END IF;
END $$;
"""
