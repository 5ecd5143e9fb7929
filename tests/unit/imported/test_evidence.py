"""An edge is taken where the manifests show it, and from nothing that only looks like one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unit.imported.manifests import (
    SHOP,
    Json,
    configmap,
    env,
    line,
    pairs,
    peer,
    planned,
    policy,
    service,
    workload,
)

NGINX = """\
upstream shop { server cart:7070; }
# server orders:80;
server { listen 8080; location / { proxy_pass http://shop; } }
"""
FLAGS = '{"flags": {"cart": {"defaultVariant": "orders", "variants": {"redis": true}}, "name": "broker"}}'
SQL = "CREATE TABLE orders (cart TEXT, host TEXT);\nINSERT INTO orders VALUES ('redis', 'broker');\n"


def mounted(name: str, path: str, **more: str) -> Json:
    return {
        "volumeMounts": [{"name": name, "mountPath": path, **more}],
        "pod": {"volumes": [{"name": name, "configMap": {"name": name}}]},
    }


SHOWN: list[tuple[str, Json, str]] = [
    ("host and port", {"env": env(CART="cart:7070")}, "cart"),
    ("a URL", {"env": env(CART_URL="http://cart:7070/v1")}, "cart"),
    ("a URL without its usual port", {"env": env(ORDERS_URL="http://orders/")}, "orders"),
    ("a URL of a database", {"env": env(CACHE="redis://redis/0")}, "redis"),
    ("a URL with a password in it", {"env": env(CACHE_URL="redis://:s3cr3t-value@redis:6379/0")}, "redis"),
    ("a URL of Java", {"env": env(URL="jdbc:redis:thin://redis:6379/x")}, "redis"),
    ("an address in brackets", {"env": env(DSN="user@tcp(redis:6379)/db")}, "redis"),
    ("parts of a setting", {"env": env(CONNECTION="Server=redis;Database=orders")}, "redis"),
    ("the name in its namespace", {"env": env(CART="cart.shop:7070")}, "cart"),
    ("the name of the cluster", {"env": env(CART="cart.shop.svc.cluster.local:7070")}, "cart"),
    ("the name of the cluster alone", {"env": env(ZIPKIN="redis.shop.svc.cluster.local")}, "redis"),
    ("a host, by the variable's name", {"env": env(REDIS_HOST="redis")}, "redis"),
    ("a host in camel case", {"env": env(cacheHostName="redis")}, "redis"),
    ("a host beside its port", {"env": env(QUEUE_HOSTNAME="broker", QUEUE_PORT="5672")}, "broker"),
    ("a target of gRPC", {"env": env(CART="dns:///cart:7070")}, "cart"),
    ("a name of Spring's", {"env": env(CART="lb://cart")}, "cart"),
    ("a source of ADO", {"env": env(DB="Data Source=redis;Initial Catalog=orders")}, "redis"),
    ("another variable in it", {"env": env(NAME="cart", CART_URL="http://$(NAME):7070")}, "cart"),
    ("a list of two", {"env": env(SEEDS="cart:7070,redis:6379")}, "redis"),
    (
        "an entry of a ConfigMap",
        {"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "one", "key": "A"}}}]},
        "cart",
    ),
    ("a ConfigMap, whole", {"envFrom": [{"configMapRef": {"name": "one"}}]}, "cart"),
    ("a file", mounted("nginx", "/etc/nginx/conf.d"), "cart"),
    ("a file by its key", mounted("two", "/etc/two.conf", subPath="cart.conf"), "cart"),
    (
        "a projected file",
        {
            "volumeMounts": [{"name": "p", "mountPath": "/etc/p"}],
            "pod": {"volumes": [{"name": "p", "projected": {"sources": [{"configMap": {"name": "nginx"}}]}}]},
        },
        "cart",
    ),
    ("an option", {"args": ["--redis-host=redis"]}, "redis"),
    ("an option and its value", {"args": ["--host", "redis"]}, "redis"),
    ("a line of a shell", {"command": ["sh", "-c", "until nc -z broker 5672; do sleep 1; done; exec app"]}, "broker"),
    (
        "a device of a shell",
        {"command": ["bash", "-c", "until (echo > /dev/tcp/redis/6379); do sleep 1; done"]},
        "redis",
    ),
    (
        "a name that is resolved",
        {"command": ["sh", "-c", "until nslookup redis.$(cat /ns).svc; do sleep 1; done"]},
        "redis",
    ),
    ("a probe", {"readinessProbe": {"exec": {"command": ["redis-cli", "-h", "redis", "ping"]}}}, "redis"),
    ("a hook", {"lifecycle": {"postStart": {"exec": {"command": ["curl", "http://cart:7070/hello"]}}}}, "cart"),
    (
        "an init container",
        {"pod": {"initContainers": [{"name": "wait", "image": "busybox", "command": ["nc", "-z", "redis", "6379"]}]}},
        "redis",
    ),
]
CONFIG = (
    configmap("one", A="cart:7070", MODE="orders"),
    configmap("nginx", **{"default.conf": NGINX}),
    configmap("two", **{"cart.conf": "url = http://cart:7070", "other.conf": "url = http://orders:80"}),
    configmap("flags", **{"flags.json": FLAGS}),
    configmap("sql", **{"schema.sql": SQL}),
)


@pytest.mark.parametrize(("container", "callee"), [row[1:] for row in SHOWN], ids=[row[0] for row in SHOWN])
def test_an_edge_that_is_shown(container: Json, callee: str, tmp_path: Path) -> None:
    made = planned(tmp_path, workload("web", **container), *SHOP, *CONFIG)
    assert ("web", callee) in pairs(made)
    assert {caller for caller, _ in pairs(made)} == {"web"}
    assert "web -> " not in str(made.evidence.told)


WORDS: list[tuple[str, Json]] = [
    ("a queue that is called as a service", {"env": env(QUEUE_NAME="orders")}),
    ("a database that is", {"env": env(POSTGRES_DB="orders", DB_TYPE="redis")}),
    ("a profile", {"env": env(SPRING_PROFILES_ACTIVE="redis")}),
    ("an image", {"env": env(SIDECAR_IMAGE="redis:7", OTHER="registry/redis:6379x")}),
    ("flags", mounted("flags", "/etc/flagd")),
    ("a schema", mounted("sql", "/docker-entrypoint-initdb.d")),
    ("what a shell prints", {"command": ["sh", "-c", "echo waiting for redis 6379; echo 'broker:5672'"]}),
    ("a comment of a shell", {"command": ["sh", "-c", "# nc redis 6379\nexec app"]}),
    ("a program of that name", {"command": ["redis", "--cart", "orders"]}),
    ("its own port", {"env": env(PORT="7070", LISTEN="0.0.0.0:7070"), "args": ["-port=80"]}),
    ("a file beside the network", {"env": env(JAVA_OPTS="-Djava.security.egd=file:/dev/urandom -Xmx128m")}),
    ("a kind of program", {"env": env(CACHE_BACKEND="redis", BROKER="broker", WEB_SERVER="cart", DATASOURCE="redis")}),
    ("a bucket, and a queue", {"env": env(STORE="s3://orders/x", QUEUE_URL="queue://orders")}),
    ("a header", {"command": ["sh", "-c", "curl -H 'Host: cart' localhost"]}),
    ("a path of that name", {"env": env(CONFIG_URL="file://redis:6379/x", DIR="/redis/6379")}),
    ("another host of that name", {"env": env(URL="http://redis.example.com:6379", X="redis.io:6379")}),
    ("itself", {"env": env(SELF="web:80")}),
]


@pytest.mark.parametrize("container", [row[1] for row in WORDS], ids=[row[0] for row in WORDS])
def test_a_word_is_no_edge(container: Json, tmp_path: Path) -> None:
    assert pairs(planned(tmp_path, workload("web", **container), service("web"), *SHOP, *CONFIG)) == set()


NOT_CALLED: list[tuple[str, Json]] = [
    ("who may come from", {"env": env(CORS_ALLOWED_ORIGINS="http://cart:7070")}),
    ("where a browser goes back to", {"env": env(OAUTH_REDIRECT_URI="http://cart:7070/back")}),
    ("what goes past a proxy", {"env": env(NO_PROXY="cart:7070,orders")}),
    ("whom it answers as", {"env": env(ALLOWED_HOSTS="cart:7070")}),
    ("an option of that kind", {"args": ["--allowed-origin=http://cart:7070"]}),
    ("an option of that kind and its value", {"args": ["--allowed-origins", "http://cart:7070"]}),
    ("an entry of a file below such a key", mounted("cors", "/etc/app")),
]


@pytest.mark.parametrize("container", [row[1] for row in NOT_CALLED], ids=[row[0] for row in NOT_CALLED])
def test_an_address_that_is_not_called_is_said_and_not_taken(container: Json, tmp_path: Path) -> None:
    cors = configmap("cors", **{"app.yaml": "web:\n  cors:\n    allowed:\n      - http://cart:7070\n"})
    made = planned(tmp_path, workload("web", **container), *SHOP, cors)
    assert pairs(made) == set()
    assert [one.callee.name for one in made.evidence.undecided if one.callee] == ["cart"]


def test_a_ConfigMap_of_everybody_is_no_evidence_for_who_is_in_it(tmp_path: Path) -> None:  # noqa: N802
    urls = configmap("urls", CART_URL="http://cart:7070", ORDERS_URL="http://orders:80")
    whole: Any = {"envFrom": [{"configMapRef": {"name": "urls"}}]}
    orders = workload("orders", ports=[{"containerPort": 80}], **whole)
    rest = [one for one in SHOP if one["kind"] != "Deployment" or one["metadata"]["name"] != "orders"]
    made = planned(tmp_path, workload("web", **whole), orders, *rest, urls)
    assert pairs(made) == {("web", "cart"), ("web", "orders")}
    assert [(one.caller.ref.name, one.name) for one in made.evidence.undecided] == [("orders", "cart:7070")]


def test_nor_is_one_that_two_import_whole(tmp_path: Path) -> None:
    urls = configmap("urls", CART_URL="http://cart:7070", ORDERS_URL="http://orders:80")
    both = [workload(name, envFrom=[{"configMapRef": {"name": "urls"}}]) for name in ("web", "mobile")]
    made = planned(tmp_path, *both, *SHOP, urls)
    assert pairs(made) == set()
    assert len(made.evidence.undecided) == 4


def test_one_that_names_one_callee_is(tmp_path: Path) -> None:
    both = [workload(name, envFrom=[{"configMapRef": {"name": "one"}}]) for name in ("web", "mobile")]
    assert pairs(planned(tmp_path, *both, *SHOP, *CONFIG)) == {("web", "cart"), ("mobile", "cart")}


def test_network_policies_of_one_to_one(tmp_path: Path) -> None:
    made = planned(
        tmp_path,
        workload("web"),
        *SHOP,
        policy("in", "cart", ingress=[{"from": [peer("web")], "ports": [{"port": 7070}]}]),
        policy("out", "web", egress=[{"to": [peer("broker")], "ports": [{"port": 5672, "protocol": "TCP"}]}]),
        policy("udp", "redis", ingress=[{"from": [peer("web")], "ports": [{"port": 6379, "protocol": "UDP"}]}]),
        policy("port", "redis", ingress=[{"from": [peer("web")], "ports": [{"port": 1}]}]),
        policy("all", "orders", ingress=[{}, {"from": [{"podSelector": {}}, {"namespaceSelector": {}}]}]),
    )
    assert pairs(made) == {("web", "cart"), ("web", "broker")}
    assert line(made, "cart").alias == "cart:7070"
    assert line(made, "broker").edge.port == 5672


def test_a_policy_for_several_is_permission_only(tmp_path: Path) -> None:
    wide = policy(
        "wide",
        "cart",
        ingress=[{"from": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}]}],
    )
    made = planned(tmp_path, workload("web"), *SHOP, wide)
    assert pairs(made) == set()
    assert "permits web, cart, redis, broker, orders to reach cart" in str(made.evidence.told)


def test_a_wrong_port_is_told_and_not_taken(tmp_path: Path) -> None:
    made = planned(tmp_path, workload("web", env=env(CART="cart:8080")), *SHOP)
    assert pairs(made) == set()
    assert [one.message for one in made.contradictions if one.rule == "address-contradicted"] == [
        "names cart:8080, and the Service cart has the ports 7070"
    ]


def test_a_service_that_is_not_there_is_told(tmp_path: Path) -> None:
    made = planned(tmp_path, workload("web", env=env(ADS_ADDR="ads:9555")), *SHOP)
    assert "names ads:9555, which is no Service of these documents" in str(made.contradictions)
    assert any("open: ADS_ADDR names ads" in remark for remark in made.said[0].remarks)


def test_a_host_outside_is_undecided(tmp_path: Path) -> None:
    made = planned(tmp_path, workload("web", env=env(PSP_URL="https://api.psp.example/v1", DOCS="see psp.example")))
    assert [one.name for one in made.evidence.undecided] == ["api.psp.example:443"]


def test_a_pod_of_a_stateful_set_is_its_workload(tmp_path: Path) -> None:
    headless = service("db", 27017)
    headless["spec"]["clusterIP"] = "None"
    db = workload("db", "StatefulSet")
    made = planned(tmp_path, workload("web", env=env(DB="mongodb://db-0.db:27017,db-1.db:27017/x")), db, headless)
    assert pairs(made) == {("web", "db")}


def test_namespaces_are_worlds(tmp_path: Path) -> None:
    def inside(space: str, *objects: Json) -> list[Json]:
        return [{**one, "metadata": {**one["metadata"], "namespace": space}} for one in objects]

    left = inside("left", workload("web", env=env(A="cart:7070", B="cart.right:7070")))
    right = inside("right", workload("cart"), service("cart", 7070))
    assert pairs(planned(tmp_path, *left, *right)) == {("web", "cart")}
    left = inside("left", workload("web", env=env(A="cart:7070")))
    assert pairs(planned(tmp_path, *left, *right)) == set()


def test_a_service_of_two_workloads_is_undecided_unless_one_has_its_name(tmp_path: Path) -> None:
    blue, green = (workload(name) for name in ("blue", "green"))
    for one in (blue, green):
        one["spec"]["template"]["metadata"]["labels"]["track"] = "pay"
    pay = service("pay", 80)
    pay["spec"]["selector"] = {"track": "pay"}
    caller = workload("web", env=env(PAY="http://pay"))
    assert pairs(planned(tmp_path, caller, blue, green, pay)) == set()
    blue["metadata"]["name"] = "pay"
    assert pairs(planned(tmp_path, caller, blue, green, pay)) == {("web", "pay")}


def test_a_test_of_a_chart_is_not_of_the_application(tmp_path: Path) -> None:
    pod: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "test", "annotations": {"helm.sh/hook": "test"}},
        "spec": {"containers": [{"name": "wget", "image": "busybox", "args": ["http://cart:7070"]}]},
    }
    made = planned(tmp_path, workload("web"), *SHOP, pod)
    assert pairs(made) == set()
    assert "is a test of a chart" in str(made.world.remarks)


def test_a_database_without_a_service_is_told(tmp_path: Path) -> None:
    made = planned(tmp_path, workload("web", env=env(DB="postgres://db:5432/x")), workload("db"))
    assert pairs(made) == set()
    assert "names db:5432, which is no Service of these documents" in str(made.contradictions)


def test_a_port_that_something_says_is_the_port(tmp_path: Path) -> None:
    both = workload("web", env=env(BROKER_HOST="broker", BROKER_URL="http://broker:9672"))
    found = line(planned(tmp_path, both, *SHOP), "broker")
    assert (found.edge.port, found.edge.sure_of_port) == (9672, True)
    found = line(planned(tmp_path, workload("web", env=env(BROKER_HOST="broker")), *SHOP), "broker")
    assert (found.edge.port, found.remarks[-1]) == (5672, "open: the manifests do not say at which of its ports")


def test_a_service_that_leads_outside_is_undecided(tmp_path: Path) -> None:
    db: Json = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "db"},
        "spec": {"type": "ExternalName", "externalName": "db.example.com", "ports": [{"port": 5432}]},
    }
    made = planned(tmp_path, workload("web", env=env(DB="postgres://db:5432/x")), db)
    assert pairs(made) == set()
    assert "the Service db leads to db.example.com" in made.evidence.undecided[0].why


def test_what_a_controller_made_is_not_read_twice(tmp_path: Path) -> None:
    made_by = workload("web-5d9", "ReplicaSet", env=env(CART="cart:7070"))
    made_by["metadata"]["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}]
    web = workload("web", env=env(CART="cart:7070"))
    assert pairs(planned(tmp_path, web, made_by, *SHOP)) == {("web", "cart")}
    assert pairs(planned(tmp_path, made_by, *SHOP)) == {("web-5d9", "cart")}


def test_what_runs_pods_and_is_not_read_is_said(tmp_path: Path) -> None:
    rollout = {**workload("web", env=env(CART="cart:7070")), "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    made = planned(tmp_path, rollout, *SHOP)
    assert pairs(made) == set()
    assert "Rollout web runs pods and is not read" in str(made.world.remarks)


def test_a_chart_that_calls_every_port_tcp_service(tmp_path: Path) -> None:
    """As the OpenTelemetry demo's: two containers in a pod, hosts and ports apart, the node's address, its own name."""
    flagd = workload(
        "flagd",
        pod={
            "containers": [
                {"name": "flagd", "image": "x/flagd", "ports": [{"containerPort": 8013}, {"containerPort": 8016}]},
                {"name": "flagd-ui", "image": "x/ui", "ports": [{"containerPort": 4000}]},
            ]
        },
    )
    ports = [{"name": name, "port": port} for name, port in (("rpc", 8013), ("ofrep", 8016), ("tcp-service", 4000))]
    flags = {**service("flagd"), "spec": {"selector": {"app": "flagd"}, "ports": ports}}
    field = {"valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}
    proxy = workload(
        "proxy",
        env=[
            *env(FLAGD_HOST="flagd", FLAGD_PORT="8013", FLAGD_UI_HOST="flagd", FLAGD_UI_PORT="4000"),
            {"name": "NODE_IP", **field},
            *env(COLLECTOR="$(NODE_IP)", OTLP="http://$(NODE_IP):4317", GRAFANA_HOST="grafana", GRAFANA_PORT="80"),
        ],
    )
    load = workload("load", env=env(FLAGD_HOST="flagd", FLAGD_OFREP_PORT="8016", LOCUST_HOST="http://proxy:8080"))
    kafka = workload("kafka", env=env(KAFKA_ADVERTISED_LISTENERS="PLAINTEXT://kafka:9092"))
    cart = workload("cart", env=env(KAFKA_ADDR="kafka:9092", CHECKOUT="checkout:8080"))
    made = planned(
        tmp_path,
        *(flagd, flags, proxy, service("proxy", 8080, name="tcp-service"), load),
        *(kafka, service("kafka", 9092, name="plaintext"), cart),
        *(workload("checkout"), service("checkout", 8080, name="tcp-service")),
    )
    found = {
        (one.edge.caller.ref.name, one.edge.callee.ref.name, one.edge.port): (one.protocol.spoken, one.protocol.known)
        for one in made.lines
    }
    assert found == {
        ("proxy", "flagd", 8013): ("http", False),
        ("proxy", "flagd", 4000): ("http", False),
        ("load", "flagd", 8016): ("http", False),
        ("load", "proxy", 8080): ("http", True),
        ("cart", "kafka", 9092): ("tcp", True),
        ("cart", "checkout", 8080): ("http", False),
    }
    assert [one.edge.port for one in made.lines if not one.written] == [4000], "of a container that is not said"
    (said,) = [one for one in made.said if one.name == "proxy"]
    assert dict(said.named)["env"] == {"GRAFANA_HOST": "grafana", "GRAFANA_PORT": "80"}


SPOKEN: list[tuple[str, Json, Json, str, str]] = [
    ("appProtocol", {}, {"appProtocol": "grpc", "name": "http"}, "x", "grpc"),
    ("the port's name", {}, {"name": "grpc-api"}, "x", "grpc"),
    ("the pod's name of the port", {"ports": [{"containerPort": 80, "name": "grpc"}]}, {}, "x", "grpc"),
    ("a probe of gRPC", {"readinessProbe": {"grpc": {"port": 80}}}, {}, "x", "grpc"),
    ("a probe of HTTP", {"livenessProbe": {"httpGet": {"port": 80}}}, {"name": "tcp-service"}, "x", "http"),
    ("a probe over TLS", {"livenessProbe": {"httpGet": {"port": 80, "scheme": "HTTPS"}}}, {}, "x", "tcp"),
    ("the scheme of an address", {}, {"name": "api"}, "amqp://api", "tcp"),
    ("a scheme of its own TLS", {}, {"name": "api"}, "https://api", "tcp"),
    ("the image", {"image": "docker.io/library/redis:8"}, {"name": "api"}, "x", "tcp"),
    ("a well known port", {}, {}, "x", "http"),
    ("a name that says little", {}, {"name": "tcp-service"}, "x", "open"),
]


@pytest.mark.parametrize(("container", "port", "url", "spoken"), [r[1:] for r in SPOKEN], ids=[r[0] for r in SPOKEN])
def test_what_is_spoken(container: Json, port: Json, url: str, spoken: str, tmp_path: Path) -> None:
    address = f"{url}:80" if "://" in url else "api:80"
    callee = workload("api", **container)
    found = line(planned(tmp_path, workload("web", env=env(API=address)), callee, service("api", 80, **port)), "api")
    assert (found.protocol.spoken if found.protocol.known else "open") == spoken
    assert found.verb == ("connects" if spoken == "tcp" else "calls")
    assert bool(found.open_) == (spoken != "tcp")


def test_two_sources_that_say_two_protocols_are_told(tmp_path: Path) -> None:
    callee = workload("api", readinessProbe={"httpGet": {"port": 80}})
    made = planned(tmp_path, workload("web", env=env(API="api:80")), callee, service("api", 80, name="grpc"))
    (told,) = [one for one in made.contradictions if one.rule == "protocol-contradicted"]
    assert told.message == "the port's name grpc says grpc at port 80, and its readiness probe says http"
