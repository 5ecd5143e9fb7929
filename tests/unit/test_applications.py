"""What an application is given beside its place in the graph: settings, files, folders, names, ports, protocols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from garrison import App, Graph, IntentError, render
from garrison import defaults as d
from garrison.declare.app import Namespace
from garrison.derive import mesh
from garrison.model.calls import Operation, Target
from garrison.words import Ref
from unit.estates import DIGEST, any_app, empty_app

IMAGE = "registry.example/x" + DIGEST
CART, FRONT, LOAD, REDIS = (Ref("shop", name) for name in ("cart", "front", "load", "redis"))


def pod(graph: Graph, name: str) -> dict[str, Any]:
    kinds = ("Deployment", "StatefulSet")
    (item,) = (m for m in render(graph) if m["kind"] in kinds and m["metadata"]["name"] == name)
    spec: dict[str, Any] = item["spec"]["template"]["spec"]
    return spec


def app_of(graph: Graph, name: str) -> dict[str, Any]:
    container: dict[str, Any] = pod(graph, name)["containers"][0]
    return container


def environment(graph: Graph, name: str) -> dict[str, str]:
    return {one["name"]: one["value"] for one in app_of(graph, name)["env"]}


def refused(app: App) -> str:
    with pytest.raises(IntentError) as caught:
        app.graph()
    return str(caught.value)


# --- what a container is given ---------------------------------------------------------------------------------------


def test_an_address_is_told_in_the_applications_own_words_and_goes_with_the_call() -> None:
    graph = any_app().graph()
    assert environment(graph, "front") == {"HOST": "127.0.0.1", "PORT": "80", "CART_SERVICE_ADDR": "127.0.0.1:15101"}
    assert environment(graph, "cart") == {
        "HOST": "0.0.0.0",
        "PORT": "7070",
        "LEVEL": "info",
        "REDIS": "redis://redis-cart:6379/0",
    }
    assert environment(graph, "load") == {
        "HOST": "127.0.0.1",
        "CART_METRICS_URL": "http://127.0.0.1:15101",
        "FRONT_URL": "http://127.0.0.1:15102",
        "REDIS_ADMIN_ADDR": "127.0.0.1:15103",
        "API_KEY_FILE": "/run/secrets/shop/api-key",
    }


def test_a_setting_of_the_name_of_a_default_wins() -> None:
    app = empty_app()
    app.namespace("shop").service("x", image=IMAGE, port=8080, env={"HOST": "0.0.0.0", "PORT": "9"})
    assert environment(app.graph(), "x") == {"HOST": "0.0.0.0", "PORT": "9"}


def test_files_and_folders_are_where_they_were_asked_for_and_of_their_size() -> None:
    graph = any_app().graph()
    container, volumes = app_of(graph, "front"), {one["name"]: one for one in pod(graph, "front")["volumes"]}
    mounts = {one["mountPath"]: one for one in container["volumeMounts"]}
    assert mounts["/etc/front/menu.json"] == {
        "name": "files",
        "mountPath": "/etc/front/menu.json",
        "subPath": "file-0",
        "readOnly": True,
    }
    assert volumes["files"]["configMap"]["name"] == "front-files"
    (files,) = (m for m in render(graph) if m["kind"] == "ConfigMap" and m["metadata"]["name"] == "front-files")
    assert files["data"] == {"file-0": "{}"}
    sizes = {path: volumes[mounts[path]["name"]]["emptyDir"] for path in ("/tmp", "/var/cache/front")}
    assert sizes == {"/tmp": {"sizeLimit": "16Mi"}, "/var/cache/front": {"sizeLimit": "32Mi"}}
    assert (container["command"], "args" in container) == (["/front"], False)
    assert container["startupProbe"]["failureThreshold"] == 300


def test_a_changed_file_rolls_the_pods() -> None:
    def annotation(text: str) -> str:
        app = empty_app()
        app.namespace("shop").service("x", image=IMAGE, port=8080, files={"/etc/x": text})
        (item,) = (m for m in render(app.graph()) if m["kind"] == "Deployment")
        return str(item["spec"]["template"]["metadata"]["annotations"][d.CONFIG_HASH])

    assert annotation("a") == annotation("a") != annotation("b")


def test_a_volume_is_one_pods_and_stays() -> None:
    graph = any_app().graph()
    (item,) = (m for m in render(graph) if m["kind"] == "StatefulSet" and m["metadata"]["name"] == "redis")
    (claim,) = item["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"] == {"requests": {"storage": "1Gi"}}
    assert {"name": claim["metadata"]["name"], "mountPath": "/data"} in app_of(graph, "redis")["volumeMounts"]
    assert item["spec"]["replicas"] == 1
    assert app_of(graph, "redis")["securityContext"]["runAsUser"] == 999


def test_a_port_below_1024_is_opened_to_who_is_not_root_and_no_other_right_is_given() -> None:
    graph = any_app().graph()
    low, high = pod(graph, "front"), pod(graph, "cart")
    assert low["securityContext"]["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    assert app_of(graph, "front")["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}
    assert "sysctls" not in high["securityContext"]
    assert app_of(graph, "cart")["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_name_that_is_compiled_in_leads_to_the_own_proxy() -> None:
    graph = any_app().graph()
    names = ["redis-cart", "redis-cart.shop", "redis-cart.shop.svc", "redis-cart.shop.svc.cluster.local"]
    assert pod(graph, "cart")["hostAliases"] == [{"ip": "127.0.1.1", "hostnames": names}]
    assert "hostAliases" not in pod(graph, "front")


def test_readiness_and_liveness_are_two_questions_and_a_worker_is_asked_neither() -> None:
    graph = any_app().graph()

    def asked(name: str) -> tuple[str, str, str]:
        container = app_of(graph, name)
        probes = (container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "readiness", "liveness"))
        first, second, third = probes
        return first, second, third

    assert asked("front") == (mesh.READY, mesh.READY, mesh.ALIVE)
    assert asked("redis") == (mesh.READY, mesh.READY, mesh.ALIVE)
    assert asked("load") == (mesh.PROXY_ALONE,) * 3


def test_who_cannot_be_called_has_no_service_object_and_no_listener() -> None:
    graph = any_app().graph()
    services = {m["metadata"]["name"] for m in render(graph) if m["kind"] == "Service"}
    assert services == {"cart", "front", "ledger", "redis"}
    config = mesh.config(graph, mesh_cluster(), graph.by_ref[LOAD])["envoy.json"]
    assert '"name":"inbound"' not in config
    assert '"name":"inbound"' in mesh.config(graph, mesh_cluster(), graph.by_ref[CART])["envoy.json"]


def mesh_cluster() -> Any:
    from garrison.cluster import Cluster

    return Cluster()


# --- what is refused -------------------------------------------------------------------------------------------------


def service(**said: Any) -> Callable[[Namespace], object]:
    return lambda shop: shop.service("x", image=IMAGE, **({"port": 8080} | said))


def redis_and(say: Callable[[Any, Any, Namespace], object]) -> Callable[[Namespace], object]:
    def said(shop: Namespace) -> None:
        redis = shop.service("redis", image=IMAGE, port=6379, protocol="tcp")
        say(shop.service("cart", image=IMAGE, port=8080, bind="all"), redis, shop)

    return said


REFUSED: dict[str, tuple[Callable[[Namespace], object], str]] = {
    "protocol": (service(protocol="http2"), "'http2' is no protocol of a port; did you mean 'http'?"),
    "health": (service(health="healthz"), "health='healthz' is no way to ask for it"),
    "health of a worker": (service(port=None, health="/x"), "'shop/x' has no port to ask for its health"),
    "startup": (service(startup_seconds=0), "would take 0 seconds to start"),
    "bind": (service(bind="everywhere"), "bind='everywhere' is no place to listen"),
    "root": (service(uid=0), "cannot run as user 0"),
    "the proxy's user": (service(uid=d.PROXY_UID), f"cannot run as user {d.PROXY_UID}"),
    "a variable": (service(env={"1X": "y"}), "'1X' is no variable"),
    "our own variable": (service(env={d.ACCESS_RULES: "{}"}), "is no variable"),
    "a secret by name": (service(env={"DB_PASSWORD": "hunter2"}), "reads("),
    "a secret by value": (service(env={"DSN": "postgres://me:secret@db/x"}), "looks like a credential"),
    "a secret in arguments": (service(args=["--password", "hunter2"]), "carries a credential (secret-in-arguments)"),
    "a secret in a file": (service(files={"/etc/x": "db_password: hunter2"}), "(secret-in-configmap)"),
    "a file that is not there": (service(files={"/etc/x": __import__("pathlib").Path("none.cfg")}), "is not a text"),
    "a relative path": (service(scratch=["tmp"]), "can have nothing at 'tmp'"),
    "a way out of a path": (service(scratch=["/tmp/../etc"]), "can have nothing at"),
    "the kernel's": (service(scratch=["/proc/x"]), "can have nothing at '/proc/x'"),
    "ours": (service(scratch=["/run/identity"]), "can have nothing at '/run/identity'"),
    "all of ours": (service(scratch=["/var/run"]), "can have nothing at '/var/run'"),
    "two at one path": (service(scratch=["/a"], volumes={"/a": "1Gi"}), "would have two things at '/a'"),
    "one in another": (service(scratch=["/a"], files={"/a/b": "x"}), "lies in '/a'"),
    "a size": (service(scratch={"/a": "much"}), "is not a Kubernetes quantity"),
    "a volume of two": (service(volumes={"/a": "1Gi"}, replicas=2), "has a volume and 2 replicas"),
    "an operation over TCP": (
        redis_and(lambda cart, redis, _: cart.calls(redis, "GET /")),
        "which speaks tcp: nobody could check an operation; say connects(...)",
    ),
    "a connection to HTTP": (redis_and(lambda cart, redis, _: redis.connects(cart)), "which speaks http; say calls("),
    "a path at gRPC": (
        lambda shop: (
            shop.service("a", image=IMAGE, port=1, protocol="grpc")
            and shop.service("b", image=IMAGE, port=2).calls("a", "GET /x")
        ),
        "is no operation of gRPC; write 'package.Service/Method'",
    ),
    "a call to a worker": (
        lambda shop: shop.service("a", image=IMAGE) and shop.service("b", image=IMAGE, port=2).calls("a", "GET /x"),
        "'shop/a' has no port and cannot be called",
    ),
    "an address as a setting": (
        redis_and(lambda _c, _r, shop: shop.service("y", image=IMAGE, env={"CACHE": "redis:6379"})),
        "names 'shop/redis'; say it with the call",
    ),
    "a name as a setting": (
        redis_and(lambda _c, _r, shop: shop.service("y", image=IMAGE, env={"CACHE_HOST": "redis"})),
        "names 'shop/redis'",
    ),
    "an address in an argument": (
        redis_and(lambda _c, _r, shop: shop.service("y", image=IMAGE, args=["--to=redis.shop.svc:6379"])),
        "names 'shop/redis'",
    ),
    "two under one variable": (
        redis_and(
            lambda cart, redis, shop: (
                cart.connects(redis, env="X"),
                cart.calls(shop.service("y", image=IMAGE, port=2), "GET /", env="X"),
            )
        ),
        "would find two things under X",
    ),
    "a setting and a callee": (
        redis_and(lambda _c, redis, shop: shop.service("y", image=IMAGE, env={"X": "1"}).connects(redis, env="X")),
        "would find two things under X",
    ),
    "a template": (redis_and(lambda cart, redis, _: cart.connects(redis, env={"X": "redis"})), "does not say where"),
    "another field": (
        redis_and(lambda cart, redis, _: cart.connects(redis, env={"X": "{user}"})),
        "does not say where",
    ),
    "an attribute": (
        redis_and(lambda cart, redis, _: cart.connects(redis, env={"X": "{host.x}"})),
        "does not say where",
    ),
    "an alias": (redis_and(lambda cart, redis, _: cart.connects(redis, alias="redis")), "is not an address"),
    "an alias that the application listens on": (
        redis_and(lambda cart, redis, _: cart.connects(redis, alias="redis:8080")),
        "binds every address of port 8080",
    ),
    "two at one alias": (
        redis_and(
            lambda cart, redis, _: (
                cart.connects(redis, alias="db:1"),
                cart.connects(redis.port("b", 7, protocol="tcp"), alias="db:1"),
            )
        ),
        "would find two callees at db:1",
    ),
    "two times": (
        lambda shop: (
            shop.service("a", image=IMAGE, port=1),
            (b := shop.service("b", image=IMAGE, port=2)).calls("a", "GET /x", timeout=5),
            b.calls("a", "GET /y", timeout=6),
        ),
        "with two values of timeout",
    ),
    "a time": (
        lambda shop: (
            shop.service("a", image=IMAGE, port=1),
            shop.service("b", image=IMAGE, port=2).calls("a", "GET /x", timeout=-1),
        ),
        "timeout=-1 is no time for an answer",
    ),
    "a port twice": (
        redis_and(lambda _c, redis, _s: (redis.port("a", 7), redis.port("a", 8))),
        "has a port 'a' already",
    ),
    "a number twice": (redis_and(lambda _c, redis, _s: redis.port("a", 6379)), "listens on 6379 already"),
    "a port's name": (redis_and(lambda _c, redis, _s: redis.port("a_b", 7)), "is not a name of a port"),
    "served over gRPC": (
        lambda shop: shop.service("a", image=IMAGE, port=1, protocol="grpc").serves(
            "GET /x", at="h.example", public="x"
        ),
        "speaks grpc, and is served",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_not_hold_is_one_line_with_its_remedy(case: str) -> None:
    say, what = REFUSED[case]
    app = empty_app()
    say(app.namespace("shop"))
    text = refused(app)
    assert what in text
    assert "test_applications.py:" in text


def test_what_only_looks_like_it_is_taken() -> None:
    app = empty_app()
    shop = app.namespace("shop")
    shop.service("redis", image=IMAGE, port=6379, protocol="tcp")
    said = {
        "PASSWORD_FILE": "/run/secrets/x",
        "TOKEN_TTL": "3600",
        "OTEL_SERVICE_NAME": "cart",
        "MODE": "rediss",
        "POSTGRES_DB": "redis",
    }
    shop.service("cart", image=IMAGE, port=8080, env=said, args=["--name=cart", "--cache-size", "redis-like"])
    assert app.graph()


# --- what is left of a path ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wide", "other", "meets", "covers", "reaches"),
    [
        ("GET /{rest...}", "GET /", True, True, True),
        ("GET /{rest...}", "GET /a/b", True, True, True),
        ("GET /{rest...}", "GET /{id}", True, True, True),
        ("GET /s/{rest...}", "GET /s", False, False, False),
        ("GET /s/{rest...}", "GET /s/", True, True, True),
        ("GET /s/{rest...}", "GET /t/a", False, False, False),
        ("GET /s/{rest...}", "POST /s/a", False, False, False),
        ("GET /{id}", "GET /{rest...}", True, False, False),
        ("GET /{a}/x", "GET /b/{rest...}", True, False, True),
        ("GET /{rest...}", "GET /{all...}", True, True, False),
    ],
)
def test_the_rest_of_a_path(wide: str, other: str, meets: bool, covers: bool, reaches: bool) -> None:
    one, two = Operation.parse(wide), Operation.parse(other)
    assert (one.meets(two), one.covers(two), one.reaches(two)) == (meets, covers, reaches)


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("/s/", True),
        ("/s/a", True),
        ("/s/a/b.css", True),
        ("/s/a/", True),
        ("/s", False),
        ("/sa", False),
        ("/s/a;b", False),
        ("/s//a", False),
    ],
)
def test_the_pattern_of_the_rest(path: str, fits: bool) -> None:
    import re

    assert bool(re.fullmatch(mesh.path_pattern("/s/{rest...}"), path)) is fits


def test_a_graph_with_everything_is_the_same_when_it_was_written_and_read() -> None:
    graph = any_app().graph()
    assert Graph.from_json(graph.to_json()) == graph
    assert graph.protocols == {
        Target(CART): "grpc",
        Target(CART, "metrics"): "http",
        Target(FRONT): "http",
        Target(REDIS): "tcp",
        Target(REDIS, "admin"): "tcp",
    }
