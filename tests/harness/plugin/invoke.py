"""Functions of the package that programs call: reading manifests from YAML text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from harness.plugin.errors import PluginError
from harness.plugin.objects import Obj
from harness.plugin.values import plain


def call(token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The result of an invoke."""
    if token != "kubernetes:yaml:decode":
        raise PluginError(f"{token} is not supported by the stand-in Kubernetes plugin")
    try:
        documents = list(yaml.safe_load_all(str(plain(arguments)["text"])))
    except yaml.YAMLError as problem:
        raise PluginError(f"kubernetes:yaml:decode: invalid YAML: {problem}") from problem
    return {"result": [item for document in documents if document for item in _items(document)]}


def _items(document: Obj) -> Iterator[Obj]:
    if str(document.get("kind", "")).endswith("List") and "items" in document:
        yield from document["items"]
    else:
        yield document
