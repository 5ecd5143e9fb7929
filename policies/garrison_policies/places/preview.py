"""The rules as a Pulumi policy pack: before each object is made, and once over the whole stack.

What one object shows is judged when the engine is about to make it, so that a violation stops `pulumi up` before
the cluster hears of it. What needs several objects, and whether the stack still is what the declared graph derives,
is judged over the stack, at preview already. Rules that the API server enforces too are mandatory here, and so is
every finding that is at least high; what is left is advice.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from garrison import places, verified
from garrison.findings import Severity
from garrison_policies.exceptions.apply import apply
from garrison_policies.exceptions.file import PolicyException, load_exceptions, open_findings
from garrison_policies.language.evaluate import judge, look
from garrison_policies.language.objects import Inventory, Object, without_nulls
from garrison_policies.language.own import EXPIRED
from garrison_policies.language.rule import Finding, Rule
from garrison_policies.places import signed
from garrison_policies.rules import RULES

PREFIX = "kubernetes:"
ESTATE = "garrison:index:Estate"
EXCEPTIONS = places.exceptions()
LEVELS = {True: EnforcementLevel.MANDATORY, False: EnforcementLevel.ADVISORY}


def policies(exceptions: Path = EXCEPTIONS) -> list[Policy]:
    """The policies of the pack: rules that stop a deployment, and advice, each for objects and for the stack."""
    allowed = load_exceptions(exceptions)
    listed = os.environ.get(verified.VARIABLE)
    rules = (*RULES, *signed.load(Path(listed) if listed else None))
    return [policy for stops in (True, False) for policy in _pair(stops, rules, allowed)]


def _pair(stops: bool, rules: Sequence[Rule], allowed: Sequence[PolicyException]) -> Iterator[Policy]:
    chosen = [rule for rule in rules if mandatory(rule) == stops]
    word = "required" if stops else "advised"

    def one(args: ResourceValidationArgs, report: ReportViolation) -> None:
        item = kubernetes_object(args.resource_type, args.props, args.name)
        if item is not None:
            found = [finding for rule in chosen for finding in judge(rule, item)]
            for left in open_findings(found, allowed):  # that one has expired is said once, of the stack
                report(text(left), None)

    def whole(args: StackValidationArgs, report: ReportViolation) -> None:
        urns, found = judged(args, chosen, estate=stops)
        for left in apply(found, allowed, Inventory(tuple(urns)), today()).open:
            if stops or left.rule != EXPIRED.id:
                report(text(left), urns.get(left.object) if left.object else None)

    yield ResourceValidationPolicy(
        f"{word}-of-objects", f"what is {word} of every object", one, enforcement_level=LEVELS[stops]
    )
    yield StackValidationPolicy(
        f"{word}-of-the-stack", f"what is {word} of the objects together", whole, enforcement_level=LEVELS[stops]
    )


def mandatory(rule: Rule) -> bool:
    """Whether breaking it stops a deployment."""
    return rule.at_admission or rule.severity >= Severity.HIGH


def judged(
    args: StackValidationArgs, rules: Sequence[Rule], *, estate: bool
) -> tuple[dict[Object, str], list[Finding]]:
    """The findings across objects, and the URN of each object."""
    urns: dict[Object, str] = {}
    for resource in args.resources:
        item = kubernetes_object(resource.resource_type, resource.props, resource.name)
        if item is not None:
            urns[item] = resource.urn
    inventory = Inventory(tuple(urns))
    found = [finding for rule in rules for finding in look(rule, inventory)]
    return urns, found + (list(_against_graph(args, inventory)) if estate else [])


def _against_graph(args: StackValidationArgs, inventory: Inventory) -> Iterator[Finding]:
    """Derive again from the graph and the cluster that each estate registers, and compare."""
    for resource in args.resources:
        if resource.resource_type == ESTATE:
            from garrison.cluster import Cluster
            from garrison.model.graph import Graph
            from garrison_policies.places.estate import compare

            said = plain(resource.props)
            graph, cluster = (json.dumps(said[name]) for name in ("graph", "cluster"))
            there, adjusted = Cluster.from_json(cluster), said.get("adjusted", [])
            yield from compare(Graph.from_json(graph), inventory, cluster=there, adjusted=adjusted)


def kubernetes_object(token: str, props: Mapping[str, Any], name: str) -> Object | None:
    """The object a Kubernetes resource describes; None for other resources.

    A field whose value is known only after another resource is made is left out at preview. The rules then judge it at
    `up`, when the engine asks again with the value.
    """
    if not token.startswith(PREFIX) or token.count(":") != 2 or token.startswith("kubernetes:helm."):
        return None
    body = without_nulls(plain(props))
    _, api, kind = token.split(":")
    body.setdefault("apiVersion", api.removeprefix("core/"))
    body.setdefault("kind", kind)
    body.setdefault("metadata", {}).setdefault("name", name)
    return Object(body, file=f"{token} {name}")


def plain(value: Any) -> Any:
    """Pulumi's proxies as plain data, with whole numbers as integers: the engine's protocol knows only doubles."""
    if isinstance(value, Mapping):
        return {key: known for key, known in _known(value) if not key.startswith("__")}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _known(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in value:
        try:
            yield key, plain(value[key])
        except UnknownValueError:
            continue


def today() -> datetime.date:
    """The day exceptions are held against, in UTC like the API server's."""
    return datetime.datetime.now(datetime.UTC).date()


def text(finding: Finding) -> str:
    """A violation as a sentence: which rule, where, what to do."""
    return f"{finding.rule}: {finding.message} [{finding.object}, {finding.path}]; {finding.remedy}"
