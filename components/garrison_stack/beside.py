"""Several Apps on one cluster: what is there once is one stack's, and nobody takes it over without a word."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from garrison import defaults as d
from garrison.derive.names import admission_policy, guard_of, guards_another
from garrison.errors import Problem
from garrison.kube import kubectl
from garrison.settings import SettingsError
from garrison_stack.whole import Whole

GUARD: Final = admission_policy(guard_of(""))


def check(what: Whole) -> None:
    """Raises SettingsError where another App's stack has what this one would make, or lacks what this one relies on."""
    policies = {item["name"] for item in _managed("validatingadmissionpolicies")}
    spaces = {item["name"]: item["labels"].get(d.PART_OF, "") for item in _managed("namespaces")}
    if found := [*taken(what, spaces), *problems(what, policies), *twice(what, policies, spaces)]:
        raise SettingsError(found)


def _managed(kind: str) -> list[dict[str, Any]]:
    """The metadata of Garrison's own objects of a kind."""
    text = kubectl(["get", kind, f"--selector={d.MANAGED_BY}={d.MANAGER}", "--output=json"])
    return [item["metadata"] for item in json.loads(text)["items"]]


def taken(what: Whole, spaces: Mapping[str, str]) -> Iterator[Problem]:
    """Namespaces that would be taken from another App, given whose those on the cluster are.

    Two graphs that read each other say this earlier; these may never have heard of each other.
    """
    graph = what.estate.graph
    for name in graph.spaces:
        if (owner := spaces.get(name, graph.name)) not in (graph.name, d.PLATFORM):
            remedy = (
                f"rename it, or let one serve both where it is a gateway's (docs/elsewhere.md); or was {owner} "
                f"this App's name: kubectl label namespace {name} {d.PART_OF}={graph.name} --overwrite"
            )
            yield Problem(f"namespace {name}", f"belongs to App {owner} on this cluster", remedy)


def problems(what: Whole, there: Collection[str]) -> Iterator[Problem]:
    """What is wrong, given the admission policies that the cluster has."""
    others = _others(what, there)
    apart = [other for other in others if admission_policy(f"workloads-{other}") in there]
    if what.settings.install_admission and others and _new(what, there):
        said = f"App {others[0]} is on this cluster, and its stack makes the admission rules and the platform"
        settings = [f"issuer to {what.settings.cluster.issuer}", *(["admissionScope to estate"] if apart else [])]
        remedy = (
            "set installAdmission, installCertManager, installTrustManager and installOpenbao to false, and "
            f"{' and '.join(settings)}, without trustCa (docs/elsewhere.md); or was it this App's name: delete "
            f"{GUARD}{others[0]}"
        )
        yield Problem("installAdmission", said, remedy)
    if missing := sorted({*what.relied} - {*there}):
        said = f"false, and nobody makes {missing[0]} on this cluster"
        remedy = "deploy the App that makes the rules first, or leave the setting out"
        if apart:
            remedy = f"the rules of App {apart[0]} hold in its own namespaces alone: set admissionScope to estate, too"
        yield Problem("installAdmission", said, remedy)


def twice(what: Whole, there: Collection[str], spaces: Mapping[str, str]) -> Iterator[Problem]:
    """What a new App would take over of a platform that another App stands on, and take with it when it goes.

    Where there is an App, there are cert-manager, trust-manager and the trust bundle; OpenBao may be elsewhere.
    """
    settings, others = what.settings, _others(what, there)
    if settings.install_admission or not others or not _new(what, there):
        return
    made = {
        "installCertManager": settings.install_cert_manager,
        "installTrustManager": settings.install_trust_manager,
        "installOpenbao": settings.install_openbao and spaces.get(d.STORE_NAMESPACE) == d.PLATFORM,
    }
    for name in (name for name, wanted in made.items() if wanted):
        yield Problem(name, f"true, and App {others[0]} stands on what is there", f"set {name} to false")
    if settings.trust_ca:
        said = f"set, and App {others[0]} stands on the trust bundle that is there"
        yield Problem("trustCa", said, "leave it out: a cluster has one, and it names whom both trust")


def _others(what: Whole, there: Collection[str]) -> list[str]:
    """The Apps on the cluster beside this one."""
    return sorted(name.removeprefix(GUARD) for name in there if guards_another(name, what.estate.graph.name))


def _new(what: Whole, there: Collection[str]) -> bool:
    """Whether this App is on the cluster for the first time."""
    return f"{GUARD}{what.estate.graph.name}" not in there
