"""Opening one layer so that another stands alone.

The network is opened by adding: NetworkPolicies are additive, so a policy that lets only the probe pods through does to
them what removing the real ones would, and the estate stays protected meanwhile. Identity is opened in a copy: a
probe pod whose proxy has the service's configuration without its demands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from garrison import defaults as d
from garrison.derive.names import APP
from garrison.manifest import Manifest
from garrison.prove.look.pods import LABEL, namespace_of
from garrison.prove.model import FREE_PORT

VERIFIED = "envoy.filters.http.jwt_authn"  # under whose name a verified token is found
RBAC_FILTERS = ("envoy.filters.http.rbac", "envoy.filters.network.rbac")
DOWNSTREAM, UPSTREAM = "DownstreamTlsContext", "UpstreamTlsContext"


def network(namespaces: Iterable[str], run: str) -> Iterator[Manifest]:
    """In each namespace: the probe pods may go anywhere in the cluster, and every pod may be reached by probe pods.

    Not to the internet: no probe goes there, and a policy that lets everything out is refused at admission.
    """
    probes, homes = {"matchLabels": {LABEL: run}}, [*namespaces, namespace_of(run)]
    known = {"matchExpressions": [{"key": d.NAMESPACE_LABEL, "operator": "In", "values": homes}]}
    reached = {"ingress": [{"from": [{"namespaceSelector": known, "podSelector": probes}]}], "policyTypes": ["Ingress"]}
    for namespace in homes[:-1]:
        yield _policy(
            namespace,
            "garrison-probe-out",
            run,
            {"podSelector": probes, "egress": [{"to": anywhere()}], "policyTypes": ["Egress"]},
        )
        yield _policy(namespace, "garrison-probe-in", run, {"podSelector": {}, **reached})


def anywhere() -> list[Manifest]:
    """Every address a cluster gives to its nodes, pods and services, as peers of a network policy."""
    return [{"ipBlock": {"cidr": cidr}} for cidr in d.API_SERVER_RANGES]


def _policy(namespace: str, name: str, run: str, spec: dict[str, Any]) -> Manifest:
    meta = {"name": name, "namespace": namespace, "labels": {LABEL: run}}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}


def identity(config: Mapping[str, str]) -> dict[str, str]:
    """A proxy's configuration without any demand on its callers."""
    for cut in ("authorisation", "client certificate"):  # the latter takes the names with it
        config = without(cut, config)
    return {name: _rewrite(text, _plain_copy) for name, text in config.items()}


def _plain_copy(node: Any) -> Any:
    """The copy's application is the probe tool, which speaks HTTP/1 whatever the service speaks."""
    for cluster in node.get("static_resources", {}).get("clusters", ()):
        if cluster["name"] == APP:
            for options in cluster.get("typed_extension_protocol_options", {}).values():
                options["explicit_http_config"] = {"http_protocol_options": {}}
    return node


def mistaken(config: Mapping[str, str]) -> dict[str, str]:
    """The gateway's configuration, which knows each host by a name that its certificate does not have."""
    return {name: _rewrite(text, _other_names) for name, text in config.items()}


def _other_names(node: Any) -> Any:
    for context in _of_hosts(node):
        for name in context.get("match_typed_subject_alt_names", ()):
            name["matcher"] = {"exact": f"garrison-probe.{name['matcher']['exact']}"}
    return node


def steered(config: Mapping[str, str]) -> dict[str, str]:
    """The gateway's configuration, in which each host is found beside it, where the probe tool answers in clear."""
    return {name: _rewrite(text, _beside) for name, text in config.items()}


def _beside(node: Any) -> Any:
    for cluster in _outside(node):
        cluster.pop("transport_socket", None)
        for group in cluster["load_assignment"]["endpoints"]:
            for one in group["lb_endpoints"]:
                one["endpoint"]["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": FREE_PORT}
        for found in _maps(cluster):
            if "upstream_port_range" in found:
                found["upstream_port_range"] = {"start": FREE_PORT, "end": FREE_PORT + 1}
    return node


def _outside(node: Any) -> list[dict[str, Any]]:
    """The clusters of hosts outside, which alone are found by DNS in a gateway."""
    return [one for one in node.get("static_resources", {}).get("clusters", ()) if one.get("type") == "STRICT_DNS"]


def _of_hosts(node: Any) -> Iterator[dict[str, Any]]:
    """What is demanded of the certificates of hosts outside."""
    return (
        found["validation_context"] for one in _outside(node) for found in _maps(one) if "validation_context" in found
    )


