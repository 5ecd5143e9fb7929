"""Small manifests for tests: a workload with whatever its pod has, and the Services it may call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from garrison_import.plan.parts import Line, Plan
from unit.imported.measure import imported

Json = dict[str, Any]


def workload(name: str, kind: str = "Deployment", /, pod: Json | None = None, **container: Any) -> Json:
    """One that runs `name`'s image; `container` are fields of its container, `pod` further ones of its pod."""
    box = {"name": name, "image": f"registry.example/{name}:1", **container}
    spec = {"containers": [box], **(pod or {})}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    body: Json = {"selector": {"matchLabels": {"app": name}}, "template": template}
    if kind == "Job":
        body = {"template": template}
    if kind == "CronJob":
        body = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}
    return {"apiVersion": _api(kind), "kind": kind, "metadata": {"name": name}, "spec": body}


def _api(kind: str) -> str:
    return "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"


def service(name: str, port: int = 80, /, *, app: str = "", **fields: Any) -> Json:
    """A Service of one port; `fields` are the port's."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": app or name}, "ports": [{"port": port, **fields}]},
    }


def configmap(name: str, /, **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def env(**values: str) -> list[Json]:
    return [{"name": name, "value": value} for name, value in values.items()]


def policy(name: str, selects: str, *, ingress: list[Json] | None = None, egress: list[Json] | None = None) -> Json:
    spec: Json = {"podSelector": {"matchLabels": {"app": selects}}}
    spec |= {"ingress": ingress} if ingress else {}
    spec |= {"egress": egress} if egress else {}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec}


def peer(app: str) -> Json:
    return {"podSelector": {"matchLabels": {"app": app}}}


# What may be called in most of these tests: an HTTP service, Redis, a broker of two ports, and a queue's namesake.
SHOP: tuple[Json, ...] = (
    workload("cart", ports=[{"containerPort": 7070}]),
    service("cart", 7070, name="http"),
    workload("redis", ports=[{"containerPort": 6379}]),
    service("redis", 6379),
    workload("broker", image="registry.example/rabbitmq:4"),
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "broker"},
        "spec": {
            "selector": {"app": "broker"},
            "ports": [{"port": 5672, "name": "amqp"}, {"port": 9672, "name": "http"}],
        },
    },
    workload("orders", ports=[{"containerPort": 80}]),
    service("orders", 80),
)


def written(folder: Path, *objects: Mapping[str, Any]) -> str:
    """A file of these objects."""
    file = folder / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(objects, sort_keys=False))
    return str(file)


def planned(folder: Path, *objects: Mapping[str, Any], **options: Any) -> Plan:
    return imported([written(folder, *objects)], "shop", **options)


def pairs(plan: Plan) -> set[tuple[str, str]]:
    return {(line.edge.caller.ref.name, line.edge.callee.ref.name) for line in plan.lines}


def line(plan: Plan, callee: str, caller: str = "web") -> Line:
    """The one edge between the two."""
    (found,) = [one for one in plan.lines if (one.edge.caller.ref.name, one.edge.callee.ref.name) == (caller, callee)]
    return found
