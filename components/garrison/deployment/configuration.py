"""The settings of the stack that Pulumi runs: the only part of them that knows Pulumi."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pulumi

from garrison.errors import Problem
from garrison.settings import PREFIX, Settings, SettingsError, parse

ELSEWHERE = ("kubernetes:context", "kubernetes:kubeconfig")


def read(said: Mapping[str, str] | None = None) -> Settings:
    """The settings of the stack Pulumi runs. A missing tool or bad setting is one clear message each.

    They stand under `garrison:`, whatever the project is called; what stands under the project's name is the program's.

    said: the settings, where a program gives them itself; then the stack has none.
    """
    known = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    if astray := [key for key in ELSEWHERE if key in known]:
        remedy = "remove it; Garrison and Pulumi both use the current context of KUBECONFIG"
        raise SettingsError(
            [Problem(key, "would send Pulumi to another cluster than kubectl", remedy) for key in astray]
        )
    stack = {key.removeprefix(PREFIX): str(value) for key, value in known.items() if key.startswith(PREFIX)}
    if said is not None and stack:
        where, what = f"{PREFIX}{min(stack)}", "settings in the stack's file, and others in the program"
        raise SettingsError([Problem(where, what, "say all of them in one of the two")])
    return parse(stack if said is None else said, os.environ)
