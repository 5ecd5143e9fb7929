"""The AKS store demo 2.2.0 as it is shipped, with its ai-service, which asks Azure OpenAI."""

from typing import Any

from garrison import App, Resources, Service, images

lock = images("images.lock", "aks-store")
aks_store = App("aks-store", trust_domain="store.example", images=lock)
pets = aks_store.namespace("pets")

small = Resources(cpu="10m", memory="32Mi", cpu_limit="100m", memory_limit="128Mi")
# The images' sites listen where they like; what they write while they run has to go to a folder that may be written to.
NGINX = """pid /tmp/nginx.pid;
events {}
http {
    include /etc/nginx/mime.types;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    access_log off;
    include /etc/nginx/conf.d/*.conf;
}
"""


def site(name: str, port: int) -> Service:
    return pets.service(
        name,
        image=lock[name],
        port=port,
        health="/health",
        bind="all",
        files={"/etc/nginx/nginx.conf": NGINX},
        scratch=("/tmp",),
        resources=Resources(cpu="10m", memory="200Mi", cpu_limit="1", memory_limit="512Mi"),
    )


def service(name: str, port: int | None = None, **more: Any) -> Service:
    return pets.service(name, image=lock[name], port=port, **{"health": "/health" if port else None, **more})


middle = Resources(cpu="10m", memory="64Mi", cpu_limit="100m", memory_limit="256Mi")
order = service(
    "order-service",
    3000,
    env={
        "ORDER_QUEUE_NAME": "orders",
        "ORDER_QUEUE_USERNAME": "username",
        "FASTIFY_ADDRESS": "127.0.0.1",
        "NPM_CONFIG_CACHE": "/tmp/npm",  # npm, which starts it, keeps a log there
    },
    scratch=("/tmp",),
    resources=middle,
)
makeline = service(
    "makeline-service",
    3001,
    liveness="/liveness",
    bind="all",
    env={
        "ORDER_QUEUE_NAME": "orders",
        "ORDER_QUEUE_USERNAME": "username",
        "ORDER_DB_NAME": "orderdb",
        "ORDER_DB_COLLECTION_NAME": "orders",
        "ORDER_DB_USERNAME": "username",
    },
    resources=small,
)
product = service("product-service", 3002, bind="all", resources=small)
ai = service(
    "ai-service",
    5001,
    bind="all",
    env={
        "USE_AZURE_OPENAI": "True",
        "USE_AZURE_AD": "False",
        "USE_LOCAL_LLM": "False",
        "AZURE_OPENAI_API_VERSION": "2024-12-01-preview",
        "AZURE_OPENAI_IMAGE_API_VERSION": "2025-04-01-preview",
        "AZURE_OPENAI_DEPLOYMENT_NAME": "gpt",
        "AZURE_OPENAI_IMAGE_DEPLOYMENT_NAME": "image",
    },
    scratch=("/tmp",),
    resources=middle,
)
store_front = site("store-front", 8080)
store_admin = site("store-admin", 8081)
customer = service("virtual-customer", env={"ORDERS_PER_HOUR": "100"}, replicas=1, resources=small)
worker = service("virtual-worker", env={"ORDERS_PER_HOUR": "100"}, replicas=1, resources=small)
rabbitmq = pets.service(
    "rabbitmq",
    image=lock["rabbitmq"],
    port=5672,
    protocol="tcp",
    bind="all",
    uid=100,  # rabbitmq, in the Alpine image
    startup_seconds=300,
    env={"RABBITMQ_DEFAULT_USER": "username"},
    scratch={"/var/lib/rabbitmq": "256Mi", "/var/log/rabbitmq": "64Mi", "/tmp": "16Mi"},
    replicas=1,
    resources=Resources(cpu="10m", memory="128Mi", cpu_limit="250m", memory_limit="256Mi"),
)
# The image takes as variables what the manifest gives as arguments, which everybody on the node could read.
documentdb = pets.service(
    "documentdb",
    image=lock["documentdb"],
    port=10260,
    protocol="tcp",
    bind="all",
    uid=1000,  # documentdb, in the image
    startup_seconds=150,
    env={"USERNAME": "username"},
    scratch={"/data": "1Gi", "/tmp": "64Mi"},
    replicas=1,
    resources=Resources(cpu="10m", memory="256Mi", cpu_limit="500m", memory_limit="1Gi"),
)

rabbitmq.reads("aks-store/rabbitmq", env={"RABBITMQ_DEFAULT_PASS": "{value}"})
order.reads("aks-store/rabbitmq", env={"ORDER_QUEUE_PASSWORD": "{value}"})
makeline.reads("aks-store/rabbitmq", env={"ORDER_QUEUE_PASSWORD": "{value}"})
documentdb.reads("aks-store/documentdb", env={"PASSWORD": "{value}"})
makeline.reads("aks-store/documentdb", env={"ORDER_DB_PASSWORD": "{value}"})
ai.reads("aks-store/azure-openai", env={"AZURE_OPENAI_API_KEY": "{value}"})

order.connects(rabbitmq, env={"ORDER_QUEUE_HOSTNAME": "{host}", "ORDER_QUEUE_PORT": "{port}"})
makeline.connects(rabbitmq, env={"ORDER_QUEUE_URI": "amqp://{host}:{port}"})
# DocumentDB speaks a TLS of its own inside ours, with a certificate that it makes itself.
tls = "mongodb://{host}:{port}/?tls=true&tlsAllowInvalidCertificates=true"
makeline.connects(documentdb, env={"ORDER_DB_URI": tls})
product.calls(
    *(ai, "GET /health", "POST /generate/description", "POST /generate/image"),
    env={"AI_SERVICE_URL": "{url}/"},
    timeout=120,
)
customer.calls(order, "POST /", env={"ORDER_SERVICE_URL": "{url}/"})
worker.calls(makeline, "GET /order/fetch", "PUT /order", env={"MAKELINE_SERVICE_URL": "{url}"})
# nginx of the two sites has these names in its configuration.
store_front.calls(order, "POST /", alias="order-service:3000")
store_front.calls(product, "GET /", "GET /{id}", alias="product-service:3002")
store_admin.calls(order, "POST /", alias="order-service:3000")
store_admin.calls(
    product,
    *("GET /", "GET /{id}", "POST /", "PUT /", "GET /ai/health", "POST /ai/generate/description"),
    *("POST /ai/generate/image",),
    alias="product-service:3002",
    timeout=120,
)
store_admin.calls(makeline, "GET /order/fetch", "GET /order/{id}", "PUT /order", alias="makeline-service:3001")
# Its library insists on https, so the TLS is its own, and only the host is checked.
address = {f"AZURE_OPENAI_{what}ENDPOINT": "https://{host}/" for what in ("", "IMAGE_")}
ai.connects(aks_store.external("store.openai.azure.com"), env=address, alias="store.openai.azure.com:443")

door = aks_store.host("www.store.example")
static = ("GET /", "GET /favicon.ico", "GET /assets/{rest...}", "GET /products", "GET /product/{id}")
for operation in (*static, "POST /order"):
    store_front.serves(operation, at=door, public="a shop for everybody")
# Upstream gives the whole internet its back office, too. Here it has users.
users = aks_store.users()
office = aks_store.host("admin.store.example", login=users)
for operation in (
    *(*static, "POST /product", "PUT /product", "GET /makeline/order/{id}", "PUT /makeline/order"),
    *("GET /ai/health", "POST /ai/generate/description", "POST /ai/generate/image"),
):
    store_admin.serves(operation, at=office, to=users.group("staff"))