def _maps(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a value, however deep."""
    if isinstance(node, dict):
        yield node
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _maps(part)


def without(cut: str, config: Mapping[str, str]) -> dict[str, str]:
    """A proxy's configuration without one of its protections; the same text where there was nothing to take out."""
    return {name: _rewrite(text, CUTS[cut]) for name, text in config.items()}


def _rewrite(text: str, cut: Callable[[Any], Any]) -> str:
    return json.dumps(cut(json.loads(text)), sort_keys=True, separators=(",", ":"))


def _no_authorisation(node: Any) -> Any:
    """Without the RBAC filters."""
    if isinstance(node, list):
        return [_no_authorisation(item) for item in node if not _is_rule(item)]
    return {k: _no_authorisation(v) for k, v in node.items()} if isinstance(node, dict) else node


def _map(node: Any) -> bool:
    return isinstance(node, dict)


def _named(item: Any, name: str) -> bool:
    return _map(item) and item.get("name") == name


def _is_rule(item: Any) -> bool:
    return any(_named(item, name) for name in RBAC_FILTERS)


def _facing(which: str, change: Callable[[dict[str, Any]], None]) -> Callable[[Any], Any]:
    """A change of every TLS context that faces callers, or callees."""

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        copy = {key: walk(value) for key, value in node.items()}
        if str(copy.get("@type", "")).endswith(which):
            change(copy)
        return copy

    return walk


def _any_caller(node: Any) -> Any:
    """For every member of the trust domain what is for some callers of it."""
    for found in _maps(node):
        validation = found.get("default_validation_context", {})
        exact = [one["matcher"].get("exact", "") for one in validation.get("match_typed_subject_alt_names", ())]
        if "require_client_certificate" not in found and all(one.startswith("spiffe://") for one in exact) and exact:
            domain = "/".join(exact[0].split("/")[:3])
            names = [{"san_type": "URI", "matcher": {"prefix": f"{domain}/"}}]
            validation["match_typed_subject_alt_names"] = names
    return node


def _any_host(node: Any) -> Any:
    for context in _of_hosts(node):
        context.clear()
    return node


def _any_address(node: Any) -> Any:
    """Wherever a name leads."""
    for cluster in _outside(node):
        for options in cluster["typed_extension_protocol_options"].values():
            options.pop("http_filters", None)
    return node


def _any_inner(node: Any) -> Any:
    """Whatever an application says to a host of its own."""
    for listener in node.get("static_resources", {}).get("listeners", ()):
        if "internal_listener" in listener:
            for chain in listener["filter_chains"]:
                chain.pop("filter_chain_match", None)
    return node


def _no_names(node: Any) -> Any:
    """The RBAC filters' operations, for whoever has a certificate."""
    if isinstance(node, list):
        return [_no_names(item) for item in node]
    return {k: [{"any": True}] if k == "principals" else _no_names(v) for k, v in node.items()} if _map(node) else node


def _no_tokens(node: Any) -> Any:
    """The RBAC filters' operations for the same callers, with a user's token or without."""
    if isinstance(node, list):
        return [_no_tokens(item) for item in node]
    if not _map(node):
        return node
    return {k: [_peer(one) for one in v] if k == "principals" else _no_tokens(v) for k, v in node.items()}


def _peer(principal: Any) -> Any:
    """Of one that is a caller and a token: the caller."""
    return principal["and_ids"]["ids"][0] if VERIFIED in json.dumps(principal) else principal


def _claims_kept(node: Any) -> Any:
    """What callers say beside their requests goes on to the application."""
    listeners = node["static_resources"]["listeners"] if _map(node) and "static_resources" in node else []
    for manager in (
        one["typed_config"]
        for listener in listeners
        if _named(listener, "inbound")
        for chain in listener["filter_chains"]
        for one in chain["filters"]
        if "route_config" in one["typed_config"]
    ):
        manager.pop("early_header_mutation_extensions", None)
        for host in manager["route_config"]["virtual_hosts"]:
            for route in host["routes"]:
                route.get("route", {}).pop("host_rewrite_literal", None)
    return node


def _resumption(context: dict[str, Any]) -> None:
    for kind in ("stateless", "stateful"):
        context.pop(f"disable_{kind}_session_resumption", None)


def _optional_certificate(context: dict[str, Any]) -> None:
    """Both demands for one: Envoy's validator wants a certificate also where it has names to match."""
    context["require_client_certificate"] = False
    _any_name(context)


def _any_name(context: dict[str, Any]) -> None:
    validation = context["common_tls_context"].get("combined_validation_context", {})
    validation.get("default_validation_context", {}).pop("match_typed_subject_alt_names", None)


def _old_tls(context: dict[str, Any]) -> None:
    context["common_tls_context"]["tls_params"] = {"tls_minimum_protocol_version": "TLSv1_2"}


CUTS: Mapping[str, Callable[[Any], Any]] = {
    "authorisation": _no_authorisation,
    "client certificate": _facing(DOWNSTREAM, _optional_certificate),
    "trust domain": _facing(DOWNSTREAM, _any_name),
    "TLS version": _facing(DOWNSTREAM, _old_tls),
    "callers' names": _no_names,
    "whole handshakes": _facing(DOWNSTREAM, _resumption),
    "removal of claims": _claims_kept,
    "users' tokens": _no_tokens,
    "callee's name": _facing(UPSTREAM, _any_name),
    "exact callers": _any_caller,
    "hosts' certificates": _any_host,
    "the rule about addresses": _any_address,
    "applications' own handshakes": _any_inner,
}
