"""Edges that network policies show: of one workload to one workload, by the labels of both.

A peer that selects several workloads, a namespace or everything is permission, not evidence: it is said and not taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from garrison_import.read.parts import Service, ServicePort, Workload
from garrison_import.read.shapes import Json, mapping, mappings, within, word
from garrison_import.read.world import World
from garrison_policies.language.objects import Object
from garrison_policies.language.selectors import is_empty

Pair = tuple[Workload, Workload, Service, ServicePort | None, str]


def pairs(world: World, told: list[tuple[str, str, str]]) -> Iterator[Pair]:
    """Caller, callee, the Service between them, its port where one is meant, and the policy's name."""
    for policy in world.objects:
        if policy.known_as == "NetworkPolicy":
            yield from _pairs(policy, world, told)


def _pairs(policy: Object, world: World, told: list[tuple[str, str, str]]) -> Iterator[Pair]:
    here = world.ref(policy).namespace
    selector = mapping(within(policy.body, "spec", "podSelector"))
    subjects = [] if is_empty(selector) else world.selected(here, selector)
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for rule in mappings(within(policy.body, "spec", direction)):
            for peer in mappings(rule.get(peers)):
                others = _peers(peer, here, world)
                if len(subjects) != 1 or len(others) != 1:
                    _tell(policy, direction, subjects, others, told)
                    continue
                caller, callee = (others[0], subjects[0]) if direction == "ingress" else (subjects[0], others[0])
                if caller is not callee:
                    yield from _ports(rule.get("ports"), caller, callee, world, f"NetworkPolicy {policy.name}")


def _peers(peer: Json, here: str, world: World) -> list[Workload]:
    """The workloads of one peer: those of its own namespace, unless its namespaces are told by their names."""
    selector = mapping(peer.get("podSelector"))
    if "podSelector" not in peer or is_empty(selector):
        return []
    spaces = [here]
    if "namespaceSelector" in peer:
        name = word(within(peer, "namespaceSelector", "matchLabels", "kubernetes.io/metadata.name"))
        spaces = [name] if name else sorted({work.ref.namespace for work in world.workloads})
    return [work for space in spaces for work in world.selected(space, selector)]


def _ports(said: Any, caller: Workload, callee: Workload, world: World, where: str) -> Iterator[Pair]:
    """The ports of a rule are those of pods; a rule without ports is about any."""
    ports = [(service, port) for service in world.serving(callee) for port in service.ports if port.target]
    if not ports:
        return
    if not mappings(said):
        service, port = ports[0]
        yield caller, callee, service, port if len({one.target for _, one in ports}) == 1 else None, where
        return
    named = {name: number for box in (callee.main, *callee.beside) for number, name in box.ports if name}
    for one in mappings(said):
        number = named.get(word(one.get("port"))) or word(one.get("port"))
        if word(one.get("protocol")) in ("", "TCP") and "endPort" not in one:
            match = next((pair for pair in ports if str(pair[1].target) == str(number)), None)
            if match:
                yield caller, callee, match[0], match[1], where


def _tell(
    policy: Object,
    direction: str,
    subjects: list[Workload],
    others: list[Workload],
    told: list[tuple[str, str, str]],
) -> None:
    """Selectors that select nothing are told with the rules' own findings; here only what is too wide."""
    if subjects and len(subjects) * len(others) > 1:
        callers, callees = (others, subjects) if direction == "ingress" else (subjects, others)
        left, right = (", ".join(one.ref.name for one in side) for side in (callers, callees))
        told.append(
            (
                str(policy),
                f"permits {left} to reach {right}, which need not mean that each calls each",
                "say the calls that there are",
            )
        )
