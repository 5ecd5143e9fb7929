"""The pods that probes run in.

The pod of a service or job is its own live pod template with another application in it: same labels, service account,
certificate, proxy and proxy configuration, so to the network, its callees and the secret store it *is* the service.
A readiness gate that nobody ever opens keeps it out of every Service.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Literal

from garrison import defaults as d
from garrison.derive.names import APP, PROXY
from garrison.manifest import Manifest
from garrison.prove.model import FREE, FREE_PORT, Party, ProveError
from garrison.words import Ref

LABEL = "garrison.dev/probe"
ACCOUNT = "garrison-probe"  # of pods that are nobody: it has no rights, and no token is mounted
NEVER = "garrison.dev/never-ready"
Variant = Literal["", "-open", "-misled", "-mistaken", "-steered"]
GATEWAYS: Mapping[str, Variant] = {"mistaken": "-mistaken", "steered": "-steered"}  # copies of the egress gateway
EVERYWHERE = "0.0.0.0"  # noqa: S104  an undeclared pod hides nothing: what protects it must be around it
RESOURCES = {"requests": {"cpu": "5m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}}
LOG_AT_ONCE = ("--file-flush-interval-msec", "50")  # the reason of a refusal is wanted now, not in ten seconds
HOPELESS = ("InvalidImageName", "ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError")
KEPT = (
    "serviceAccountName",
    "securityContext",
    "nodeSelector",
    "affinity",
    "tolerations",
    "imagePullSecrets",
    "priorityClassName",
)


def short(run: str) -> str:
    """What a run is called where everybody reads it: its own word is the label that opens the network for its pods."""
    return hashlib.sha256(run.encode()).hexdigest()[:6]


def namespace_of(run: str) -> str:
    """The namespace that a run makes for what belongs to nobody."""
    return f"garrison-probe-{short(run)}"


def where(party: Party, run: str, variant: Variant = "", replica: int = 0) -> Ref:
    """The pod of a party's probes; its copy that makes no demands on callers, or that takes wrong turns.

    One for each of the party's replicas that differ.
    """
    stem = {"stray": "undeclared", "free": "free", "database": f"{party.name}-database"}.get(party.role, party.name)
    return Ref(
        namespace_of(run) if party == FREE else party.namespace,
        f"garrison-probe-{stem}{variant}{f'-r{replica + 1}' if replica else ''}",
    )


def clone(deployment: Manifest, *, name: str, run: str, image: str, port: int, config: str = "") -> Manifest:
    """A pod with the identity of a live workload; with `config`, its proxy takes that ConfigMap instead."""
    template = deepcopy(deployment["spec"]["template"])
    spec, namespace = template["spec"], deployment["metadata"]["namespace"]
    proxy = next((c for c in spec.get("initContainers", ()) if c["name"] == PROXY), None)
    if proxy is None:
        raise ProveError(f"{namespace}/{deployment['metadata']['name']} has no proxy: run `pulumi up` again")
    _passing(proxy)
    proxy["args"] = [*proxy.get("args", ()), *LOG_AT_ONCE]
    app = next(c for c in spec["containers"] if c["name"] == APP)
    mounts = [m for m in proxy["volumeMounts"] if m["mountPath"] in (d.IDENTITY_DIR, d.TRUST_DIR)]
    listen = _application(image, "127.0.0.1", port, app["securityContext"], mounts)
    volumes = [_instead(volume, config) for volume in _used(spec["volumes"], proxy["volumeMounts"])]
    body = {key: spec[key] for key in KEPT if key in spec}
    labels = template["metadata"].get("labels", {})
    return _pod(
        Ref(namespace, name),
        run,
        labels,
        {**body, "initContainers": [proxy], "containers": [listen], "volumes": volumes},
    )


def gateway(deployment: Manifest, ref: Ref, *, run: str, image: str, config: str) -> Manifest:
    """A copy of the egress gateway with its identity and network, and a configuration of the run's own."""
    template = deepcopy(deployment["spec"]["template"])
    spec = template["spec"]
    proxy = next((c for c in spec["containers"] if c["name"] == PROXY), None)
    if proxy is None:
        raise ProveError(f"Deployment {d.EGRESS} has no proxy: run `pulumi up` again")
    _passing(proxy)
    listen = _application(image, "127.0.0.1", FREE_PORT, d.container_security_context(d.APP_UID), [])
    body = {key: spec[key] for key in KEPT if key in spec}
    volumes = [_instead(volume, config) for volume in spec["volumes"]]
    labels = template["metadata"]["labels"]
    return _pod(ref, run, labels, {**body, "containers": [proxy, listen], "volumes": volumes})


