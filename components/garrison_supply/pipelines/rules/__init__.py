"""The catalogue: one list of rules, made of the modules beside this one."""

from __future__ import annotations

from typing import Any

from garrison_supply.pipelines.rule import Rule
from garrison_supply.pipelines.rules import (
    artifacts,
    downloads,
    gates,
    gitlab,
    injection,
    packages,
    pins,
    rights,
    secrets,
)

RULES: tuple[Rule[Any], ...] = (
    *pins.RULES,
    *rights.RULES,
    *secrets.RULES,
    *injection.RULES,
    *artifacts.RULES,
    *downloads.RULES,
    *packages.RULES,
    *gates.RULES,
    *gitlab.RULES,
)
