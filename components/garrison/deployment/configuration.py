"""The settings of the stack that Pulumi runs: the only part of them that knows Pulumi."""

from __future__ import annotations

import os

import pulumi

from garrison.errors import Problem
from garrison.settings import PREFIX, Settings, SettingsError, parse

ELSEWHERE = ("kubernetes:context", "kubernetes:kubeconfig")


def read() -> Settings:
    """The settings of the stack Pulumi runs. A missing tool or bad setting is one clear message each.

    They stand under `garrison:`, whatever the project is called; what stands under the project's name is the program's.
    """
    known = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    if astray := [key for key in ELSEWHERE if key in known]:
        remedy = "remove it; Garrison and Pulumi both use the current context of KUBECONFIG"
        raise SettingsError(
            [Problem(key, "would send Pulumi to another cluster than kubectl", remedy) for key in astray]
        )
    values = {key.removeprefix(PREFIX): str(value) for key, value in known.items() if key.startswith(PREFIX)}
    return parse(values, os.environ)
