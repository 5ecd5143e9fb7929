"""The estate: services and a job of three trades, who may call whom with what, and who outside is served what.

It only declares.
"""

import os
from pathlib import Path

from garrison import App, Rate, Resources, claim, data, images

HERE = Path(__file__).parent
CONTRACTS = HERE.parent / "docs" / "openapi"
# A machine that had to build with newer packages than are pinned names what that gave.
lock = images(Path(os.environ.get("GARRISON_IMAGES") or HERE / "images.lock"))

estate = App("estate", trust_domain="estate.example", images=lock)
shop, bank, insurance = estate.namespaces("shop", "bank", "insurance")

# Two replicas of each share two cores with all else, and little is asked of them here.
light = Resources(cpu="10m", memory="96Mi", cpu_limit="500m", memory_limit="192Mi")
orders = shop.service("orders", image=lock["orders"], port=8080, openapi=CONTRACTS / "orders.json", resources=light)
catalog = shop.service("catalog", image=lock["catalog"], port=8080, openapi=CONTRACTS / "catalog.json", resources=light)
storefront = shop.service(
    "storefront", image=lock["storefront"], port=8080, openapi=CONTRACTS / "storefront.json", resources=light
)
payments = bank.service(
    "payments", image=lock["payments"], port=8080, openapi=CONTRACTS / "payments.json", resources=light
)
cover = insurance.service("cover", image=lock["cover"], port=8080, openapi=CONTRACTS / "cover.json", resources=light)
claims = insurance.service(
    "claims", image=lock["claims"], port=8080, openapi=CONTRACTS / "claims.json", resources=light
)

# The cart speaks gRPC and keeps what it has in Redis, whose image nobody here wrote; Redis keeps it on a volume.
small = Resources(cpu="10m", memory="48Mi", cpu_limit="250m", memory_limit="96Mi")
cart = shop.service("cart", image=lock["cart"], port=7070, protocol="grpc", env={"CART_DAYS": "30"}, resources=small)
redis = shop.service(
    "redis",
    image=lock["redis"],
    port=6379,
    protocol="tcp",
    args=["/etc/redis/redis.conf"],
    files={"/etc/redis/redis.conf": HERE / "redis.conf"},
    volumes={"/data": "128Mi"},
    resources=Resources(cpu="10m", memory="24Mi", cpu_limit="250m", memory_limit="64Mi"),
)
cart.connects(redis, env={"REDIS_URL": "redis://{host}:{port}"})
storefront.calls(cart, "shop.Cart/Add", "shop.Cart/Get", env="CART_ADDR")
orders.calls(cart, "shop.Cart/Get", "shop.Cart/Clear", env="CART_ADDR")

# What became of an order is told over NATS; who is told has no port, so nobody calls it.
nats = shop.service(
    "nats",
    image=lock["nats"],
    port=4222,
    protocol="tcp",
    args=["-c", "/etc/nats/nats.conf"],
    files={"/etc/nats/nats.conf": HERE / "nats.conf"},
    env={"GOMEMLIMIT": "40MiB"},
    bind="all",  # as it does unless told otherwise: the network policy alone keeps others from its port
    replicas=1,  # two would be a cluster
    resources=Resources(cpu="10m", memory="24Mi", cpu_limit="250m", memory_limit="64Mi"),
)
mailer = shop.service(
    "mailer",
    image=lock["mailer"],
    files={"/etc/mailer/placed.txt": HERE / "letters" / "placed.txt"},
    env={"LETTER_FILE": "/etc/mailer/placed.txt", "OUTBOX": "/var/spool/mailer"},
    scratch={"/var/spool/mailer": "16Mi"},
    replicas=1,  # what it wrote, it knows from its own folder
    resources=Resources(cpu="10m", memory="24Mi", cpu_limit="250m", memory_limit="64Mi"),
)
orders.connects(nats)
mailer.connects(nats)

orders.calls(catalog, "GET /items/{id}")
orders.calls(cover, "POST /quotes")
orders.calls(payments, "POST /charges", token="forward")
claims.calls(cover, "GET /covers/{id}")
claims.calls(payments, "POST /refunds")

# Each keeps its records in a database of its own, so there are two of each and a restart loses nothing.
SCHEMA = HERE / "schema"
ledger = bank.postgres("ledger", schema=SCHEMA / "ledger")
orderbook = shop.postgres("orderbook", schema=SCHEMA / "orderbook")
catalogue = shop.postgres("catalogue", schema=SCHEMA / "catalogue")
register = insurance.postgres("register", schema=SCHEMA / "register")
payments.uses(ledger, role="writer")  # leased credentials, never a value here
orders.uses(orderbook, role="writer")
claims.uses(register, role="writer")
catalog.uses(catalogue, role="reader")  # what is sold changes by a step of the schema
payments.reads("psp/api-key")  # a path in the secret store

# What moved on each account in a day, and whether the ledger balances. Nobody can call it, and it may only read.
statement = bank.job("statement", image=lock["statement"], schedule="30 0 * * *", retries=2, resources=small)
statement.uses(ledger, role="reader")

# Somebody else takes the money: outside, with an authority of its own. Orders waits five seconds for its charge.
psp = estate.external("api.psp.example")
payments.calls(psp, "POST /v1/charges", "POST /v1/refunds", env={"PSP_URL": "{url}"}, timeout=3)

# The edge: programs bring a token to api, browsers log in at www.
users = estate.users()
customers, managers = users.group("customers"), users.group("claims-managers")
api = estate.host("api.estate.example")
www = estate.host("www.estate.example", login=users)
own = data("subject") == claim("sub")  # the order was placed with this user's token: decided by who keeps it

for operation in ("GET /", "GET /assets/{name}", "GET /me"):
    storefront.serves(operation, at=www, to=users.anyone())
for operation in ("GET /items", "GET /items/{id}"):
    catalog.serves(operation, at=www, to=users.anyone())
    catalog.serves(operation, at=api, public="anybody may see the catalogue", rate=Rate.per_second(20, per="address"))
for operation in ("GET /cart", "POST /cart"):
    storefront.serves(operation, at=[api, www], to=customers)
orders.serves("POST /orders", at=[api, www], to=customers, rate=Rate.per_minute(30, per="user"))
orders.serves("GET /orders/{id}", at=[api, www], to=users.anyone(), where=own)
claims.serves("POST /claims", at=api, to=managers, rate=Rate.per_minute(30, per="user"))
claims.serves("GET /claims/{id}", at=api, to=managers)
