"""The derived PostgreSQL configuration in a real server: who may enter, how, and what they may do there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from garrison.cluster import Store
from garrison.declare.program import load
from garrison.derive import postgres as derived
from garrison.derive.names import CLIENT_AUTHORITY, SERVER_SETTINGS
from garrison.derive.secrets import PLATFORM
from garrison.model.graph import Database
from garrison.words import Ref
from harness import paths, postgres
from harness.ports import free_port
from harness.postgres import NOBODY
from unit.authority import Authority

STEP = ("0001_accounts", "CREATE TABLE accounts (x int);\n\nCOMMENT ON TABLE accounts IS 'it''s a \\ test';\n")
LEDGER = Database(Ref("bank", "ledger"), "image", "1Gi", 3600, (STEP,))
ESTATE = load(paths.REPO / "stacks" / "estate.py").graph().databases
KEPT = {
    "catalogue": ("catalogue.item", "'anchor', 'there then', 100, 'EUR'"),
    "ledger": ("ledger.account", "'there then', 'asset', 'EUR'"),
    "orderbook": ("orderbook.request", "'there then', 'print', '{}'"),
    "register": ("register.request", "'there then', 'print', '{}'"),
}
OWNER = NOBODY if os.geteuid() == 0 else os.geteuid()

OPENED: list[
    psycopg.Connection[tuple[Any, ...]]
] = []  # a test may leave a session open; the end of the server closes it


@dataclass(frozen=True)
class Server:
    port: int
    folder: Path
    root: Authority
    programs: postgres.Server

    def connect(self, user: str, **options: Any) -> psycopg.Connection[tuple[Any, ...]]:
        known: dict[str, Any] = {"host": "localhost", "port": self.port, "dbname": "ledger", "connect_timeout": 5}
        known |= {"sslmode": "verify-full", "sslrootcert": self.folder / "id" / "ca.pem", "autocommit": True}
        OPENED.append(psycopg.connect(user=user, **(known | options)))
        return OPENED[-1]

    def store(self) -> psycopg.Connection[tuple[Any, ...]]:
        own = self.folder / "store"
        return self.connect("openbao", sslcert=own / "tls.crt", sslkey=own / "tls.key")

    def served_until(self) -> str:
        command = ["openssl", "s_client", "-starttls", "postgres", "-connect", f"localhost:{self.port}"]
        return subprocess.run(command, input=b"", capture_output=True, check=False).stdout.decode()


@pytest.fixture(scope="module")
def programs() -> Iterator[postgres.Server]:
    """The programs of the estate's own PostgreSQL image."""
    home = Path(tempfile.mkdtemp(prefix="garrison-postgres-"))
    home.chmod(0o755)
    server = postgres.Server(home)
    server.unpack()
    yield server
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def server(programs: postgres.Server) -> Iterator[Server]:
    folder = programs.home / "ledger"
    root = Authority.fresh()
    root.issue(folder / "id", dns="localhost")
    root.issue(folder / "store", common_name="openbao")
    port = free_port()
    write_config(programs, folder)
    assert run(programs, folder, "init.sh").wait(60) == 0, (folder / "init.sh.log").read_text()
    process = run(programs, folder, "start.sh", f"-p {port}")
    try:
        wait(lambda: ready(programs, folder, port), process)
        yield Server(port, folder, root, programs)
    finally:
        while OPENED:
            OPENED.pop().close()
        process.terminate()
        process.wait(20)


def write_config(programs: postgres.Server, folder: Path, database: Database = LEDGER, store: Store = PLATFORM) -> None:
    """The derived files, with the places of a pod moved below `folder`."""
    (folder / "volume").mkdir(parents=True, exist_ok=True)
    places = {
        "/etc/postgres": folder / "config",
        derived.VOLUME: folder / "volume",
        derived.SOCKET: folder,
        derived.BIN: programs.program("initdb").parent,
        "/run/identity": folder / "id",
        "/run/trust": folder / "id",
        # the pod's user is called postgres; whoever runs here may not be
        "postgres           peer": "postgres           trust",
    }
    (folder / "config").mkdir(exist_ok=True)
    for name, text in derived.configuration(database, store).items():
        for old, new in places.items():
            text = text.replace(old, str(new))
        (folder / "config" / name).write_text(text)
    own(folder)


def own(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, OWNER, OWNER)


