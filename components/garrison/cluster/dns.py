"""Who answers names in the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from garrison.cluster.words import is_name
from garrison.errors import Problem

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Dns:
    """The pods that answer names: where they run, their labels and their port."""

    namespace: str = "kube-system"
    labels: Labels = (("k8s-app", "kube-dns"),)
    port: int = 53


def problems(dns: Any) -> Iterator[Problem]:
    text = isinstance(dns, Dns) and isinstance(dns.labels, tuple) and bool(dns.labels)
    if not text or not all(
        len(pair) == 2 and all(isinstance(word, str) and word for word in pair) for pair in dns.labels
    ):
        yield Problem("dns", "does not select pods by label", "give their labels, such as k8s-app: kube-dns")
    elif not is_name(dns.namespace):
        yield Problem("dns", f"{dns.namespace!r} is not a namespace", "name the one in which the resolver runs")
    elif type(dns.port) is not int or not 1 <= dns.port <= 65535:
        yield Problem("dns", f"{dns.port!r} is not a port", "use 1 to 65535")


def read(said: dict[str, Any]) -> Dns:
    """From JSON, whose fields are known; what does not fit is left for `problems` to tell."""
    labels = said.get("labels", [list(pair) for pair in Dns().labels])
    pairs = tuple(tuple(pair) for pair in labels if isinstance(pair, list)) if isinstance(labels, list) else labels
    return Dns(**said | {"labels": pairs})
