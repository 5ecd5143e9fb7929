"""Estates for tests: the small shop with one of everything, and random ones."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from garrison import App, IntentError, Job, Namespace, Rate, Service, claim, data, query
from garrison.model.rates import Rate as Value

DIGEST = "@sha256:" + "0" * 64
IMAGES = {name: f"registry.example/{name}{DIGEST}" for name in ("edge", "envoy", "openbao", "postgres", "prober")}


def empty_app() -> App:
    return App("estate", trust_domain="estate.example", images=IMAGES)


def shop_app() -> App:
    """orders calls catalog and payments; payments has a database and a secret; audit stands alone."""
    app = empty_app()
    shop, bank = app.namespaces("shop", "bank")
    orders = shop.service("orders", image="registry.example/orders" + DIGEST, port=8080, replicas=1)
    catalog = shop.service("catalog", image="registry.example/catalog" + DIGEST, port=8080)
    payments = bank.service("payments", image="registry.example/payments" + DIGEST, port=9000)
    bank.service("audit", image="registry.example/audit" + DIGEST, port=8080)
    orders.calls(catalog, "GET /items/{id}", "GET /items")
    orders.calls(payments, "POST /charges")
    ledger = bank.postgres("ledger")
    payments.uses(ledger, role="writer")
    payments.reads("psp/api-key")
    return app


PERMISSIONS: tuple[Callable[[Service | Job], None], ...] = (
    lambda service: service.may("get list watch", "configmaps"),
    lambda service: service.may("get patch", "configmaps", "flags", "limits"),
    lambda service: service.may("get", "pods/log"),
    lambda service: service.may("create", "leases", group="coordination.k8s.io"),
    lambda service: service.may("get update", "leases", "leader", group="coordination.k8s.io"),
    lambda service: service.may("get delete", "widgets", group="shop.example"),
)


# What collides where it can: names that every namespace has, borders that a dash hides, names derived from others,
# words of PostgreSQL, of Envoy's configuration and of the platform.
HOSTILE = (
    *("default", "default-deny", "quota", "trust-bundle", "kubernetes", "openbao", "envoy", "app", "proxy", "health"),
    *("a", "b", "c", "a-b", "b-c", "a-b-c", "a-proxy", "a-secrets", "a-config", "a-identity", "a-reader", "a-writer"),
    *("all", "postgres", "template0", "template1", "replication", "sameuser", "samerole", "pg", "public", "none"),
    *("garrison", "admin", "break", "glass", "host", "port", "inbound", "localhost"),
)
PATHS = ("a", "a/b", "a/b-c", "a/b_c", "a-b/c", "a_b", "b", "psp", "psp/key", "ssl/cert", "1password/token", "a/file")
OPERATIONS = ("GET /a", "POST /a", "GET /a/{id}", "GET /a/b", "GET /{x}/b", "GET /", "GET /{x}")


@st.composite
def hostile_apps(draw: st.DrawFn) -> App:
    """An estate whose names were chosen to meet; many do not hold together, and then say so."""
    names = st.sampled_from(HOSTILE)
    app = empty_app()
    namespaces = [app.namespace(name) for name in draw(st.lists(names, min_size=1, max_size=3))]
    services = [
        draw(st.sampled_from(namespaces)).service(draw(names), image="registry.example/s" + DIGEST, port=8080)
        for _ in range(draw(st.integers(1, 5)))
    ]
    databases = [draw(st.sampled_from(namespaces)).postgres(draw(names)) for _ in range(draw(st.integers(0, 2)))]
    one = st.sampled_from(services)
    for _ in range(draw(st.integers(0, 4))):
        draw(one).calls(draw(one), *draw(st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=2)))
    for _ in range(draw(st.integers(0, 3)) if databases else 0):
        draw(one).uses(draw(st.sampled_from(databases)), role=draw(st.sampled_from(["reader", "writer"])))
    for _ in range(draw(st.integers(0, 3))):
        draw(one).reads(draw(st.sampled_from(PATHS)))
    for _ in range(draw(st.integers(0, 1))):
        draw(one).may("get update", "configmaps", draw(names))
    return app


def lawful(app: App) -> App:
    """As much of an estate as holds together: each statement that breaks no law beside those before it."""
    kept = empty_app()
    for statement in app.statements:
        more = empty_app()
        for said in (*kept.statements, statement):
            more.add(said)
        try:
            more.graph()
        except IntentError:
            continue
        kept = more
    return kept


OUTSIDE = (("api.psp.example", 443), ("api.psp.example", 8443), ("smtp.mail.example", 465))


@st.composite
def apps(draw: st.DrawFn) -> App:
    """A random estate: namespaces, services, jobs, any set of calls, some databases, secrets and permissions."""
    app = empty_app()
    namespaces = [app.namespace(f"n{i}") for i in range(draw(st.integers(1, 3)))]
    spoken = draw(st.lists(st.sampled_from(["http", "http", "grpc", "tcp", ""]), min_size=1, max_size=7))
    services = [
        draw(st.sampled_from(namespaces)).service(
            f"s{i}",
            image="registry.example/s" + DIGEST,
            port=8080 + i if protocol else None,
            protocol=protocol or "http",  # type: ignore[arg-type]
            bind=draw(st.sampled_from(["loopback", "all"])),
        )
        for i, protocol in enumerate(spoken)
    ]
    pairs = [(a, b) for a in services for b, protocol in zip(services, spoken, strict=True) if a != b and protocol]
    for caller, callee in draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []:
        protocol = spoken[services.index(callee)]
        if protocol == "tcp":
            caller.connects(callee)
            continue
        said = ["p.S/A", "p.S/B"] if protocol == "grpc" else ["GET /a", "POST /a", "GET /a/{id}"]
        caller.calls(callee, *draw(st.lists(st.sampled_from(said), min_size=1, unique=True)))
    callees = [(b, protocol) for b, protocol in zip(services, spoken, strict=True) if protocol]
    speakers: list[Service | Job] = [*services, *_jobs(draw, namespaces, callees)]
    served = [service for service, protocol in zip(services, spoken, strict=True) if protocol == "http"]
    for i in range(draw(st.integers(0, 2))):
        database = draw(st.sampled_from(namespaces)).postgres(f"d{i}")
        for user in draw(st.lists(st.sampled_from(speakers), unique=True)):
            user.uses(database, role=draw(st.sampled_from(["reader", "writer"])))
    for speaker in draw(st.lists(st.sampled_from(speakers), max_size=3)):
        draw(st.sampled_from(PERMISSIONS))(speaker)
    for host, port in draw(st.lists(st.sampled_from(OUTSIDE), unique=True)):
        external = app.external(host, port=port)
        for speaker in draw(st.lists(st.sampled_from(speakers), unique=True)):
            if draw(st.booleans()):
                speaker.calls(external, "POST /charges", timeout=draw(st.sampled_from([None, 0, 60])))
            else:
                speaker.connects(external)
    if draw(st.booleans()) and served:
        _opened(draw, app, served)
    return app


CONDITIONS = (
    *(None, claim("team") == "red", (claim("age") >= 18) & (query("q") != "x") | claim("groups").contains("staff")),
    *((claim("sub") == data("owner")), (data("amount") <= 100.5) | claim("groups").contains("managers")),
)
RATES: tuple[tuple[Value, ...], ...] = (
    (),
    (Rate.per_minute(30, per="user"),),
    (Rate.per_second(5, per="address"), Rate.per_hour(10**6, per="all")),
)


def any_app() -> App:
    """One of each noun: gRPC, TCP, a further port, a worker, jobs, and everything that a container is given."""
    app = empty_app()
    shop = app.namespace("shop")
    cart = shop.service(
        "cart", image="registry.example/cart" + DIGEST, port=7070, protocol="grpc", env={"LEVEL": "info"}, bind="all"
    )
    redis = shop.service(
        "redis",
        image="registry.example/redis" + DIGEST,
        port=6379,
        protocol="tcp",
        args=["--bind", "127.0.0.1"],
        volumes={"/data": "1Gi"},
        uid=999,
    )
    front = shop.service(
        "front",
        image="registry.example/front" + DIGEST,
        port=80,
        health="/ready",
        liveness="/alive?full=1",
        startup_seconds=300,
        files={"/etc/front/menu.json": "{}"},
        scratch={"/tmp": "16Mi", "/var/cache/front": "32Mi"},
        command=["/front"],
    )
    load = shop.service("load", image="registry.example/load" + DIGEST, health=None)
    metrics = cart.port("metrics", 9090)
    admin = redis.port("admin", 6380, protocol="tcp")
    front.calls(cart, "shop.Cart/Get", "shop.Cart/Add", env="CART_SERVICE_ADDR")
    cart.connects(redis, env={"REDIS": "redis://{host}:{port}/0"}, alias="redis-cart:6379")
    load.calls(front, "GET /", "GET /static/{rest...}", timeout=60)
    load.calls(metrics, "GET /metrics")
    load.connects(admin)
    nightly = shop.job(
        "nightly",
        image="registry.example/nightly" + DIGEST,
        schedule="30 2 * * mon-fri",
        within="1h",
        retries=2,
        env={"LEVEL": "info"},
        files={"/etc/nightly/menu.json": "{}"},
        scratch=["/tmp"],
    )
    nightly.calls(front, "GET /")
    dsn = "postgresql://{username}:{password}@{host}:{port}/{database}?sslmode={sslmode}&sslrootcert={sslrootcert}"
    nightly.uses(shop.postgres("ledger"), role="reader", env={"PGHOST": "{host}"}, files={"DATABASE_URL_FILE": dsn})
    nightly.may("get", "configmaps")
    once = shop.job("once", image="registry.example/once" + DIGEST, command=["/once"])
    once.connects(redis, env="REDIS_ADDR")
    once.reads("shop/seed")
    once.reads("shop/api-key", env={"API_KEY": "{value}", "API_HEADER": "Bearer {value}"})
    load.reads("shop/api-key", env="API_KEY_FILE")
    return app


def _jobs(draw: st.DrawFn, namespaces: list[Namespace], callees: list[tuple[Service, str]]) -> list[Job]:
    """None, one, or two: one that runs once, and one with a schedule."""
    jobs = [
        draw(st.sampled_from(namespaces)).job(f"j{i}", image="registry.example/j" + DIGEST, schedule=schedule)
        for i, schedule in enumerate(draw(st.sampled_from([(), (None,), (None, "0 3 * * *")])))
    ]
    for job in jobs:
        for callee, protocol in draw(st.lists(st.sampled_from(callees), unique=True)) if callees else ():
            if protocol == "tcp":
                job.connects(callee)
            else:
                job.calls(callee, "p.S/A" if protocol == "grpc" else "GET /a/{id}")
        if draw(st.booleans()):
            job.reads(draw(st.sampled_from(["a", "b/c"])))
    return jobs


def _opened(draw: st.DrawFn, app: App, services: list[Service]) -> None:
    """Users, some hosts, and what each service serves there, at paths of its own."""
    users = app.users()
    people = app.issuer(
        "https://people.example", audience="shop", jwks="https://people.example/keys", groups="r.groups"
    )
    api, www = app.host("api.estate.example"), app.host("www.estate.example", login=users)
    last = app.namespace("n-last").service("last", image="registry.example/s" + DIGEST, port=8080)
    for service in draw(st.lists(st.sampled_from(services), unique=True, max_size=4)):
        for operation in draw(st.lists(st.sampled_from(["GET /{x}", "GET /x/y", "POST /things"]), unique=True)):
            method, _, path = operation.partition(" ")
            said = f"{method} /{service.ref.name}{path}"
            rate = draw(st.sampled_from(RATES))
            if draw(st.booleans()):
                issuer, hosts = draw(st.sampled_from([(users, [api, www]), (users, [www]), (people, [api])]))
                to = draw(st.sampled_from([issuer.anyone(), issuer.group("customers")]))
                service.calls(last, f"GET /{service.ref.name}", token="forward")
                service.serves(said, at=hosts, to=to, where=draw(st.sampled_from(CONDITIONS)), rate=rate)
            else:
                free = [one for one in rate if one.per != "user"]
                service.serves(said, at=api, public="for everybody", rate=free)
