"""Ways in besides Ingress: Gateways, and routes of OpenShift, Traefik and Contour. TLS on each, hosts by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from garrison.findings import Severity
from garrison_policies.language.expr import All, Either, Every, Is, Matches, Not, Present, elements, get
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.rule import Check, Hit, Rule, Subject
from garrison_policies.language.workloads import namespace
from garrison_policies.rules.network import empty

_GATEWAY = "Gateway"  # of the Gateway API; Istio's is of another group, and told apart by its fields
_WHY_NOT = "which ways in there are is the choice of the cluster's owner"


def plain_listeners(inventory: Inventory) -> Iterator[Hit]:
    """Listeners without TLS, other than those of which every route only sends the caller on to HTTPS."""
    routes = list(inventory.of("HTTPRoute"))
    for gateway in inventory.of(_GATEWAY):
        for number, listener in enumerate(elements(get(gateway.body, "spec.listeners"))):
            if get(listener, "protocol") == "HTTP" and not _redirects(gateway, listener, routes):
                yield gateway, f"spec.listeners[{number}]", f"the listener {get(listener, 'name')} serves without TLS"


def _redirects(gateway: Object, listener: Any, routes: list[Object]) -> bool:
    attached = [route for route in routes if any(_attaches(one, gateway, listener, route) for one in _parents(route))]
    rules = [rule for route in attached for rule in elements(get(route.body, "spec.rules"))]
    return bool(rules) and all(
        any(get(one, "requestRedirect.scheme") == "https" for one in elements(get(rule, "filters"))) for rule in rules
    )


def _parents(route: Object) -> list[Any]:
    return [one for one in elements(get(route.body, "spec.parentRefs")) if isinstance(one, Mapping)]


def _attaches(parent: Mapping[str, Any], gateway: Object, listener: Any, route: Object) -> bool:
    there = str(parent.get("namespace") or namespace(route)), str(parent.get("name"))
    return there == (namespace(gateway), gateway.name) and parent.get("sectionName") in (None, get(listener, "name"))


def _gateway(listener: str) -> str:
    return f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: shop, namespace: shop}}
        spec: {{gatewayClassName: public, listeners: [{{{listener}}}]}}
    """


def _servers(port: str) -> str:
    return f"""
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata: {{name: shop, namespace: shop}}
        spec: {{servers: [{{hosts: [orders.example], {port}}}]}}
    """


_ISTIO = "Gateway.networking.istio.io"
_HTTPS = "name: https, protocol: HTTPS, port: 443, hostname: orders.example"
_CROWD = Is("allowedRoutes.namespaces.from", ("All",))

RULES = (
    Rule(
        id="gateway-tls",
        title="a Gateway serves over TLS, and without it only sends on to it",
        severity=Severity.HIGH,
        remedy="use the protocol HTTPS with a certificate; leave a listener for HTTP to routes that redirect",
        controls=("ingress.tls",),
        references=("NSA network separation", "OWASP K07"),
        look=plain_listeners,
        good=_gateway(_HTTPS),
        bad=_gateway("name: http, protocol: HTTP, port: 80, hostname: orders.example"),
    ),
    Rule(
        id="route-tls",
        title="what Istio, OpenShift, Traefik or Contour serves, they serve over TLS",
        severity=Severity.HIGH,
        remedy="write the section tls, and redirect plain HTTP to it",
        controls=("ingress.tls",),
        references=("NSA network separation", "OWASP K07"),
        checks=(
            Check(
                subject=Subject(kinds=(_ISTIO,), each=("spec.servers",)),
                at="port.protocol",
                require=Either(
                    Not(Matches("port.protocol", "(?i)^(HTTP|HTTP2|GRPC|GRPC-WEB)$")),
                    Is("tls.httpsRedirect", (True,)),
                    Present("tls.mode"),
                ),
            ),
            Check(
                subject=Subject(kinds=("Route",)),
                at="spec.tls",
                require=All(Present("spec.tls"), Not(Is("spec.tls.insecureEdgeTerminationPolicy", ("Allow",)))),
            ),
            Check(subject=Subject(kinds=("IngressRoute",)), at="spec.tls", require=Present("spec.tls")),
            Check(
                subject=Subject(kinds=("HTTPProxy",)),
                at="spec.virtualhost.tls",
                require=Either(Not(Present("spec.virtualhost")), Present("spec.virtualhost.tls")),
            ),
        ),
        admission=False,
        why_not_admission=_WHY_NOT,
        good=_servers("port: {number: 443, name: https, protocol: HTTPS}, tls: {mode: SIMPLE, credentialName: tls}"),
        bad=_servers("port: {number: 80, name: http, protocol: HTTP}"),
    ),
    Rule(
        id="gateway-host",
        title="a Gateway that takes routes of every namespace names its host",
        severity=Severity.MEDIUM,
        remedy="write the hostname of each listener out, or say in allowedRoutes whose routes it takes",
        controls=("ingress.wildcard_host",),
        references=("NSA network separation", "OWASP K07"),
        checks=(
            Check(
                subject=Subject(kinds=(_GATEWAY,), each=("spec.listeners",)),
                at="hostname",
                require=Either(Not(_CROWD), Matches("hostname", "^[^*]+$")),
            ),
            Check(
                subject=Subject(kinds=(_ISTIO,), each=("spec.servers",)),
                at="hosts",
                require=All(Not(empty("hosts")), Every("hosts", Not(Matches("", r"^([^/]*/)?[*]$")))),
            ),
        ),
        admission=False,
        why_not_admission=_WHY_NOT,
        good=_gateway(_HTTPS + ", allowedRoutes: {namespaces: {from: All}}"),
        bad=_gateway("name: https, protocol: HTTPS, port: 443, allowedRoutes: {namespaces: {from: All}}"),
    ),
)