def run(programs: postgres.Server, folder: Path, script: str, more: str = "") -> subprocess.Popen[bytes]:
    text = (folder / "config" / script).read_text().rstrip() + f" {more}\n"
    command = ["/bin/sh", "-c", text]
    with (folder / f"{script}.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **programs.unprivileged())


def ready(programs: postgres.Server, folder: Path, port: int) -> bool:
    """The readiness probe of the pod, as the pod runs it."""
    command = [str(programs.program("psql")), "-qAt", "-v", "ON_ERROR_STOP=1", "-h", str(folder), "-p", str(port)]
    command += ["-U", "postgres", "-d", "postgres", "-f", str(folder / "config" / "ready.sql")]
    return subprocess.run(command, capture_output=True, check=False, **programs.unprivileged()).returncode == 0


def wait(condition: Any, process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert process is None or process.poll() is None, "the server ended"
        assert time.monotonic() < deadline, "waited 30 s"
        threading.Event().wait(0.1)


def lease(server: Server, name: str, role: str = "writer", until: str = "1 hour") -> None:
    with server.store() as store:
        store.execute("select garrison.lease(%s, 'pw', now() + %s::interval, %s)", [name, until, role])


def test_the_store_enters_by_certificate_and_makes_leases(server: Server) -> None:
    lease(server, "lease_a")
    with server.connect("lease_a", password="pw") as db:
        assert db.execute("select current_user").fetchone() == ("lease_a",)


@pytest.mark.parametrize("role", ["reader", "writer"])
def test_no_lease_becomes_the_owner(server: Server, role: str) -> None:
    lease(server, f"lease_{role}", role)
    with server.connect(f"lease_{role}", password="pw") as db:
        assert db.execute("select count(*) from accounts").fetchone() == (0,)
        for attack in (
            "set role ledger_owner",
            "set session authorization ledger_owner",
            "reassign owned by ledger_owner to current_user",
            f"grant ledger_owner to lease_{role}",
            "create table t (x int)",
            "create schema mine",
            "create or replace view accounts_view as select 1",
            "drop table accounts",
            "truncate accounts",
            "alter default privileges for role ledger_owner grant all on tables to public",
            "alter database ledger connection limit 0",
            "select garrison.step('0009_mine', 'select 1')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(attack)


def test_a_writer_writes_and_a_reader_reads(server: Server) -> None:
    lease(server, "lease_w")
    lease(server, "lease_r", "reader")
    with server.connect("lease_w", password="pw") as db:
        with db.transaction(force_rollback=True):
            db.execute("insert into accounts values (1)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("delete from accounts")
    with server.connect("lease_r", password="pw") as db:
        assert db.execute("select count(*) from accounts").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("insert into accounts values (1)")


def test_an_expired_lease_is_refused(server: Server) -> None:
    lease(server, "lease_old", until="-1 second")
    lease(server, "lease_new")
    server.connect("lease_new", password="pw").close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        server.connect("lease_old", password="pw")


def test_plaintext_is_refused(server: Server) -> None:
    lease(server, "lease_c")
    server.connect("lease_c", password="pw").close()
    with pytest.raises(psycopg.OperationalError, match="pg_hba.conf rejects"):
        server.connect("lease_c", password="pw", sslmode="disable")


def test_tls_1_2_is_refused(server: Server) -> None:
    server.store().close()
    own = server.folder / "store"
    with pytest.raises(psycopg.OperationalError, match="protocol version"):
        server.connect("openbao", sslcert=own / "tls.crt", sslkey=own / "tls.key", ssl_max_protocol_version="TLSv1.2")


@pytest.mark.parametrize("user", ["openbao", "postgres", "ledger_owner", "ledger_writer"])
def test_standing_roles_have_no_password_way_in(server: Server, user: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="rejects|authentication failed|requires a valid client"):
        server.connect(user, password="pw")


def test_the_store_needs_its_own_certificate(server: Server) -> None:
    wrong = server.root.issue(server.folder / "wrong", common_name="payments")
    forged = Authority.fresh().issue(server.folder / "forged", common_name="openbao")
    with pytest.raises(psycopg.OperationalError, match="certificate authentication failed"):
        server.connect("openbao", sslcert=wrong / "tls.crt", sslkey=wrong / "tls.key")
    with pytest.raises(psycopg.OperationalError, match="unknown ca|certificate verify failed|SSL"):
        server.connect("openbao", sslcert=forged / "tls.crt", sslkey=forged / "tls.key")


def test_a_store_with_an_authority_of_its_own_is_vouched_for_by_that_alone(server: Server) -> None:
    """Not by who signs identities any more; leases go on as they are, and the server is who it was."""
    folder, own_root = server.folder, Authority.fresh("the store's own")
    there = own_root.issue(folder / "apart", common_name="openbao")
    other = own_root.issue(folder / "other", common_name="somebody")
    settings = folder / "config" / SERVER_SETTINGS
    kept, apart = settings.read_text(), replace(PLATFORM, database_ca=own_root.pem)
    lease(server, "lease_apart")
    server.store().close()
    write_config(server.programs, folder, store=apart)
    try:
        reload(server, f"/config/{CLIENT_AUTHORITY}")
        server.connect("openbao", sslcert=there / "tls.crt", sslkey=there / "tls.key").close()
        server.connect("lease_apart", password="pw").close()
        with pytest.raises(psycopg.OperationalError, match="certificate authentication failed"):
            server.connect("openbao", sslcert=other / "tls.crt", sslkey=other / "tls.key")
        with pytest.raises(psycopg.OperationalError, match="unknown ca"):
            server.store()
    finally:
        settings.write_text(kept)
        reload(server, "/id/ca.pem")
    server.store().close()


def reload(server: Server, authority: str) -> None:
    """The server reads its settings again, as at a start; whoever connects from now on meets that authority."""
    command = [str(server.programs.program("psql")), "-qAt", "-h", str(server.folder), "-p", str(server.port)]

    def ask(text: str) -> str:
        words = [*command, "-U", "postgres", "-d", "postgres", "-c", text]
        done = subprocess.run(words, check=True, capture_output=True, text=True, **server.programs.unprivileged())
        return str(done.stdout)

    ask("SELECT pg_reload_conf()")
    wait(lambda: ask("SHOW ssl_ca_file").strip().endswith(authority))


def test_a_lease_reaches_no_other_database(server: Server) -> None:
    lease(server, "lease_d")
    for name in ("postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="rejects|no pg_hba"):
            server.connect("lease_d", password="pw", dbname=name)


def test_a_renewed_certificate_is_served_after_the_next_probe(server: Server) -> None:
    before = server.served_until()
    assert "BEGIN CERTIFICATE" in before
    server.root.issue(server.folder / "id", dns="localhost")
    own(server.folder / "id")
    assert ready(server.programs, server.folder, server.port)
    wait(lambda: certificate(server.served_until()) != certificate(before))


def certificate(text: str) -> str:
    return text.partition("BEGIN CERTIFICATE")[2].partition("END CERTIFICATE")[0]


def test_an_interrupted_initialisation_is_never_used(programs: postgres.Server) -> None:
    folder = programs.home / "interrupted"
    write_config(programs, folder)
    volume = folder / "volume"
    (volume / "pgdata-0").mkdir()
    (volume / "pgdata-0" / "half").touch()
    assert run(programs, folder, "init.sh").wait(60) == 0, (folder / "init.sh.log").read_text()
    assert (volume / "complete").read_text() == "pgdata-1\n"
    assert run(programs, folder, "init.sh").wait(60) == 0
    assert not (volume / "pgdata-2").exists(), "a second start initialises nothing"


@pytest.mark.parametrize(
    ("file", "without"),
    [
        ("create.sql", "CREATE DATABASE"),  # a statement that fails
        ("cluster.sql", "ALTER DATABASE"),
        ("cluster.sql", 'REVOKE ALL ON DATABASE "ledger" FROM PUBLIC'),  # one that was never said
        ("cluster.sql", "REVOKE ALL ON DATABASE template1 FROM PUBLIC"),
        ("database.sql", "REVOKE ALL ON SCHEMA public FROM PUBLIC"),
        ("database.sql", "REVOKE EXECUTE ON FUNCTION lo_create"),
        ("cluster.sql", "ALTER ROLE openbao"),
        ("database.sql", "REVOKE ALL ON FUNCTION garrison.step"),
        ("database.sql", "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA garrison FROM PUBLIC"),
    ],
)
def test_a_database_that_is_not_as_declared_is_not_used(programs: postgres.Server, file: str, without: str) -> None:
    folder = programs.home / f"half-{abs(hash((file, without)))}"
    write_config(programs, folder)
    script = folder / "config" / file
    text = script.read_text()
    assert without in text
    broken = "nonsense " if without.split()[0] in ("CREATE", "ALTER") else "SELECT 1; -- "
    script.write_text(text.replace(without, broken + without.replace("\n", " ")))
    assert run(programs, folder, "init.sh").wait(60) == 1
    assert "the database is not as declared: " in (folder / "init.sh.log").read_text()
    assert not (folder / "volume" / "complete").exists()
    script.write_text(text)  # the control: as derived, it is
    assert run(programs, folder, "init.sh").wait(60) == 0, (folder / "init.sh.log").read_text()


def test_a_volume_that_was_loosened_is_as_declared_after_a_start(programs: postgres.Server) -> None:
    folder = programs.home / "loosened"
    write_config(programs, folder)
    assert run(programs, folder, "init.sh").wait(60) == 0, (folder / "init.sh.log").read_text()
    loosen = "ALTER ROLE openbao CREATEROLE;\n\nGRANT ALL ON DATABASE ledger TO PUBLIC;\n\n"
    single(programs, folder, "ledger", loosen)
    verify = (folder / "config" / "cluster.sql").rename(folder / "config" / "kept")
    (folder / "config" / "cluster.sql").write_text("SELECT 1;\n")
    assert run(programs, folder, "init.sh").wait(60) == 1, "what is loose is seen"
    verify.rename(folder / "config" / "cluster.sql")
    assert run(programs, folder, "init.sh").wait(60) == 0, (folder / "init.sh.log").read_text()


@pytest.mark.parametrize(
    "name", ["all", "replication", 'a" all all trust #', "x'; DROP ROLE openbao; --", "$(exit 7)", "-x"]
)
def test_a_hostile_name_is_a_name(programs: postgres.Server, name: str) -> None:
    """The laws refuse such names; were they gone, a name would still be nothing but a name."""
    folder = programs.home / f"named-{abs(hash(name))}"
    write_config(programs, folder, Database(Ref("bank", name), "image", "1Gi", 3600))
    assert run(programs, folder, "init.sh").wait(60) == 0, (folder / "init.sh.log").read_text()
    asked = "SELECT datname FROM pg_database WHERE datname NOT LIKE 'template_' AND datname <> 'postgres';\n"
    assert f'datname = "{name}"' in single(programs, folder, "postgres", asked)
    rules = (folder / "config" / "pg_hba.conf").read_text().splitlines()
    assert len(rules) == 7


def test_a_schema_step_is_applied_once_and_never_changed(programs: postgres.Server) -> None:
    folder, more = programs.home / "steps", ("0002_more", "CREATE TABLE more (x int);")
    write_config(programs, folder)

    def init() -> int:
        return run(programs, folder, "init.sh").wait(60)

    assert init() == 0, (folder / "init.sh.log").read_text()
    assert init() == 0, "once is enough"
    schema = folder / "config" / "schema.sql"
    for steps, said in (
        ([STEP, more], ""),
        ([(STEP[0], "CREATE TABLE other (x int);")], "schema step 0001_accounts was changed after it was applied"),
        ([("0003_bad", "CREATE TABLE half (x int); CREATE TABLE half (x int);")], 'relation "half" already exists'),
    ):
        schema.write_text(derived.configuration(replace(LEDGER, schema=tuple(steps)))["schema.sql"])
        assert init() == (1 if said else 0), (folder / "init.sh.log").read_text()
        assert said in (folder / "init.sh.log").read_text()
    asked = "SELECT string_agg(tablename || ' of ' || tableowner, ', ' ORDER BY tablename) AS made FROM pg_tables"
    made = single(programs, folder, "ledger", f"{asked} WHERE schemaname = 'public';\n")
    assert 'made = "accounts of ledger_owner, more of ledger_owner"' in made


@pytest.mark.parametrize("database", ESTATE, ids=lambda database: database.ref.name)
def test_the_steps_of_the_estate_move_what_is_kept(programs: postgres.Server, database: Database) -> None:
    """From the first step with what was there then to all of them, each applied once and none at the next start."""
    folder, name = programs.home / f"estate-{database.ref.name}", database.ref.name

    def start(steps: tuple[tuple[str, str], ...]) -> None:
        shutil.rmtree(folder / "config", ignore_errors=True)
        write_config(programs, folder, replace(database, schema=steps))
        assert run(programs, folder, "init.sh").wait(60) == 0, (folder / "init.sh.log").read_text()
        asked = "SELECT string_agg(step, ' ' ORDER BY step) AS applied FROM garrison.applied;\n"
        assert f'applied = "{" ".join(step for step, _ in steps)}"' in single(programs, folder, name, asked)

    table, row = KEPT[name]
    start(database.schema[:1])
    single(programs, folder, name, f"INSERT INTO {table} VALUES ({row});\n")
    for _ in range(2):
        start(database.schema)
        asked = f"SELECT count(*) AS kept FROM {table} kept WHERE kept::text LIKE '%there then%';\n"
        assert 'kept = "1"' in single(programs, folder, name, asked)


def single(programs: postgres.Server, folder: Path, database: str, sql: str) -> str:
    """What the superuser is told by the server in single-user mode."""
    data = str(folder / "volume" / "pgdata-0")
    command = [str(programs.program("postgres")), "--single", "-j", "-c", "exit_on_error=on", "-D", data, database]
    told = subprocess.run(command, input=sql.encode(), capture_output=True, check=True, **programs.unprivileged())
    return str(told.stdout, encoding="utf-8")
