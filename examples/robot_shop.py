"""Stan's Robot Shop as it is shipped, with its load generator; payment asks PayPal, as upstream does."""

from typing import Any

from garrison import App, Resources, Service, images

lock = images("images.lock", "robot-shop")
robot_shop = App("robot-shop", trust_domain="robots.example", images=lock)
shop = robot_shop.namespace("robot-shop")

small = Resources(cpu="100m", memory="50Mi", cpu_limit="200m", memory_limit="100Mi")


def service(name: str, port: int | None = None, *, resources: Resources = small, **more: Any) -> Service:
    return shop.service(name, image=lock[name], port=port, resources=resources, **more)


def store(name: str, port: int, memory: str, **more: Any) -> Service:
    size = Resources(cpu="100m", memory="100Mi", cpu_limit="500m", memory_limit=memory)
    return service(name, port, protocol="tcp", replicas=1, resources=size, **more)


# What each of them does, in its own words. The site passes all of it on below `/api/NAME`.
DOES = {
    "catalogue": (
        "GET /categories",
        "GET /products",
        "GET /products/{category}",
        "GET /product/{sku}",
        "GET /search/{text}",
    ),
    "user": ("GET /uniqueid", "GET /check/{id}", "POST /login", "POST /register", "GET /history/{id}"),
    "cart": (
        *("GET /cart/{id}", "DELETE /cart/{id}", "GET /rename/{from}/{to}"),
        *("GET /add/{id}/{sku}/{count}", "GET /update/{id}/{sku}/{count}"),
    ),
    "shipping": (
        "GET /codes",
        "GET /cities/{code}",
        "GET /match/{code}/{text}",
        "GET /calc/{id}",
        "POST /confirm/{id}",
    ),
    "ratings": ("GET /api/fetch/{sku}", "PUT /api/rate/{sku}/{score}"),
    "payment": ("POST /pay/{id}",),
}

mongodb = store(
    "mongodb",
    27017,
    "512Mi",
    uid=999,
    args=("mongod", "--bind_ip", "127.0.0.1"),
    scratch={"/data/db": "1Gi", "/data/configdb": "1Mi", "/tmp": "16Mi"},
)
mysql = store(
    "mysql",
    3306,
    "1Gi",
    uid=999,
    startup_seconds=600,  # it loads the cities of the world
    args=("--bind-address=127.0.0.1", "--socket=/tmp/mysqld.sock", "--pid-file=/tmp/mysqld.pid"),
    scratch={"/data": "2Gi", "/tmp": "64Mi"},
)
rabbitmq = store(
    "rabbitmq",
    5672,
    "512Mi",
    bind="all",
    uid=100,
    scratch={"/var/lib/rabbitmq": "256Mi", "/var/log/rabbitmq": "64Mi", "/tmp": "16Mi"},
)
# Upstream mounts its claim where redis keeps nothing; `--dir` makes it keep something there.
redis = store(
    "redis", 6379, "100Mi", args=("--bind", "127.0.0.1", "--dir", "/mnt/redis"), volumes={"/mnt/redis": "1Gi"}
)

catalogue = service("catalogue", 8080, health="/health", bind="all")
user = service("user", 8080, health="/health", bind="all")
# It binds every address, and so does not go together with its callee's name at the same port.
cart = service("cart", 8081, health="/health", bind="all", env={"CART_SERVER_PORT": "8081"})
shipping = service(
    "shipping",
    8080,
    health="/health",
    startup_seconds=300,
    env={"SERVER_ADDRESS": "127.0.0.1"},
    scratch=("/tmp",),
    resources=Resources(cpu="100m", memory="500Mi", cpu_limit="1", memory_limit="1000Mi"),
)
apache = {"APACHE_RUN_DIR": "/tmp", "APACHE_LOCK_DIR": "/tmp", "APACHE_PID_FILE": "/tmp/apache2.pid"}
ratings = service(
    "ratings",
    80,
    health="/_health",
    env=apache,
    files={"/etc/apache2/ports.conf": "Listen 127.0.0.1:80\n"},
    scratch=("/tmp", "/var/www/html/var"),
)
# The image's own flags, with an address.
flags = "--wsgi-file payment.py --callable app --master --processes 1 --lazy-apps --enable-threads"
payment = service(
    "payment",
    8080,
    health="/health",
    command=("uwsgi",),
    args=("--http", "127.0.0.1:8080", *flags.split()),
    scratch=("/tmp",),
)
dispatch = service("dispatch", replicas=1)
# What the image's entrypoint does at every start, into a folder that may be written to, with callees' ports told, too.
START = """sed -e 1,3d -e 's/listen *8080/listen 127.0.0.1:8080/' -e 's/_HOST}:[0-9]*/_HOST}/' \\
    /etc/nginx/conf.d/default.conf.template > /tmp/template
envsubst '$CATALOGUE_HOST $USER_HOST $CART_HOST $SHIPPING_HOST $PAYMENT_HOST $RATINGS_HOST' \\
    < /tmp/template > /tmp/site.conf
exec nginx -g 'daemon off;'
"""
NGINX = """pid /tmp/nginx.pid;
events {}
http {
    include /etc/nginx/mime.types;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    include /tmp/site.conf;
}
"""
web = service(
    "web",
    8080,
    health="/",
    command=("sh", "/start/start.sh"),
    files={"/start/start.sh": START, "/etc/nginx/nginx.conf": NGINX, "/usr/share/nginx/html/eum.html": "\n"},
    scratch=("/tmp",),
)
size = Resources(cpu="100m", memory="100Mi", cpu_limit="200m", memory_limit="200Mi")
load = service("load", env={"NUM_CLIENTS": "15", "SILENT": "1", "ERROR": "1"}, replicas=1, resources=size)

for callee in (catalogue, user, cart, shipping, payment, ratings):
    name = callee.ref.name
    web.calls(callee, *DOES[name], env=f"{name.upper()}_HOST")
cart.calls(catalogue, "GET /product/{sku}", alias="catalogue:8080")
ratings.calls(catalogue, "GET /product/{sku}", env={"CATALOGUE_URL": "{url}"})
shipping.calls(cart, "POST /shipping/{id}", env="CART_ENDPOINT")
payment.calls(cart, "DELETE /cart/{id}", alias="cart:8080")
payment.calls(user, "GET /check/{id}", "POST /order/{id}", alias="user:8080")
paypal = robot_shop.external("paypal.com")
payment.calls(paypal, "GET /", env={"PAYMENT_GATEWAY": "{url}/"})

catalogue.connects(mongodb, env={"MONGO_URL": "mongodb://{host}:{port}/catalogue"})
user.connects(mongodb, env={"MONGO_URL": "mongodb://{host}:{port}/users"})
user.connects(redis, alias="redis:6379")
cart.connects(redis, alias="redis:6379")
shipping.connects(mysql, env="DB_HOST")
ratings.connects(mysql, env={"PDO_URL": "mysql:host={host};port={port};dbname=ratings;charset=utf8mb4"})
payment.connects(rabbitmq, alias="rabbitmq:5672")
dispatch.connects(rabbitmq, alias="rabbitmq:5672")

api = []
for name, operations in DOES.items():
    for method, path in (operation.split() for operation in operations):
        api.append(f"{method} /api/{name}{path}")
load.calls(web, "GET /", *api, env={"HOST": "{url}/"})
door = robot_shop.host("www.robots.example")
for operation in (
    *("GET /", "GET /{page}", "GET /css/{file}", "GET /js/{file}", "GET /images/{file}", "GET /media/{file}"),
    *api,
):
    web.serves(operation, at=door, public="a shop for everybody, with a login of its own")
