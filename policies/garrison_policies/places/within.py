"""Where the rules hold at admission: a cluster on which other things live is theirs, and only the estate is judged.

The policies are an estate's own, by name, and so are their bindings, so that neither of two estates on one cluster
changes or takes away what holds for the other. A binding selects namespaces by names, which the API server puts on them
itself, or by a label that whoever may edit a namespace may give it.

What is said of identities (`EVERYWHERE`) holds in every namespace, whatever the scope: it speaks only of those who ask
the estate's own issuer, and whoever could ask from elsewhere in its name would be it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import EVERYBODY
from garrison.derive.names import CERTIFICATES
from garrison_policies.language.expr import literal
from garrison_policies.places.people import CONTROL_PLANE, deployer
from garrison_policies.places.policy import Mode, binding, namespaces, policy

Json = dict[str, Any]
EVERYWHERE: Final = (CERTIFICATES, "issuers")
LABEL, ENFORCED = d.ADMITTED
LABELLED: Final = {"matchLabels": {LABEL: ENFORCED}}


@dataclass(frozen=True, kw_only=True)
class Within:
    """A scope that is not everywhere.

    estate: whose policies they are. spaces: its namespaces, by name. labelled: whether those with the label are in it.
    """

    estate: str
    spaces: tuple[str, ...]
    labelled: bool = False

    def name(self, family: str) -> str:
        """Of a policy of this estate, and of the binding to its own namespaces."""
        return f"{family}-{self.estate}"

    def bindings(self, family: str, mode: Mode) -> Iterator[Json]:
        """What binds the family's policy."""
        yield binding(self.name(family), mode, within=namespaces("In", self.spaces))
        if self.labelled:
            yield binding(f"labelled-{self.name(family)}", mode, within=LABELLED, of=self.name(family))

    def conditions(self, kinds: Collection[str]) -> Iterator[dict[str, str]]:
        """A selector of namespaces passes over nothing that is in none of them: roles of the cluster are somebody
        else's here, and so are its bindings, unless they give rights to an account of the estate, or to everybody.
        """
        if "ClusterRole" in kinds:
            yield {"name": "not-of-the-cluster", "expression": "object.kind != 'ClusterRole'"}
        if "ClusterRoleBinding" in kinds:
            groups = [*EVERYBODY, *(f"system:serviceaccounts:{space}" for space in self.spaces)]
            own = f"s.kind == 'ServiceAccount' && has(s.namespace) && s.namespace in {literal(list(self.spaces))}"
            ours = f"has(object.subjects) && object.subjects.exists(s, s.name in {literal(groups)} || ({own}))"
            yield {"name": "of-the-estate", "expression": f"object.kind != 'ClusterRoleBinding' || ({ours})"}


def keeping(within: Within, deployers: Sequence[str], mode: Mode) -> list[Json]:
    """Who has the label is judged until a deployer takes it off; without this, its own editor could first leave."""
    if not within.labelled:
        return []
    has = f"has({{0}}.metadata.labels) && {literal(LABEL)} in {{0}}.metadata.labels && "
    has += f"{{0}}.metadata.labels[{literal(LABEL)}] == {literal(ENFORCED)}"
    kept = f"!({has.format('oldObject')}) || ({has.format('object')}) || {deployer(deployers)} || {CONTROL_PLANE}"
    text = f"admission-label: required: only a deployer takes {LABEL} off a namespace; ask one of them"
    name = within.name("label")
    rule = {"expression": kept, "message": text, "reason": "Forbidden"}
    made = policy(name, [("", "v1", ("namespaces",))], [rule], selector={}, operations=("UPDATE",))
    return [made, binding(name, mode)]


def scope(estate: str, spaces: Collection[str], said: str) -> Within | None:
    """The scope that a cluster's description says; None is everywhere."""
    if said == "everywhere":
        return None
    return Within(estate=estate, spaces=tuple(sorted(spaces)), labelled=said == "labelled")
