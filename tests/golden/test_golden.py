"""One small estate, rendered whole: what a reviewer wants to see change, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from garrison import App, Namespace, Rate, Service, render
from garrison.declare.permissions import MayStatement
from garrison.explain import diagram, drawing
from garrison.words import Ref
from unit import neighbours
from unit.estates import DIGEST, any_app, empty_app

HERE = Path(__file__).parent


def two_services() -> App:
    app = empty_app()
    shop = app.namespace("shop")
    orders = shop.service("orders", image="registry.example/orders" + DIGEST, port=8080, replicas=1)
    catalog = shop.service("catalog", image="registry.example/catalog" + DIGEST, port=8080)
    orders.calls(catalog, "GET /items/{id}")
    return app


def permitted() -> App:
    """The same, where one service may do a little in the Kubernetes API."""
    app = two_services()
    orders = Ref("shop", "orders")
    app.add(MayStatement("here:1", orders, "get watch", "configmaps", ("orders-flags",), ""))
    app.add(MayStatement("here:2", orders, "create", "leases", (), "coordination.k8s.io"))
    return app


def compare(name: str, text: str) -> None:
    """`GARRISON_GOLDEN=write` renews the files; read the difference before it is committed."""
    path = HERE / name
    if os.environ.get("GARRISON_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text(), f"{name} changed: renew it with GARRISON_GOLDEN=write and read the difference"


def test_manifests() -> None:
    compare("shop.yaml", yaml.safe_dump_all(render(two_services().graph()), sort_keys=False, width=1000))


def test_any_application() -> None:
    """gRPC, TCP, further ports, a worker, and everything that a container is given."""
    compare("any.yaml", yaml.safe_dump_all(render(any_app().graph()), sort_keys=False, width=1000))


def test_the_edge() -> None:
    """Everything that one host, one issuer and two routes add to the same estate."""
    app = two_services()
    users = app.users()
    host = app.host("api.estate.example")
    orders = Service(Ref("shop", "orders"), app)
    orders.serves("GET /orders/{id}", at=host, to=users.group("customers"), rate=Rate.per_minute(30, per="user"))
    orders.serves("GET /orders", at=host, public="an example")
    before = render(two_services().graph())
    changed = [item for item in render(app.graph()) if item not in before]
    compare("edge.yaml", yaml.safe_dump_all(changed, sort_keys=False, width=1000))


def test_jobs() -> None:
    """What a job with a schedule and one without add to the same estate."""
    app = two_services()
    shop = Namespace("shop", app)
    nightly = shop.job(
        "nightly", image="registry.example/nightly" + DIGEST, schedule="30 2 * * *", within="1h", retries=2
    )
    nightly.calls("catalog", "GET /items", env="CATALOG_ADDR")
    once = shop.job("once", image="registry.example/once" + DIGEST, command=["/once"])
    once.reads("shop/seed")
    before = render(two_services().graph())
    changed = [item for item in render(app.graph()) if item not in before]
    compare("jobs.yaml", yaml.safe_dump_all(changed, sort_keys=False, width=1000))


def test_the_way_out() -> None:
    """Everything that one host outside adds, which one service calls and another speaks TLS with."""
    app = two_services()
    psp = app.external("api.psp.example")
    Service(Ref("shop", "orders"), app).calls(psp, "POST /v1/charges", "GET /v1/charges/{id}")
    Service(Ref("shop", "catalog"), app).connects(psp)
    before = render(two_services().graph())
    changed = [item for item in render(app.graph()) if item not in before]
    compare("egress.yaml", yaml.safe_dump_all(changed, sort_keys=False, width=1000))


def test_two_apps() -> None:
    """What a call between two Apps adds to each: its own half."""
    for half, before, after in zip(("caller", "callee"), neighbours.alone(), neighbours.together(), strict=True):
        was = render(before)
        changed = [item for item in render(after) if item not in was]
        compare(f"elsewhere-{half}.yaml", yaml.safe_dump_all(changed, sort_keys=False, width=1000))
        compare(f"elsewhere-{half}.json", after.to_json())


def test_graph() -> None:
    graph = two_services().graph()
    compare("shop.json", graph.to_json())
    compare("shop.mmd", diagram.mermaid(graph))
    compare("shop.svg", drawing.svg(graph))
    compare("shop.txt", diagram.table(graph))


def test_permissions() -> None:
    """Only what one more statement adds and changes."""
    graph, before = permitted().graph(), render(two_services().graph())
    changed = [item for item in render(graph) if item not in before]
    compare("permitted.yaml", yaml.safe_dump_all(changed, sort_keys=False, width=1000))
    compare("permitted.mmd", diagram.mermaid(graph))
    compare("permitted.svg", drawing.svg(graph))
    compare("permitted.txt", diagram.table(graph))
