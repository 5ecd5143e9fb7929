"""Bank of Anthos 0.6.10 as it is shipped, with the two Jobs of its extras.

Its images start without Google Cloud: tracing and metrics, which go there, are switched off. What upstream's manifests
hold as text (passwords of databases, of the demo's user, the keys of its tokens) is read from the secret store.
"""

from garrison import App, Resources, Service, images

lock = images("images.lock", "bank-of-anthos")
bank_of_anthos = App("bank-of-anthos", trust_domain="bank.example", images=lock)
bank = bank_of_anthos.namespace("bank")

version = {"VERSION": "v0.6.10", "LOG_LEVEL": "info", "LOCAL_ROUTING_NUM": "883745000"}
quiet = {"ENABLE_TRACING": "false"}


def python(name: str, memory: str, **env: str) -> Service:
    """A Flask service on gunicorn, which the image tells to listen everywhere."""
    size = Resources(cpu="100m", memory="64Mi", cpu_limit="500m", memory_limit=memory)
    said = {**version, **quiet, **env}
    made = bank.service(
        name, image=lock[name], port=8080, bind="all", health="/ready", env=said, scratch=("/tmp",), resources=size
    )
    made.reads("bank/jwt/public-key", env={"PUB_KEY_PATH": "{path}"})
    return made


def java(name: str, **env: str) -> Service:
    """A Spring service; SERVER_ADDRESS is Spring's own word for where to listen."""
    size = Resources(cpu="100m", memory="256Mi", cpu_limit="500m", memory_limit="512Mi")
    options = "-XX:+UnlockExperimentalVMOptions -XX:+UseCGroupMemoryLimitForHeap -Xms256m -Xmx512m"
    spring = {"SERVER_ADDRESS": "127.0.0.1", "SPRING_DATASOURCE_USERNAME": "admin"}
    said = {**version, **quiet, "ENABLE_METRICS": "false", "JVM_OPTS": options, "NAMESPACE": "bank", **spring, **env}
    made = bank.service(
        name,
        image=lock[name],
        port=8080,
        health="/ready",
        startup_seconds=300,
        env=said,
        scratch=("/tmp",),
        resources=size,
    )
    made.reads("bank/jwt/public-key", env={"PUB_KEY_PATH": "{path}"})
    made.connects(ledger_db, env={"SPRING_DATASOURCE_URL": "jdbc:postgresql://{host}:{port}/postgresdb"})
    made.reads("bank/ledger-db", env={"SPRING_DATASOURCE_PASSWORD": "{value}"})
    return made


