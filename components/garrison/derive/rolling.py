"""What rolls a workload: a digest of the configuration that its pods mount, read off the objects themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from garrison.defaults import CONFIG_HASH, RELOADED
from garrison.manifest import Manifest, digest

Place = tuple[str, str]  # namespace, name
WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")


def rolled(manifests: Sequence[Manifest]) -> list[Manifest]:
    """The same objects, each workload with the digest of those ConfigMaps among them that it mounts and never reads
    again.
    """
    maps = {_place(item): item["data"] for item in manifests if item["kind"] == "ConfigMap" and not _reloaded(item)}
    return [
        item | {"spec": _stamped(item, item["spec"], maps)} if item["kind"] in WORKLOADS else item for item in manifests
    ]


def _stamped(item: Manifest, spec: Manifest, maps: Mapping[Place, Mapping[str, str]]) -> Manifest:
    if (runs := spec.get("jobTemplate")) is not None:
        return spec | {"jobTemplate": runs | {"spec": _stamped(item, runs["spec"], maps)}}
    template = spec["template"]
    texts = [*_texts(item["metadata"]["namespace"], template["spec"]["volumes"], maps)]
    metadata = template["metadata"] | {"annotations": {CONFIG_HASH: digest(texts)}}
    return spec | {"template": template | {"metadata": metadata}}


def _texts(namespace: str, volumes: Sequence[Manifest], maps: Mapping[Place, Mapping[str, str]]) -> Iterator[str]:
    for volume in volumes:
        name = volume.get("configMap", {}).get("name", "")
        yield from maps.get((namespace, name), {}).values()


def _reloaded(item: Manifest) -> bool:
    return RELOADED in item["metadata"]["labels"]


def _place(item: Manifest) -> Place:
    return item["metadata"]["namespace"], item["metadata"]["name"]
