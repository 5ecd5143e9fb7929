"""The provider's configuration: arguments first, then the environment, then the defaults.

Names, environment variables and defaults are those of the official plugin.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.plugin.values import UNKNOWN, plain

_SWITCHES = {
    "enableConfigMapMutable": "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE",
    "enableSecretMutable": "PULUMI_K8S_ENABLE_SECRET_MUTABLE",
    "enablePatchForce": "PULUMI_K8S_ENABLE_PATCH_FORCE",
    "upsertExistingObjects": "PULUMI_K8S_UPSERT_EXISTING_OBJECTS",
    "deleteUnreachable": "PULUMI_K8S_DELETE_UNREACHABLE",
    "skipUpdateUnreachable": "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE",
}
# Accepted by the official plugin and changing what it does; refused here rather than ignored.
UNSUPPORTED = ("renderYamlToDirectory", "alwaysRender")


@dataclass(frozen=True)
class Settings:
    """What the provider was told."""

    kubeconfig: str = ""
    context: str = ""
    cluster: str = ""
    namespace: str = ""
    config_map_mutable: bool = False
    secret_mutable: bool = False
    patch_force: bool = False
    upsert: bool = False
    delete_unreachable: bool = False
    skip_unreachable: bool = False
    unknown: bool = False


def read(arguments: Mapping[str, Any]) -> Settings:
    """Settings from decoded provider arguments."""
    given = plain(arguments)

    def text(key: str) -> str:
        value = given.get(key)
        return value if isinstance(value, str) else ""

    def switch(key: str) -> bool:
        value = given.get(key, os.environ.get(_SWITCHES[key], ""))
        return str(value).lower() == "true"

    return Settings(
        kubeconfig=text("kubeconfig"),
        context=text("context"),
        cluster=text("cluster"),
        namespace=text("namespace"),
        config_map_mutable=switch("enableConfigMapMutable"),
        secret_mutable=switch("enableSecretMutable"),
        patch_force=switch("enablePatchForce"),
        upsert=switch("upsertExistingObjects"),
        delete_unreachable=switch("deleteUnreachable"),
        skip_unreachable=switch("skipUpdateUnreachable"),
        unknown=any(given.get(key) is UNKNOWN for key in ("kubeconfig", "context", "cluster")),
    )


def refused(arguments: Mapping[str, Any]) -> list[str]:
    """Arguments that this plugin cannot honour."""
    asked = [key for key in UNSUPPORTED if arguments.get(key)]
    client_side = str(plain(arguments).get("enableServerSideApply", "true")).lower() == "false"
    return [*asked, "enableServerSideApply=false"] if client_side else asked
