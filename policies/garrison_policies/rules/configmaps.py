"""ConfigMaps: configuration everybody may read, and so no place for a credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from garrison.credentials import ABOUT, HARMLESS, IDENTIFIES, NAME, SETTING, VALUE
from garrison.findings import Severity
from garrison_policies.language.expr import All, Either, Entries, Matches, Not, Path, Predicate, at, get, present
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import CONFIG_MAPS


@dataclass(frozen=True)
class Pairs:
    """Of the map at `path`, every pair whose key satisfies `key` has a value that satisfies `value`."""

    path: Path
    key: Predicate
    value: Predicate

    def holds(self, it: Any, whole: Any) -> bool:
        found = get(it, self.path)
        pairs = found.items() if isinstance(found, Mapping) else ()
        return all(not self.key.holds(key, whole) or self.value.holds(value, whole) for key, value in pairs)

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        one, here = f"e{depth}", at(it, self.path)
        test = f"!{self.key.cel(one, whole, depth + 1)} || {self.value.cel(f'{here}[{one}]', whole, depth + 1)}"
        return f"(!({present(it, self.path)}) || {here}.all({one}, {test}))"


# A value of several lines is a file, and its lines are looked at.
_FILE = Matches("", r"\n.")
_ANNOUNCED = Either(
    All(Matches("", NAME), Not(Matches("", ABOUT))),
    Matches("", IDENTIFIES),  # half of a credential, and leaked with the other half
)

RULES = (
    Rule(
        id="secret-in-configmap",
        title="no credential stands in a ConfigMap",
        severity=Severity.HIGH,
        remedy="keep it in the secret store and the path to it in the ConfigMap",
        controls=("secret.configmap_plaintext",),
        references=("CIS 5.4.2", "NSA authentication and authorization", "OWASP K08"),
        checks=(
            Check(
                subject=CONFIG_MAPS,
                at="data",
                require=All(
                    Pairs("data", _ANNOUNCED, Either(Matches("", HARMLESS), _FILE)),
                    Entries("data", "", Not(Either(Matches("", VALUE), Matches("", SETTING)))),
                ),
            ),
        ),
        admission=False,
        why_not_admission="it is a guess by name and shape, and a wrong one would stop a deployment",
        good="""
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: orders, namespace: shop}
            data: {application.properties: "db.password=${DB_PASSWORD}"}
        """,
        bad="""
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: orders, namespace: shop}
            data: {application.properties: "db.password=hunter2"}
        """,
    ),
)
