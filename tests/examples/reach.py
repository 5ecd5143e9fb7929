"""Who reaches whom, read from what is derived and from nothing else: the policies and both sidecars' configurations.

A pair counts where all three agree: both network policies let the packets through, the caller's proxy leads there, and
the callee's proxy lets this caller in. A chain without a rule would let in everybody of the trust domain, and is
everybody here, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from garrison import defaults as d
from unit.netmodel import allowed, pods

Json = dict[str, Any]
Where = tuple[str, str]  # namespace and name
EVERYBODY = "*"


@dataclass(frozen=True, order=True)
class Reached:
    caller: Where
    callee: Where
    server_name: str


def reached(manifests: Sequence[Json]) -> set[Reached]:
    found = pods(list(manifests))
    sidecars = {where: _sidecar(manifests, where) for where in found}
    lets = {where: dict(_lets_in(config)) for where, config in sidecars.items() if config}
    pairs = set()
    for caller, config in sidecars.items():
        for name, peer in _leads_to(config) if config else ():
            if not peer.startswith("spiffe://"):
                continue  # a host outside, as the gateway knows it
            for callee, chains in lets.items():
                inside = _name(peer) == callee and chains.get(name, chains.get("", set())) & {
                    _id(peer, caller),
                    EVERYBODY,
                }
                if inside and allowed(list(manifests), found[caller], found[callee], d.MTLS_PORT):
                    pairs.add(Reached(caller, callee, name))
    return pairs


def by_network(manifests: Sequence[Json]) -> set[tuple[Where, Where]]:
    """The pairs that the policies alone let through, to the port of mutual TLS."""
    found = pods(list(manifests))
    return {
        (one, other)
        for one in found
        for other in found
        if one != other and allowed(list(manifests), found[one], found[other], d.MTLS_PORT)
    }


def _sidecar(manifests: Sequence[Json], where: Where) -> Json | None:
    wanted = where[0], f"{where[1]}-proxy"
    for item in manifests:
        if item["kind"] == "ConfigMap" and (item["metadata"]["namespace"], item["metadata"]["name"]) == wanted:
            config: Json = json.loads(item["data"]["envoy.json"])["static_resources"]
            return config
    return None


def _lets_in(config: Json) -> Iterator[tuple[str, set[str]]]:
    """For each name that a caller may ask for, who is let in; the empty name is any other."""
    for listener in config["listeners"]:
        if [*_values(listener.get("address", {}), "port_value")] == [d.MTLS_PORT]:  # others are within the proxy
            for chain in listener["filter_chains"]:
                match = chain.get("filter_chain_match", {}).get("server_names", [""])
                yield from ((name, _callers(chain)) for name in match)


def _callers(chain: Json) -> set[str]:
    """Those whom both the handshake and the rules let pass."""
    asked = _values(chain["transport_socket"], "match_typed_subject_alt_names")
    exact = {text["matcher"]["exact"] for some in asked for text in some if "exact" in text["matcher"]}
    ruled = {name["exact"] for name in _values(chain["filters"], "principal_name")}
    if not ruled:
        return exact or {EVERYBODY}
    return ruled & exact if exact else ruled


def _leads_to(config: Json) -> Iterator[tuple[str, str]]:
    """The name that is asked for at each callee, and whom the caller's proxy wants to find there."""
    for cluster in config["clusters"]:
        names = [*_values(cluster, "sni")]
        peers = [
            text["matcher"]["exact"] for some in _values(cluster, "match_typed_subject_alt_names") for text in some
        ]
        yield from ((name, peer) for name in names for peer in peers)


def _values(value: Any, key: str) -> Iterator[Any]:
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        for inner in value.values():
            yield from _values(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, key)


def _name(identity: str) -> Where:
    """Namespace and service of a SPIFFE id."""
    parts = identity.split("/")
    return parts[-3], parts[-1]


def _id(like: str, where: Where) -> str:
    """The SPIFFE id of a service, in the trust domain of another."""
    return "/".join([*like.split("/")[:3], "ns", where[0], "sa", where[1]])
