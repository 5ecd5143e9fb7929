"""Whose a finding on a live cluster is: the estate's and its platform's, the control plane's, or somebody else's.

Where Garrison manages namespaces of a cluster, `check --live` answers for those. What is in other people's namespaces
is read, counted and named, and does not fail the check; on a cluster without such namespaces everything counts. A
cluster's description says it once for admission and for this check (`admission_scope`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from garrison.cluster import Cluster
from garrison.defaults import (
    ADMITTED,
    MANAGED_BY,
    MANAGER,
    PART_OF,
    PLATFORM,
    PLATFORM_NAMESPACES,
    USERS,
)
from garrison.findings import count
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.own import ESTATE
from garrison_policies.language.rule import Finding
from garrison_policies.places.live import is_control_plane

ALWAYS = frozenset(rule.id for rule in ESTATE)  # said of the estate, wherever the object stands
SUBJECTS = "system:serviceaccounts:"


@dataclass
class Scope:
    """Divides findings; what it left out stays to be told.

    there: the cluster's description, where one was given; its scope is this check's.
    named: the namespaces of the graph, where one was given: they count whatever labels they have by now.
    app: its name. Where rules hold in an estate alone, another App's namespaces are for the check of that one.
    """

    inventory: Inventory
    system: bool = False
    everywhere: bool = False
    there: Cluster | None = None
    named: frozenset[str] = frozenset()
    app: str = ""
    control_plane: int = 0
    others: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        spaces = [item for item in self.inventory.objects if item.kind == "Namespace"]
        said = self.there.admission_scope if self.there else ""
        narrow = said in ("estate", "labelled")
        whose = (self.app, PLATFORM) if narrow and self.app else ()
        ours = [item for item in spaces if item.labels.get(MANAGED_BY) == MANAGER]
        estate = {item.name for item in ours if not whose or item.labels.get(PART_OF) in whose} | self.named
        if said == "labelled":
            estate |= {item.name for item in spaces if item.labels.get(ADMITTED[0]) == ADMITTED[1]}
        installed = {item.name for item in spaces if item.labels.get(PART_OF) == PLATFORM}
        platform = installed & {*PLATFORM_NAMESPACES, USERS.namespace} | (set() if narrow else {*PLATFORM_NAMESPACES})
        self.managed = frozenset(estate | platform if estate or narrow else ())
        self.narrow, self.everywhere = narrow, self.everywhere or said == "everywhere"

    def counted(self, findings: Iterable[Finding]) -> list[Finding]:
        """The findings that this check answers for."""
        return [found for found in findings if self._counts(found)]

    def _counts(self, found: Finding) -> bool:
        if found.object is None or found.rule in ALWAYS:
            return True
        own = self.there.system_namespaces if self.there else ()
        owner = self._owner(found.object)
        if is_control_plane(found.object, own) or owner in own:  # a role of the cluster is of those who use it
            self.control_plane += not self.system
            return self.system
        if owner is None or self.everywhere or not (self.managed or self.narrow):
            return True
        self.others[owner] += 1
        return False

    def _owner(self, item: Object) -> str | None:
        """The namespace of somebody else that an object belongs to; None for ours, and for what is of the cluster."""
        namespace = item.name if item.kind == "Namespace" else item.namespace
        if namespace:
            return None if namespace in self.managed else namespace
        used_by = self._namespaces_using(item)
        return min(used_by) if used_by and not used_by & self.managed else None

    def _namespaces_using(self, item: Object) -> frozenset[str]:
        """Where the accounts are to which it gives rights; empty where others have them, too."""
        bindings = [item] if item.kind.endswith("Binding") else self._bindings_of(item)
        found: set[str] = set()
        for binding in bindings:
            for subject in binding.body.get("subjects") or ():
                name = str(subject.get("name", ""))
                if subject.get("kind") == "ServiceAccount":
                    found.add(str(subject.get("namespace")))
                elif name.startswith(SUBJECTS):
                    found.add(name.removeprefix(SUBJECTS))
                else:
                    return frozenset()  # a person or a group of the cluster: the cluster's own matter
        return frozenset(found)

    def _bindings_of(self, role: Object) -> list[Object]:
        if role.kind != "ClusterRole":
            return []
        bindings = (item for item in self.inventory.objects if item.kind in ("RoleBinding", "ClusterRoleBinding"))
        return [b for b in bindings if b.body.get("roleRef", {}).get("name") == role.name]

    def remarks(self) -> list[str]:
        """What was left out, why, and how to count it."""
        said = []
        if self.control_plane:
            what = count(self.control_plane, "finding")
            said.append(f"{what} in the control plane's own objects not counted; --system counts them")
        if self.others:
            where = ", ".join(f"{name} {number}" for name, number in sorted(self.others.items()))
            what = count(self.others.total(), "finding")
            said.append(f"{what} in namespaces that {self._out()} not counted ({where}); --everywhere counts them")
        return said

    def _out(self) -> str:
        return (
            f"are not in admission's scope ({self.there.admission_scope})" if self.there else "Garrison does not manage"
        )
