"""Several Apps on one cluster: what is there once is one stack's, and nobody takes it over without a word."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Final

from garrison import defaults as d
from garrison.derive.names import admission_policy, guard_of, guards_another
from garrison.errors import Problem
from garrison.kube import kubectl
from garrison.settings import SettingsError
from garrison_stack.whole import Whole

GUARD: Final = admission_policy(guard_of(""))


def check(what: Whole) -> None:
    """Raises SettingsError where another App's stack has what this one would make, or lacks what this one relies on."""
    asked = ["get", "validatingadmissionpolicies", f"--selector={d.MANAGED_BY}={d.MANAGER}", "--output=json"]
    there = {item["metadata"]["name"] for item in json.loads(kubectl(asked))["items"]}
    if found := list(problems(what, there)):
        raise SettingsError(found)


def problems(what: Whole, there: Collection[str]) -> Iterator[Problem]:
    """What is wrong, given the admission policies that the cluster has."""
    own = f"{GUARD}{what.estate.graph.name}"
    others = sorted(name.removeprefix(GUARD) for name in there if guards_another(name, what.estate.graph.name))
    if what.settings.install_admission and others and own not in there:  # the first time
        said = f"App {others[0]} is on this cluster, and its stack makes the admission rules and the platform"
        remedy = (
            "set installAdmission, installCertManager, installTrustManager and installOpenbao to false, and issuer to "
            f"{what.settings.cluster.issuer} (docs/elsewhere.md); or was it this App's name: delete {GUARD}{others[0]}"
        )
        yield Problem("installAdmission", said, remedy)
    if missing := sorted({*what.relied} - {*there}):
        said = f"false, and nobody makes {missing[0]} on this cluster"
        yield Problem("installAdmission", said, "deploy the App that makes the rules first, or leave the setting out")
