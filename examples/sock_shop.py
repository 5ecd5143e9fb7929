"""Sock Shop as it is shipped. Its images know their callees by names that are compiled in, which aliases give them."""

from typing import Any

from garrison import App, Resources, Service, images

lock = images("images.lock", "sock-shop")
sock_shop = App("sock-shop", trust_domain="socks.example", images=lock)
shop = sock_shop.namespace("sock-shop")

large = Resources(cpu="100m", memory="300Mi", cpu_limit="500m", memory_limit="500Mi")
heap = "-Xms64m -Xmx128m -XX:+UseG1GC -Djava.security.egd=file:/dev/urandom -Dspring.zipkin.enabled=false"


def java(name: str, **more: Any) -> Service:
    """Spring on port 80, by an argument of the image; SERVER_ADDRESS keeps it from binding everything."""
    env = {"JAVA_OPTS": heap, "SERVER_ADDRESS": "127.0.0.1"}
    return shop.service(
        name, image=lock[name], port=80, health="/health", env=env, scratch=("/tmp",), resources=large, **more
    )


def go(name: str, **more: Any) -> Service:
    """A service in Go, which listens on every address of port 80."""
    return shop.service(name, image=lock[name], port=80, health="/health", bind="all", **more)


def mongo(name: str, image: str, args: tuple[str, ...]) -> Service:
    folders = {"/tmp": "16Mi"} if image == "user-db" else {"/data/db": "1Gi", "/data/configdb": "1Mi", "/tmp": "16Mi"}
    return shop.service(
        name,
        image=lock[image],
        port=27017,
        protocol="tcp",
        uid=999,  # mongodb, in the image
        args=(*args, "--bind_ip", "127.0.0.1"),
        scratch=folders,
        replicas=1,
        resources=large,
    )


carts, orders, shipping, queue_master = (java(name) for name in ("carts", "orders", "shipping", "queue-master"))
catalogue = go("catalogue", command=("/app",), args=("-port=80",))
payment = go("payment")
user = go("user")
# 1,000 MiB, as upstream has it: it keeps every image of a sock that it passes on.
front_end = shop.service(
    "front-end",
    image=lock["front-end"],
    port=8079,
    health="/",
    bind="all",
    env={"SESSION_REDIS": "true"},
    resources=Resources(cpu="100m", memory="300Mi", cpu_limit="300m", memory_limit="1000Mi"),
)

carts_db = mongo("carts-db", "mongo", ("mongod",))
orders_db = mongo("orders-db", "mongo", ("mongod",))
# Its data, three customers for a demonstration, is in a volume of the image.
user_db = mongo("user-db", "user-db", ("mongod", "--config", "/etc/mongodb.conf", "--smallfiles"))
catalogue_db = shop.service(
    "catalogue-db",
    image=lock["catalogue-db"],
    port=3306,
    protocol="tcp",
    uid=999,
    args=("--bind-address=127.0.0.1", "--socket=/tmp/mysqld.sock", "--pid-file=/tmp/mysqld.pid"),
    env={"MYSQL_DATABASE": "socksdb"},
    scratch={"/var/lib/mysql": "1Gi", "/tmp": "16Mi"},
    replicas=1,
    resources=large,
)
catalogue_db.reads("sock-shop/catalogue-db", env={"MYSQL_ROOT_PASSWORD_FILE": "{path}"})
session_db = shop.service(
    "session-db",
    image=lock["redis"],
    port=6379,
    protocol="tcp",
    args=("--bind", "127.0.0.1"),
    scratch={"/data": "256Mi"},
    replicas=1,
)
rabbitmq = shop.service(
    "rabbitmq",
    image=lock["rabbitmq"],
    port=5672,
    protocol="tcp",
    bind="all",
    uid=999,
    # The management's own port, 15672, lies among those that the sidecar keeps for callees.
    files={"/etc/moved/rabbitmq.config": "[{rabbitmq_management, [{listener, [{port, 9672}]}]}].\n"},
    env={"RABBITMQ_CONFIG_FILE": "/etc/moved/rabbitmq"},
    scratch={"/var/lib/rabbitmq": "256Mi", "/var/log/rabbitmq": "64Mi", "/tmp": "16Mi"},
    replicas=1,
    resources=large,
)
# Upstream runs the exporter in rabbitmq's own pod; here it has an identity, and one operation of the management's port.
management = rabbitmq.port("management", 9672)
exporter = shop.service(
    "rabbitmq-exporter",
    image=lock["rabbitmq-exporter"],
    port=9090,
    health="/metrics",
    bind="all",
    env={"PUBLISH_PORT": "9090"},
    replicas=1,
)
exporter.calls(management, "GET /api/{rest...}", env={"RABBIT_URL": "{url}"})

front_end.calls(
    catalogue,
    *("GET /catalogue", "GET /catalogue/size", "GET /catalogue/{id}", "GET /catalogue/images/{file}", "GET /tags"),
    alias="catalogue:80",
)
items = ("GET /carts/{customer}/items", "POST /carts/{customer}/items", "PATCH /carts/{customer}/items")
front_end.calls(
    carts,
    *(*items, "DELETE /carts/{customer}/items/{item}", "DELETE /carts/{customer}", "GET /carts/{customer}/merge"),
    alias="carts:80",
)
front_end.calls(
    orders, "GET /orders/search/customerId", "GET /orders/{id}", "POST /orders", alias="orders:80", timeout=30
)
people = ("customers", "addresses", "cards")
one = tuple(f"GET /{what}/{{id}}" for what in people)
front_end.calls(
    user,
    *("GET /login", "POST /register", "GET /customers/{id}/addresses", "GET /customers/{id}/cards", *one),
    *(operation for what in people for operation in (f"GET /{what}", f"POST /{what}", f"DELETE /{what}/{{id}}")),
    alias="user:80",
)
# The front end sends orders the addresses of the customer, the card and the cart: `http://user/cards/...`.
orders.calls(user, *one, alias="user:80")
orders.calls(carts, "GET /carts/{customer}/items", alias="carts:80")
orders.calls(payment, "POST /paymentAuth", alias="payment:80")
orders.calls(shipping, "POST /shipping", alias="shipping:80")

front_end.connects(session_db, alias="session-db:6379")
catalogue.connects(catalogue_db, alias="catalogue-db:3306")
carts.connects(carts_db, alias="carts-db:27017")
orders.connects(orders_db, alias="orders-db:27017")
# The manifest says `mongo`, which nothing reads; the image has MONGO_HOST.
user.connects(user_db, env={"mongo": "{host}:{port}", "MONGO_HOST": "{host}:{port}"})
shipping.connects(rabbitmq, alias="rabbitmq:5672")
queue_master.connects(rabbitmq, alias="rabbitmq:5672")

door = sock_shop.host("www.socks.example")
pages = "index category detail basket customer-orders customer-order topbar navbar footer"
for operation in (
    *("GET /", *(f"GET /{page}.html" for page in pages.split())),
    *("GET /css/{file}", "GET /js/{file}", "GET /img/{file}", "GET /fonts/{file}"),
    *("GET /catalogue", "GET /catalogue/{id}", "GET /catalogue/images/{file}", "GET /tags", "GET /customers/{id}"),
    *("GET /cart", "POST /cart", "DELETE /cart", "DELETE /cart/{id}", "PUT /cart/{id}"),
    *("GET /orders", "POST /orders", "GET /orders/{id}", "GET /card", "POST /cards", "GET /cards/{id}"),
    *("GET /login", "POST /register", "GET /address", "POST /addresses"),
):
    front_end.serves(operation, at=door, public="a shop for everybody, with a login and sessions of its own")
