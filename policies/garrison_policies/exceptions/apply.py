"""Exceptions against findings: what stays open, what is covered, and which exceptions are themselves a finding."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from garrison_policies.exceptions.exempt import makes
from garrison_policies.exceptions.file import PolicyException
from garrison_policies.language.evaluate import finding
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.own import EXPIRED
from garrison_policies.language.rule import Finding


@dataclass(frozen=True)
class Outcome:
    """open: what nothing covers, expired exceptions among it. covered: the others, with the owner who answers for each.
    unused: exceptions whose object was checked and keeps the rule. absent: those whose object was not in this check.
    """

    open: tuple[Finding, ...]
    covered: tuple[tuple[Finding, PolicyException], ...]
    unused: tuple[PolicyException, ...]
    absent: tuple[PolicyException, ...]


def apply(
    findings: Iterable[Finding], exceptions: Iterable[PolicyException], inventory: Inventory, today: datetime.date
) -> Outcome:
    """Split the findings by the exceptions that hold today."""
    given = tuple(exceptions)
    holding = {_key(one): one for one in given if one.days_left(today) >= 0}
    by_uid = index(inventory)
    left: list[Finding] = []
    covered: list[tuple[Finding, PolicyException]] = []
    for found in findings:
        exception = _covering(found, holding, by_uid)
        if exception is None:
            left.append(found)
        else:
            covered.append((replace(found, exception=exception.owner), exception))
    idle = [one for one in holding.values() if one not in {exception for _, exception in covered}]
    there = {(item.kind, item.namespace, item.name) for item in inventory.objects}
    return Outcome(
        open=(*left, *(_expired(one) for one in given if one.days_left(today) < 0)),
        covered=tuple(covered),
        unused=tuple(one for one in idle if (one.kind, one.namespace, one.name) in there),
        absent=tuple(one for one in idle if (one.kind, one.namespace, one.name) not in there),
    )


def index(inventory: Inventory) -> dict[str, Object]:
    """Live objects by uid; those of files have none."""
    return {str(item.metadata["uid"]): item for item in inventory.objects if item.metadata.get("uid")}


def lineage(item: Object, by_uid: dict[str, Object]) -> Iterator[Object]:
    """The object, and the workloads whose controllers made it. An owner counts only if it exists with that uid."""
    yield item
    for reference in item.metadata.get("ownerReferences", ()):
        owner = by_uid.get(str(reference.get("uid"))) if reference.get("controller") is True else None
        if owner is not None and makes(owner.kind, item.kind) and owner.namespace == item.namespace:
            yield from lineage(owner, by_uid)


def _covering(
    found: Finding, holding: dict[tuple[str, ...], PolicyException], by_uid: dict[str, Object]
) -> PolicyException | None:
    if found.object is None:
        return None
    keys = ((found.rule, one.kind, one.namespace, one.name) for one in lineage(found.object, by_uid))
    return next((holding[key] for key in keys if key in holding), None)


def _key(exception: PolicyException) -> tuple[str, ...]:
    return exception.rule, exception.kind, exception.namespace, exception.name


def _expired(exception: PolicyException) -> Finding:
    metadata = {"name": exception.name, "namespace": exception.namespace}
    text = f"the exception from {exception.rule} expired on {exception.expires}; its owner is {exception.owner}"
    return finding(EXPIRED, Object({"kind": exception.kind, "metadata": metadata}), "", text)
