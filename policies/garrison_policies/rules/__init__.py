"""The catalogue: one module a family, one tuple of rules each."""

from __future__ import annotations

from garrison_policies.rule import Rule
from garrison_policies.rules import privileges

RULES: tuple[Rule, ...] = (*privileges.RULES,)
