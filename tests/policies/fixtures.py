"""What the rules are tried on: texts as objects, and Kubernetes' own Pod Security fixtures."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from garrison_policies.language.evaluate import evaluate
from garrison_policies.language.objects import Inventory, Object, without_nulls
from garrison_policies.language.rule import Finding, Rule
from harness import build

LEVELS = ("baseline", "restricted")


@dataclass(frozen=True)
class Case:
    """One fixture of Pod Security: its level, its file without the number (the check's name), and the verdict."""

    level: str
    check: str
    passes: bool
    pod: Object


def objects(text: str, file: str = "") -> list[Object]:
    """The objects of a YAML text, as the API server would keep them."""
    documents = yaml.safe_load_all(textwrap.dedent(text))
    return [Object(without_nulls(body), file) for body in documents if isinstance(body, dict)]


def findings(rules: Iterable[Rule], found: Iterable[Object]) -> list[Finding]:
    return list(evaluate(rules, Inventory(tuple(found))))


@functools.cache
def pod_security() -> tuple[Case, ...]:
    """All fixtures of the newest version."""
    folder = build.obtain("fixtures")
    return tuple(case for level in LEVELS for case in _cases(folder / f"pod-security-{level}", level))


def _cases(folder: Path, level: str) -> Iterator[Case]:
    for path in sorted(folder.rglob("*.yaml")):
        (pod,) = objects(path.read_text(), f"{level}/{path.parent.name}/{path.name}")
        yield Case(level, path.stem.rstrip("0123456789"), path.parent.name == "pass", pod)
