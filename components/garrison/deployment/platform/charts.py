"""Upstream charts, rendered unmodified by `helm template`. Helm is used as a function: no release is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from garrison.deployment.platform import own_values, pulling
from garrison.deployment.platform.helm import ChartError, helm
from garrison.kube import OLDEST
from garrison.manifest import Manifest
from garrison.settings.charts import Charts

__all__ = ["Chart", "ChartError", "render"]

# Charts ask what cluster they are for. A fixed answer makes the same manifests everywhere; it is the oldest Kubernetes
# whose Pod Security and native sidecars everything here relies on.
KUBERNETES = ".".join(map(str, (*OLDEST, 0)))
# Cluster-wide kinds: everything else in a chart belongs to the namespace it is installed in.
CLUSTER_WIDE = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    }
)


@dataclass(frozen=True)
class Chart:
    """One chart and what we ask of it."""

    name: str
    namespace: str
    values: Mapping[str, Any]


def render(chart: Chart, where: Path | Charts, own: Path | None = None) -> list[Manifest]:
    """Every object of the chart with its CRDs, in the chart's own order.

    own: a file of values of one's own, under those that Garrison asks for.
    """
    place = _place(chart.name, where)
    ours = _rendered(chart, place, chart.values)
    if own is None:
        return ours
    made = _rendered(chart, place, own_values.merged(chart.name, chart.values, own))
    own_values.check(chart.name, own, ours, made)
    return made


def _place(name: str, where: Path | Charts) -> Path:
    found = (Charts.within(where) if isinstance(where, Path) else where).of(name)
    if found is None:
        raise ChartError(f"nobody says where the chart {name} is: name it in garrison:charts")
    return found if isinstance(found, Path) else pulling.archive(name, found)


def _rendered(chart: Chart, place: Path, values: Mapping[str, Any]) -> list[Manifest]:
    command = ["template", chart.name, str(place), "--namespace", chart.namespace]
    command += ["--include-crds", "--kube-version", KUBERNETES, "--values", "-"]
    said = helm(command, f"render the chart {chart.name}", stdin=json.dumps(values))
    loaded = yaml.load_all(said, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return [_placed(item, chart.namespace) for item in loaded if item]


def _placed(item: Manifest, namespace: str) -> Manifest:
    """Helm leaves the namespace to `install`; some templates name it, some do not."""
    if item["kind"] not in CLUSTER_WIDE:
        item["metadata"].setdefault("namespace", namespace)
    return item
