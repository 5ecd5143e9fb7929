"""Job layer: each job as a Job, or with a schedule as a CronJob, of the same hardened pod as a service without a port.

The proxy and the agent are native sidecars (init containers that go on): the pod ends when the application does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import workload
from garrison.manifest import Manifest, labels, manifest
from garrison.model.graph import Graph, Job

Json = dict[str, Any]
API = "batch/v1"


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    for job in graph.jobs:
        run = _run(graph, cluster, job)
        if job.schedule:
            yield manifest(API, "CronJob", job.ref, {"spec": _scheduled(graph, job, run)}, app=graph.name)
        else:
            yield manifest(API, "Job", job.ref, {"spec": run}, app=graph.name)


def _run(graph: Graph, cluster: Cluster, job: Job) -> Json:
    """One run: one pod at a time, and another one only when that has really ended.

    A node that is drained is no failure of the job: the pod is made anew elsewhere, also without retries.
    """
    drained = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    return {
        "activeDeadlineSeconds": job.seconds,
        "backoffLimit": job.retries,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {"rules": [drained]},
        "template": {
            "metadata": {"labels": workload.pod_labels(graph, job.worker)},
            "spec": workload.pod_spec(graph, cluster, job.worker, restartPolicy="Never"),
        },
    }


def _scheduled(graph: Graph, job: Job, run: Json) -> Json:
    """A run that is due while the one before goes on is left out."""
    good, failed = d.JOB_HISTORY
    return {
        "schedule": job.schedule,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": good,
        "failedJobsHistoryLimit": failed,
        "jobTemplate": {"metadata": {"labels": labels(job.name, graph.name)}, "spec": run},
    }
