"""The program says what the manifests say, in Garrison's words; it loads, and renders once it is filled in."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrison import render
from garrison.declare import program as declaring
from garrison.declare.program import load
from garrison.errors import IntentError
from garrison_import.plan.images import PIN_ME
from garrison_import.program import lock, program
from garrison_import.source import block, comment, literal, quoted
from unit.imported.filling import can_say, graph, written
from unit.imported.manifests import SHOP, Json, configmap, env, line, peer, planned, policy, service, workload
from unit.imported.measure import APPS, PATHS, imported

here = [
    pytest.param(app, marks=[] if (APPS / app).is_dir() else pytest.mark.skip(reason="no applications beside this"))
    for app in PATHS
]


def text(folder: Path, *objects: Json, **options: object) -> str:
    made = program(planned(folder, *objects, **options), lock_beside=True)
    ast.parse(made)
    return made


def said(folder: Path, *objects: Json) -> str:
    """How the first workload is declared, with what is remarked of it."""
    return text(folder, *objects).partition('app.namespace("shop")\n\n')[2].partition("\n\n")[0].rstrip()


WORDS: list[tuple[str, Json, str]] = [
    ("port", {"ports": [{"containerPort": 8081}]}, "port=8081"),
    ("a path", {"readinessProbe": {"httpGet": {"path": "/ready", "port": 80}}}, 'health="/ready"'),
    ("gRPC", {"readinessProbe": {"grpc": {"port": 80}}}, 'protocol="grpc", health="grpc"'),
    ("TCP", {"readinessProbe": {"tcpSocket": {"port": 80}}}, 'health="tcp"'),
    (
        "a port by its name",
        {"ports": [{"containerPort": 80, "name": "web"}], "readinessProbe": {"httpGet": {"path": "/r", "port": "web"}}},
        'health="/r"',
    ),
    ("liveness", {"livenessProbe": {"httpGet": {"path": "/live", "port": 80}}}, 'liveness="/live"'),
    (
        "a slow start",
        {"startupProbe": {"httpGet": {"path": "/r", "port": 80}, "periodSeconds": 10, "failureThreshold": 30}},
        "startup_seconds=300",
    ),
    ("settings", {"env": env(MODE="fast")}, 'env={"MODE": "fast"}'),
    ("the command", {"command": ["app", "-v"]}, 'command=["app", "-v"]'),
    ("arguments", {"args": ["--mode", "fast"]}, 'args=["--mode", "fast"]'),
    ("a user", {"securityContext": {"runAsUser": 1000}}, "uid=1000"),
    ("the pod's user", {"pod": {"securityContext": {"runAsUser": 1001}}}, "uid=1001"),
    (
        "resources",
        {"resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": 1, "memory": "1Gi"}}},
        'Resources(cpu="50m", memory="64Mi", cpu_limit="1", memory_limit="1Gi")',
    ),
    (
        "a folder to write to",
        {"volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}], "pod": {"volumes": [{"name": "tmp", "emptyDir": {}}]}},
        'scratch=["/tmp"]',
    ),
    (
        "and its size",
        {
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
            "pod": {"volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}]},
        },
        'scratch={"/tmp": "1Gi"}',
    ),
]


@pytest.mark.parametrize(("container", "expected"), [row[1:] for row in WORDS], ids=[row[0] for row in WORDS])
def test_what_a_pod_has(container: Json, expected: str, tmp_path: Path) -> None:
    container = {"ports": [{"containerPort": 80}], **container}
    assert expected in said(tmp_path, workload("web", **container))
    assert render(graph(planned(tmp_path, workload("web", **container)), tmp_path))


def test_a_worker_has_no_port(tmp_path: Path) -> None:
    assert said(tmp_path, workload("web")) == ('web = shop.service("web", image=lock["web"], replicas=1)')


def test_whom_a_Service_leads_to_binds_every_address(tmp_path: Path) -> None:  # noqa: N802
    assert 'bind="all"' in said(tmp_path, workload("web"), service("web"))
    assert "bind" not in said(tmp_path, workload("web", ports=[{"containerPort": 80}]))


def test_a_further_port_is_a_callee_of_its_own(tmp_path: Path) -> None:
    made = text(tmp_path, workload("web", env=env(A="amqp://broker:5672", B="http://broker:9672")), *SHOP)
    assert 'broker_http = broker.port("http", 9672)' in made
    assert 'web.connects(broker, env={"A": "amqp://{host}:{port}"})' in made
    assert 'web.calls(broker_http, env={"B": "http://{host}:{port}"})  # open: operations' in made


def test_jobs(tmp_path: Path) -> None:
    made = text(tmp_path, workload("night", "CronJob", env=env(CART="cart:7070")), workload("once", "Job"), *SHOP)
    assert 'night = shop.job("night", image=lock["night"], schedule="0 3 * * *")' in made
    assert 'once = shop.job("once", image=lock["once"])' in made
    assert 'night.calls(cart, env="CART")  # open: operations' in made


def test_a_volume_is_one_replica(tmp_path: Path) -> None:
    db = workload("db", "StatefulSet", volumeMounts=[{"name": "data", "mountPath": "/data"}])
    db["spec"]["volumeClaimTemplates"] = [
        {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    ]
    db["spec"]["replicas"] = 3
    made = said(tmp_path, db)
    assert 'volumes={"/data": "2Gi"}' in made
    assert "# not said: 3 replicas, each with a volume of its own" in made


def test_files_and_a_name_in_them(tmp_path: Path) -> None:
    conf = 'upstream x { server cart:7070; }\nlog_format "quoted";\n\\d+\n'
    pod = {"volumes": [{"name": "c", "configMap": {"name": "nginx"}}]}
    web = workload("web", pod=pod, volumeMounts=[{"name": "c", "mountPath": "/etc/nginx/conf.d"}])
    made = planned(tmp_path, web, *SHOP, configmap("nginx", **{"default.conf": conf}))
    assert 'web.calls(cart, alias="cart:7070")  # open: operations' in program(made, lock_beside=True)
    found = graph(made, tmp_path)
    (service_,) = [one for one in found.services if one.ref.name == "web"]
    assert dict(service_.container.files) == {"/etc/nginx/conf.d/default.conf": conf}


def test_a_name_in_an_argument_is_filled_in_from_the_edge(tmp_path: Path) -> None:
    args = ["--cache=redis:6379", "--orders=http://orders:80/v1", "--queue-host", "broker"]
    made = text(tmp_path, workload("web", command=["sh", "-c", "until nc -z cart 7070; do :; done"], args=args), *SHOP)
    assert '"--cache=$(REDIS_ADDR)", "--orders=http://$(ORDERS_ADDR)/v1", "--queue-host", "$(BROKER_HOST)"' in made
    assert "until nc -z $(CART_HOST) $(CART_PORT); do :; done" in made
    assert 'web.connects(redis, env="REDIS_ADDR")' in made
    assert 'web.calls(cart, env={"CART_HOST": "{host}", "CART_PORT": "{port}"})  # open: operations' in made


def test_a_host_without_a_port_keeps_its_name(tmp_path: Path) -> None:
    made = line(planned(tmp_path, workload("web", env=env(REDIS_HOST="redis")), *SHOP), "redis")
    assert (made.env, made.alias) == ({"REDIS_HOST": "{host}"}, "redis:6379")
    assert made.remarks == ["REDIS_HOST names no port: the image has it compiled in"]


def test_a_list_of_two_callees_is_open(tmp_path: Path) -> None:
    made = text(tmp_path, workload("web", env=env(SEEDS="cart:7070,redis:6379")), *SHOP)
    assert "SEEDS='cart:7070,redis:6379' (env) names cart and redis" in made.replace("\n#  ", "")
    assert 'web.connects(redis, alias="redis:6379")' in made


def test_braces_of_a_setting_stay_braces(tmp_path: Path) -> None:
    made = planned(tmp_path, workload("web", env=env(CART="http://cart:7070/{id}")), *SHOP)
    assert line(made, "cart").env == {"CART": "http://{host}:{port}/{{id}}"}
    assert render(graph(made, tmp_path))


def test_an_alias_at_a_port_of_its_own_is_open(tmp_path: Path) -> None:
    web = (workload("web"), service("web", 7070), *SHOP)
    made = line(planned(tmp_path, *web, policy("p", "cart", ingress=[{"from": [peer("web")]}])), "cart")
    assert made.alias == ""
    assert made.remarks[0].startswith("open: the image knows it as cart:7070, and itself listens on 7070")


def test_what_a_rule_of_ours_would_refuse_is_a_comment_with_its_remedy(tmp_path: Path) -> None:
    bad: Json = {
        "securityContext": {"privileged": True},
        "volumeMounts": [{"name": "host", "mountPath": "/host"}],
        "pod": {"hostNetwork": True, "volumes": [{"name": "host", "hostPath": {"path": "/etc"}}]},
    }
    made = said(tmp_path, workload("web", **bad)).replace("\n#  ", "")
    for rule in ("privileged-container", "host-namespaces", "host-path"):
        assert f"# {rule}: " in made
    assert "privileged=" not in made


SECRETS: list[tuple[str, list[Json], str]] = [
    (
        "a password in a variable",
        [workload("web", env=env(DB_PASSWORD="s3cr3t-value"))],
        'web.reads("shop/web/db-password", env={"DB_PASSWORD": "{value}"})',
    ),
    (
        "in an address",
        [workload("web", env=env(URL="redis://:s3cr3t-value@redis:6379"))],
        'web.reads("shop/web/url", env={"URL": "{value}"})',
    ),
    (
        "from a Secret",
        [workload("web", env=[{"name": "T", "valueFrom": {"secretKeyRef": {"name": "psp", "key": "apiKey"}}}])],
        'web.reads("shop/psp/apikey", env={"T": "{value}"})',
    ),
    (
        "a Secret, whole",
        [
            workload("web", envFrom=[{"secretRef": {"name": "psp"}}]),
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "psp"}, "stringData": {"T": "s3cr3t-value"}},
        ],
        'web.reads("shop/psp/t", env={"T": "{value}"})',
    ),
    (
        "from a ConfigMap",
        [
            workload("web", env=[{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "password"}}}]),
            configmap("c", password="s3cr3t-value"),
        ],
        'web.reads("shop/c/password", env={"X": "{value}"})',
    ),
    (
        "composed of a Secret",
        [
            workload(
                "web",
                env=[
                    {"name": "P", "valueFrom": {"secretKeyRef": {"name": "psp", "key": "p"}}},
                    {"name": "URL", "value": "redis://:$(P)@redis:6379"},
                ],
            )
        ],
        'web.reads("shop/web/url", env={"URL": "{value}"})  # a Secret is in it',
    ),
    (
        "in a file",
        [
            workload(
                "web",
                pod={"volumes": [{"name": "c", "configMap": {"name": "c"}}]},
                volumeMounts=[{"name": "c", "mountPath": "/etc/app"}],
            ),
            configmap("c", **{"app.yaml": "db:\n  password: s3cr3t-value\n"}),
        ],
        'web.reads("shop/c/app-yaml")',
    ),
    (
        "in a file, known from elsewhere",
        [
            workload(
                "web",
                env=env(DB_PASSWORD="s3cr3t-value"),
                pod={"volumes": [{"name": "c", "configMap": {"name": "c"}}]},
                volumeMounts=[{"name": "c", "mountPath": "/etc/app"}],
            ),
            configmap("c", **{"seed.sql": "-- log in with s3cr3t-value\n"}),
        ],
        'web.reads("shop/c/seed-sql")',
    ),
    (
        "a file of a Secret, where a variable names it",
        [
            workload(
                "web",
                env=env(KEY_FILE="/keys/jwt.pem"),
                pod={
                    "volumes": [
                        {"name": "k", "secret": {"secretName": "jwt", "items": [{"key": "k", "path": "jwt.pem"}]}}
                    ]
                },
                volumeMounts=[{"name": "k", "mountPath": "/keys"}],
            )
        ],
        'web.reads("shop/jwt/k", env={"KEY_FILE": "{path}"})',
    ),
    ("an argument", [workload("web", args=["--password", "s3cr3t-value"])], "# secret-in-arguments: args is left out"),
    (
        "an option of Java",
        [workload("web", env=env(JAVA_OPTS="-Xmx1g -Ddb.password=s3cr3t-value"))],
        'web.reads("shop/web/java-opts", env={"JAVA_OPTS": "{value}"})',
    ),
]


@pytest.mark.parametrize(("objects", "expected"), [row[1:] for row in SECRETS], ids=[row[0] for row in SECRETS])
def test_no_value_of_a_secret_is_copied(objects: list[Json], expected: str, tmp_path: Path) -> None:
    made = planned(tmp_path, *objects, *SHOP)
    whole = program(made, lock_beside=False) + lock(made)
    assert "s3cr3t-value" not in whole
    assert expected in whole


def test_an_edge_by_a_secret_address_keeps_its_name(tmp_path: Path) -> None:
    made = planned(tmp_path, workload("web", env=env(URL="redis://:s3cr3t-value@redis:6379")), *SHOP)
    assert (line(made, "redis").env, line(made, "redis").alias) == (None, "redis:6379")


def test_a_database_that_no_document_has_is_an_open_line(tmp_path: Path) -> None:
    web = workload(
        "web", env=env(DB="jdbc:mysql://shop-db.shop.svc.cluster.local:3306/x", ADS="ads:80", Z="http://z:1")
    )
    made = planned(tmp_path, web)
    (found,) = made.lines
    assert (found.edge.callee.ref.name, found.edge.port, found.protocol.spoken) == ("shop-db", 3306, "tcp")
    text_ = program(made, lock_beside=True)
    assert '"shop-db", env={"DB": "jdbc:mysql://{host}:{port}/x"}' in " ".join(text_.replace("\n    ", " ").split())
    assert "open: no document has shop-db" in text_
    with pytest.raises(IntentError, match="shop-db"):
        load(written(made, tmp_path)).graph()
    assert render(graph(made, tmp_path))


def test_open_lines_are_refused_with_their_line(tmp_path: Path) -> None:
    made = planned(tmp_path, workload("web", env=env(CART="cart:7070")), *SHOP)
    file = written(made, tmp_path)
    with pytest.raises(IntentError) as refused:
        load(file).graph()
    number = next(n for n, row in enumerate(file.read_text().splitlines(), 1) if row.startswith("web.calls"))
    assert f"program.py:{number}: the call from 'shop/web' to 'shop/cart' names no operation" in str(refused.value)


def test_images_by_tag_are_to_be_pinned(tmp_path: Path) -> None:
    digest = "registry.example/app@sha256:" + "a" * 64
    made = planned(tmp_path, workload("a", image=digest), workload("b", image="registry.example/b:1"))
    rows = lock(made).splitlines()
    assert f'app = "{digest}"' in rows
    assert 'b = "registry.example/b:1@pin-me"' in rows
    made = planned(tmp_path, workload("a", image="${PREFIX}/app:1"))
    assert 'app = "${PREFIX}/app:1@pin-me"  # open: this is no name of an image' in lock(made).splitlines()
    assert declaring.PIN_ME == PIN_ME


def test_two_images_of_one_name_are_two(tmp_path: Path) -> None:
    made = planned(
        tmp_path, workload("a", image="x/app:1"), workload("b", image="y/app:1"), workload("c", image="x/app:1")
    )
    assert made.images == {"app-1": "x/app:1", "app-2": "y/app:1"}


def test_names_that_python_or_garrison_have_are_others(tmp_path: Path) -> None:
    made = planned(
        tmp_path, workload("class"), workload("app"), workload("9lives"), workload("default"), workload("images")
    )
    assert [one.name for one in made.said] == ["class_", "shop_app", "s_9lives", "default_service", "shop_images"]
    assert render(graph(made, tmp_path))


def test_the_shop_renders_when_it_is_filled_in(tmp_path: Path) -> None:
    caller = workload("web", env=env(CART="cart:7070", REDIS="redis:6379", Q="amqp://broker:5672"))
    found = graph(planned(tmp_path, caller, *SHOP), tmp_path)
    assert {(call.caller.name, call.callee.name) for call in found.calls} == {
        ("web", "cart"),
        ("web", "redis"),
        ("web", "broker"),
    }
    assert render(found)


@pytest.mark.parametrize("app", here)
def test_what_it_writes_of_an_application_loads_and_renders(app: str, tmp_path: Path) -> None:
    made = imported([str(APPS / app / path) for path in PATHS[app]], "public")
    if not can_say(made):
        pytest.skip("the words for jobs, or for secrets in an application's words, are not there yet")
    found = graph(made, tmp_path)
    assert {(call.caller.name, call.callee.name) for call in found.calls} == {
        (one.edge.caller.ref.name, one.edge.callee.ref.name) for one in made.lines if one.written
    }
    assert render(found)


@given(st.text())
def test_a_literal_is_what_it_stands_for(it: str) -> None:
    for made in (quoted(it), block(it)):
        assert ast.literal_eval(made) == it
    assert ast.literal_eval(literal({it: [it, 1, True]})) == {it: [it, 1, True]}


@given(st.text())
def test_a_comment_ends_with_its_lines(it: str) -> None:
    assert all(row.startswith("#") for row in comment(it).splitlines())
    assert not ast.parse(comment(it)).body
