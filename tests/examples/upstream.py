"""What upstream's manifests say, where a workspace keeps them beside the checkout: workloads, variables and names.

They are never needed: the tables beside this file are compared with the programs always, and with these where they are
here, so that nobody has to believe the tables.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from harness.paths import REPO

APPS = REPO.parent / "shared" / "apps"
Json = dict[str, Any]
# What of each application is deployed; its extras, policies and autoscalers stand in other folders.
FILES = {
    "online_boutique": ("online-boutique/release/kubernetes-manifests.yaml",),
    "bank_of_anthos": (
        "bank-of-anthos/kubernetes-manifests/*.yaml",
        "bank-of-anthos/extras/cloudsql/populate-jobs/*.yaml",
    ),
    "sock_shop": ("sock-shop/deploy/kubernetes/manifests/*.y*ml",),
    "aks_store": ("aks-store-demo/aks-store-all-in-one.yaml", "aks-store-demo/ai-service.yaml"),
    "robot_shop": ("robot-shop/rendered.yaml", "robot-shop/K8s/load-deployment.yaml"),
    "petclinic": ("spring-petclinic-cloud/k8s/*.yaml", "spring-petclinic-cloud/k8s/init-services/*.yaml"),
}
POLICIES = {
    "online_boutique": "online-boutique/kustomize/components/network-policies/*.yaml",
    "sock_shop": "sock-shop/deploy/kubernetes/manifests-policy/*.yaml",
}
WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")


@dataclass(frozen=True)
class Workload:
    """One workload: its images, its variables with the values that are written down, and the texts it starts with."""

    name: str
    images: tuple[str, ...]
    variables: Mapping[str, str] = field(hash=False)
    texts: tuple[str, ...] = ()


def here(app: str) -> bool:
    return any(True for pattern in FILES[app] for _ in APPS.glob(pattern))


def documents(*patterns: str) -> Iterator[Json]:
    for pattern in patterns:
        for path in sorted(APPS.glob(pattern)):
            yield from (item for item in yaml.load_all(path.read_text(), Lenient) if item)


class Lenient(yaml.SafeLoader):
    """As kubectl reads it: of a key that stands twice the last one counts, which SafeLoader does by itself."""


@functools.cache
def workloads(app: str) -> Mapping[str, Workload]:
    items = list(documents(*FILES[app]))
    kept = {(item["kind"], item["metadata"]["name"]): item.get("data") or {} for item in items}
    found = {}
    for item in items:
        if item["kind"] in WORKLOADS:
            spec, name = item["spec"]["template"]["spec"], item["metadata"]["name"]
            variables: dict[str, str] = {}
            for container in spec["containers"]:
                variables |= dict(_variables(container, kept))
            texts = [text for one in (*spec["containers"], *spec.get("initContainers", ())) for text in _texts(one)]
            images = tuple(container["image"] for container in spec["containers"])
            found[name] = Workload(name, images, variables, tuple(texts))
    return found


def services(app: str) -> Mapping[str, str]:
    """The workload behind each Service; of two for one workload, both."""
    items = list(documents(*FILES[app]))
    pods = {
        item["metadata"]["name"]: item["spec"]["template"]["metadata"]["labels"]
        for item in items
        if item["kind"] in WORKLOADS and "selector" in item["spec"]
    }
    selectors = {i["metadata"]["name"]: i["spec"]["selector"].items() for i in items if i["kind"] == "Service"}
    return {
        name: next(pod for pod, labels in pods.items() if wanted <= labels.items())
        for name, wanted in selectors.items()
    }


def named(app: str) -> set[tuple[str, str, str]]:
    """Who names whom: caller, callee and the variable; `-` where it is in a command."""
    behind = services(app)
    found = set()
    for workload in workloads(app).values():
        said = [*workload.variables.items(), *(("-", text) for text in workload.texts)]
        found |= {
            (workload.name, callee, variable)
            for variable, text in said
            for host, callee in behind.items()
            if re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", text) and callee != workload.name
        }
    return found


def permitted(app: str) -> set[tuple[str, str]]:
    """The pairs that upstream's own network policies name, by the labels that they use."""
    found = set()
    for item in documents(POLICIES[app]):
        if item["kind"] == "NetworkPolicy":
            callee = _label(item["spec"]["podSelector"])
            peers = [peer for rule in item["spec"].get("ingress") or () for peer in rule.get("from") or ()]
            found |= {(_label(peer["podSelector"]), callee) for peer in peers if "podSelector" in peer}
    return found


def _label(selector: Json) -> str:
    return str(next(iter((selector.get("matchLabels") or {"": ""}).values())))


def _variables(container: Json, kept: Mapping[tuple[str, str], Json]) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom", ()):
        kind, key = ("ConfigMap", "configMapRef") if "configMapRef" in source else ("Secret", "secretRef")
        yield from (
            (name, value if kind == "ConfigMap" else "") for name, value in kept[kind, source[key]["name"]].items()
        )
    for one in container.get("env", ()):
        reference = one.get("valueFrom", {}).get("configMapKeyRef")
        source = kept.get(("ConfigMap", reference["name"]), {}) if reference else {}
        yield one["name"], str(one.get("value", source.get(reference["key"], "") if reference else ""))


def _texts(container: Json) -> Iterator[str]:
    yield from (str(text) for word in ("command", "args") for text in container.get(word, ()))