def database(name: str, keeps: str, user: str, memory: str) -> Service:
    """PostgreSQL with upstream's schema and demo data in the image; as upstream has it, a new pod begins anew."""
    here = {
        "PGDATA": "/var/lib/postgresql/data/postgres",
        "PGSERVICE": "here",
        "PGSERVICEFILE": "/etc/here/service.conf",
    }
    said = {"POSTGRES_DB": keeps, "POSTGRES_USER": user, "USE_DEMO_DATA": "True", "DEMO_LOGIN_USERNAME": "testuser"}
    made = bank.service(
        name,
        image=lock[name],
        port=5432,
        protocol="tcp",
        uid=70,  # postgres of the Alpine image: initdb wants a user that has a name
        args=("postgres", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=/tmp"),
        files={"/etc/here/service.conf": "[here]\nhost=/tmp\n"},  # for psql of the image's own scripts
        scratch={"/var/lib/postgresql/data": "1Gi", "/tmp": "16Mi"},
        env={"LOCAL_ROUTING_NUM": "883745000", **said, **here},
        replicas=1,
        resources=Resources(cpu="100m", memory="128Mi", cpu_limit="250m", memory_limit=memory),
    )
    made.reads(f"bank/{name}", env={"POSTGRES_PASSWORD_FILE": "{path}"})
    return made


accounts_db = database("accounts-db", "accounts-db", "accounts-admin", "512Mi")
ledger_db = database("ledger-db", "postgresdb", "admin", "1Gi")

contacts = python("contacts", "128Mi")
userservice = python("userservice", "256Mi", TOKEN_EXPIRY_SECONDS="3600")
userservice.reads("bank/jwt/private-key", env={"PRIV_KEY_PATH": "{path}"})
for service in (contacts, userservice):
    # libpq takes the address from its own variables where the URI has none, so that no secret needs to know it
    service.connects(accounts_db, env={"PGHOST": "{host}", "PGPORT": "{port}"})
    uri = "postgresql://accounts-admin:{value}@/accounts-db"
    service.reads("bank/accounts-db", env={"ACCOUNTS_DB_URI": uri})

balancereader = java("balancereader", POLL_MS="100", CACHE_SIZE="1000000")
history = java("transactionhistory", POLL_MS="100", CACHE_SIZE="1000", CACHE_MINUTES="60", HISTORY_LIMIT="100")
ledgerwriter = java("ledgerwriter")
ledgerwriter.calls(balancereader, "GET /balances/{account}", env="BALANCES_API_ADDR")

frontend = python("frontend", "128Mi", SCHEME="https", DEFAULT_USERNAME="testuser")
frontend.reads("bank/demo-login", env={"DEFAULT_PASSWORD": "{value}"})
frontend.calls(ledgerwriter, "POST /transactions", env="TRANSACTIONS_API_ADDR")
frontend.calls(balancereader, "GET /balances/{account}", env="BALANCES_API_ADDR")
frontend.calls(history, "GET /transactions/{account}", env="HISTORY_API_ADDR")
frontend.calls(contacts, "GET /contacts/{user}", "POST /contacts/{user}", env="CONTACTS_API_ADDR")
frontend.calls(userservice, "GET /login", "POST /users", env="USERSERVICE_API_ADDR")

pages = ("GET /", "GET /home", "GET /login", "GET /signup", "POST /login", "POST /signup", "POST /logout")
pages += ("POST /payment", "POST /deposit")
load = bank.service(
    "loadgenerator",
    image=lock["loadgenerator"],
    env={"USERS": "5", "LOG_LEVEL": "error"},
    replicas=1,
    resources=Resources(cpu="100m", memory="512Mi", cpu_limit="250m", memory_limit="1Gi"),
)
load.calls(frontend, *pages, env="FRONTEND_ADDR")

# Upstream's Jobs fill a Cloud SQL that starts empty, with the scripts that the databases' images have in them already.
FILL = """
export POSTGRES_DB={database} PGDATABASE={database}
psql -f /docker-entrypoint-initdb.d/0-{schema}-schema.sql
psql -tAc 'SELECT 1 FROM {table} LIMIT 1' | grep -q 1 || . /docker-entrypoint-initdb.d/1-load-testdata.sh
"""


def populate(store: Service, user: str, **fill: str) -> None:
    """Fill a database that has nothing in it."""
    job = bank.job(
        f"populate-{store.ref.name}",
        image=lock[store.ref.name],
        command=("bash", "/fill/fill.sh"),
        files={"/fill/fill.sh": FILL.format(**fill)},
        env={"PGUSER": user, "POSTGRES_USER": user, "LOCAL_ROUTING_NUM": "883745000", "USE_DEMO_DATA": "True"},
        scratch=("/tmp",),
    )
    job.connects(store, env={"PGHOSTADDR": "{host}", "PGPORT": "{port}"})
    job.reads(f"bank/{store.ref.name}", env={"PGPASSWORD": "{value}"})


populate(accounts_db, "accounts-admin", database="accounts-db", schema="accounts", table="users")
populate(ledger_db, "admin", database="postgresdb", schema="ledger", table="transactions")

door = bank_of_anthos.host("www.bank.example")
for operation in (*pages, "GET /static/{rest...}"):
    frontend.serves(operation, at=door, public="the bank has a login and sessions of its own")