def _passing(proxy: Manifest) -> None:
    """Of a copy that lives for minutes: it drains for nobody, and asks the scheduler for next to nothing."""
    proxy.pop("lifecycle", None)
    proxy["resources"] = {**proxy.get("resources", {}), "requests": RESOURCES["requests"]}


def mislead(pod: Manifest, names: Mapping[str, str]) -> Manifest:
    """The pod with names that lead to other addresses than the cluster's DNS says."""
    hosts: dict[str, list[str]] = {}
    for host, address in sorted(names.items()):
        hosts.setdefault(address, []).append(host)
    pod["spec"]["hostAliases"] = [{"ip": address, "hostnames": found} for address, found in hosts.items()]
    return pod


def stand_in(party: Party, ref: Ref, *, run: str, image: str, owner: Manifest | None = None) -> Manifest:
    """A pod without an identity of its own, or (for a database) with the labels and service account of its owner."""
    labels = {d.NAME: f"garrison-probe-{party.role}"}
    body: dict[str, Any] = {"securityContext": d.pod_security_context(), "serviceAccountName": ACCOUNT}
    if owner:
        labels = owner["spec"]["template"]["metadata"]["labels"]
        like = owner["spec"]["template"]["spec"]
        body |= {key: like[key] for key in ("serviceAccountName", "affinity", "tolerations") if key in like}
    listen = _application(image, EVERYWHERE, FREE_PORT, d.container_security_context(d.APP_UID), [])
    return _pod(ref, run, labels, {**body, "containers": [listen]})


def account(namespace: str, run: str) -> Manifest:
    """The service account of a run's pods that have none of their own."""
    meta = {"name": ACCOUNT, "namespace": namespace, "labels": {LABEL: run}}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta, "automountServiceAccountToken": False}


def ready(pod: Manifest) -> bool:
    """Whether the kubelet says so, and nobody is deleting it."""
    conditions = pod["status"].get("conditions", ())
    good = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return good and "deletionTimestamp" not in pod["metadata"]


def complaints(pod: Manifest) -> list[str]:
    """Why a pod does not run, in the words of the scheduler and the kubelet."""
    status, name = pod.get("status", {}), pod["metadata"]["name"]
    found = [
        f"{name}: {waiting['reason']} {waiting.get('message', '')}".strip()
        for kind in ("initContainerStatuses", "containerStatuses")
        for container in status.get(kind, ())
        if (waiting := container.get("state", {}).get("waiting")) and waiting.get("reason") != "PodInitializing"
    ]
    unscheduled = [c for c in status.get("conditions", ()) if c["type"] == "PodScheduled" and c["status"] == "False"]
    return found + [f"{name}: {condition.get('message', '')}" for condition in unscheduled]


def _pod(ref: Ref, run: str, labels: dict[str, str], spec: dict[str, Any]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": ref.name, "namespace": ref.namespace, "labels": {**labels, LABEL: run}},
        "spec": {
            **spec,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "readinessGates": [{"conditionType": NEVER}],
            "terminationGracePeriodSeconds": 1,
        },
    }


def _application(image: str, host: str, port: int, security: Any, mounts: list[Any]) -> Manifest:
    return {
        "name": APP,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "prober", "serve", host, str(port)],
        "resources": RESOURCES,
        "securityContext": security,
        "volumeMounts": mounts,
    }


def _used(volumes: list[Any], mounts: list[Any]) -> list[Any]:
    names = {mount["name"] for mount in mounts}
    return [volume for volume in volumes if volume["name"] in names]


def _instead(volume: dict[str, Any], config: str) -> dict[str, Any]:
    """The proxy's own configuration volume is the ConfigMap that is not the trust bundle."""
    source = volume.get("configMap")
    if not config or not source or source["name"] == d.TRUST_BUNDLE:
        return volume
    return {**volume, "configMap": {**source, "name": config}}
