"""Upstream charts, rendered unmodified by `helm template`. Helm is used as a function: no release is kept."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from garrison.errors import GarrisonError
from garrison.kube import OLDEST
from garrison.manifest import Manifest

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


class ChartError(GarrisonError):
    """A chart could not be rendered."""


@dataclass(frozen=True)
class Chart:
    """One chart and what we ask of it."""

    name: str
    namespace: str
    values: Mapping[str, Any]


def render(chart: Chart, folder: Path) -> list[Manifest]:
    """Every object of the chart with its CRDs, in the chart's own order."""
    command = ["helm", "template", chart.name, str(folder / chart.name), "--namespace", chart.namespace]
    command += ["--include-crds", "--kube-version", KUBERNETES, "--values", "-"]
    try:
        done = subprocess.run(
            command, input=json.dumps(chart.values), capture_output=True, text=True, check=False, timeout=120
        )
    except FileNotFoundError:
        raise ChartError("helm is not in PATH; it renders the platform's charts: install it, or use make up") from None
    except subprocess.TimeoutExpired:
        raise ChartError(f"helm did not render the chart {chart.name} within two minutes") from None
    if done.returncode != 0:
        raise ChartError(f"helm could not render the chart {chart.name}: {' '.join(done.stderr.split())}")
    loaded = yaml.load_all(done.stdout, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return [_placed(item, chart.namespace) for item in loaded if item]


def _placed(item: Manifest, namespace: str) -> Manifest:
    """Helm leaves the namespace to `install`; some templates name it, some do not."""
    if item["kind"] not in CLUSTER_WIDE:
        item["metadata"].setdefault("namespace", namespace)
    return item
