"""What rolls a workload: a digest of the configuration that its pods mount, read off the objects themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from garrison.defaults import CONFIG_HASH, RELOADED
from garrison.manifest import Manifest, digest

Place = tuple[str, str]  # namespace, name
WORKLOADS = ("Deployment", "StatefulSet")


def rolled(manifests: Sequence[Manifest]) -> list[Manifest]:
    """The same objects, each workload with the digest of those ConfigMaps among them that it mounts and never reads
    again.
    """
    maps = {_place(item): item["data"] for item in manifests if item["kind"] == "ConfigMap" and not _reloaded(item)}
    return [_stamped(item, maps) if item["kind"] in WORKLOADS else item for item in manifests]


def _stamped(item: Manifest, maps: Mapping[Place, Mapping[str, str]]) -> Manifest:
    template = item["spec"]["template"]
    metadata = template["metadata"] | {"annotations": {CONFIG_HASH: digest(list(_texts(item, maps)))}}
    return item | {"spec": item["spec"] | {"template": template | {"metadata": metadata}}}


def _texts(item: Manifest, maps: Mapping[Place, Mapping[str, str]]) -> Iterator[str]:
    for volume in item["spec"]["template"]["spec"]["volumes"]:
        name = volume.get("configMap", {}).get("name", "")
        yield from maps.get((item["metadata"]["namespace"], name), {}).values()


def _reloaded(item: Manifest) -> bool:
    return RELOADED in item["metadata"]["labels"]


def _place(item: Manifest) -> Place:
    return item["metadata"]["namespace"], item["metadata"]["name"]
