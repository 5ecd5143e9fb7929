"""Type tokens such as `kubernetes:apps/v1:Deployment`, read off a resource's URN."""

from __future__ import annotations

from dataclasses import dataclass

from harness.plugin.errors import PluginError
from harness.plugin.objects import Obj

_NO_OBJECTS = {
    "helm.sh": "Helm releases are not supported by this plugin: render the chart instead",
    "yaml": "yaml components are not supported by this plugin: register the objects themselves",
    "kustomize": "kustomize is not supported by this plugin: render the objects instead",
}


@dataclass(frozen=True)
class Token:
    """What a URN says about an object. `patch`: it changes an object that someone else made."""

    api_version: str
    kind: str
    name: str
    patch: bool = False


def of_urn(urn: str, inputs: Obj) -> Token:
    """The token of a resource; raises PluginError for what is not one Kubernetes object."""
    kind_chain, _, name = urn.split("::", 2)[2].partition("::")
    module, _, kind = kind_chain.rpartition("$")[2].removeprefix("kubernetes:").rpartition(":")
    group, slash, version = module.partition("/")
    if group in _NO_OBJECTS:
        raise PluginError(_NO_OBJECTS[group])
    if not slash or not version:
        raise PluginError(f'"{module}:{kind}" does not name a group, a version and a kind')
    stated = str(inputs.get("kind") or "")
    patch = kind.endswith("Patch") and stated != kind
    kind = kind.removesuffix("Patch") if patch else kind
    if kind.endswith("List") and stated in ("", kind) and "items" in inputs:
        raise PluginError(f"{kind} cannot be created directly: register its items")
    api_version = version if group == "core" else module
    return Token(api_version, kind, name, patch)


def completed(inputs: Obj, token: Token) -> Obj:
    """The object with its apiVersion and kind, which plain manifests may leave to the token."""
    return {"apiVersion": token.api_version, "kind": token.kind, **inputs}
