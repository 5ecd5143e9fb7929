"""The replicas of a workload as places that probes start from: one for each that a policy or proxy could tell apart."""

from __future__ import annotations

import json
from collections.abc import Sequence

from garrison.manifest import Manifest

CONTROLLERS = (  # labels by which a controller knows its own pods: with one of them it would take a clone for its own
    "pod-template-hash",
    "controller-revision-hash",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    *("batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name"),
)
SEEN = (
    "initContainers",
    "containers",
    "volumes",
    "serviceAccountName",
    "securityContext",
    "nodeSelector",
    "tolerations",
    "imagePullSecrets",
    "priorityClassName",
)


def made_by(owner: Manifest) -> Manifest:
    """The owner with the template of its pods where a Deployment has it, and without the labels of its own pods.

    A CronJob makes Jobs that make the pods; the API server writes a Job's own labels into its template.
    """
    spec = owner["spec"].get("jobTemplate", owner)["spec"]
    template = spec["template"]
    return {**owner, "spec": {"template": {**template, "metadata": {"labels": _anybodys(template["metadata"])}}}}


def distinct(owner: Manifest, live: Sequence[Manifest]) -> list[Manifest]:
    """The workload as its ready replicas are, once for those on the same node that differ in nothing.

    Where none is ready, as its owner would make them.
    """
    found: dict[str, Manifest] = {}
    for pod in live:
        template = _template(pod)
        found.setdefault(json.dumps(template, sort_keys=True), {**owner, "spec": {"template": template}})
    return list(found.values()) or [owner]


def _template(pod: Manifest) -> Manifest:
    spec = {key: pod["spec"][key] for key in SEEN if key in pod["spec"]}
    if node := pod["spec"].get("nodeName"):
        spec["affinity"] = _on(node)
    return {"metadata": {"labels": _anybodys(pod["metadata"])}, "spec": spec}


def _anybodys(metadata: Manifest) -> dict[str, str]:
    return {key: value for key, value in metadata.get("labels", {}).items() if key not in CONTROLLERS}


def _on(node: str) -> Manifest:
    """Bound to the node, by the scheduler's leave: it knows of taints and room."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
