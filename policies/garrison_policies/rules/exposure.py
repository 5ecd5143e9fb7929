"""Services and workloads together: what can be reached from outside, and which service leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from garrison import defaults as d
from garrison.findings import Severity
from garrison_policies.language.expr import MISSING, get
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.operators import Operated
from garrison_policies.language.rule import Hit, Rule
from garrison_policies.language.selectors import Labelled, by_labels
from garrison_policies.language.workloads import namespace, pods_by_label
from garrison_policies.rules.manifests import deployment, manifests
from garrison_policies.rules.services import EDGE

OUTSIDE = ("NodePort", "LoadBalancer")
ROUTES = ("Ingress", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")
Name = tuple[str, str]  # namespace and name of a service


def selecting_nothing(inventory: Inventory) -> Iterator[Hit]:
    """Services no pod and no written endpoint is behind; the API server keeps its own endpoints."""
    pods, backed = pods_by_label(inventory), _with_endpoints(inventory) | {("default", "kubernetes")}
    operated = Operated(inventory)
    for service in inventory.of("Service"):
        if get(service.body, "spec.type") == "ExternalName" or (namespace(service), service.name) in backed:
            continue
        labels = get(service.body, "spec.selector")
        if not labels or not isinstance(labels, Mapping):
            yield service, "spec.selector", "it has no selector, and no endpoints are written for it"
        elif (
            not operated.may_make(namespace(service), by_labels(labels)) and next(_behind(service, pods), None) is None
        ):
            yield service, "spec.selector", "selects no pod of its namespace"


def exposed(inventory: Inventory) -> Iterator[Hit]:
    """Each workload behind a service that opens a way in, or to which a route from outside leads; once.

    The edge is meant to be reached, where its own service leads to it and to nothing else.
    """
    pods, routed, seen = pods_by_label(inventory), _routed(inventory), set[Object]()
    for service in inventory.of("Service"):
        if _of_the_edge(service):
            continue
        way = _way_in(service, routed)
        for item in _behind(service, pods) if way else ():
            if item not in seen:
                seen.add(item)
                yield item, "metadata.labels", f"it can be reached from outside: {service} {way}"


def routes_to_nowhere(inventory: Inventory) -> Iterator[Hit]:
    """Ingresses whose service or port is not there: whoever creates it is served under this host."""
    ports = {(namespace(item), item.name): _ports(item) for item in inventory.of("Service")}
    for route in inventory.of("Ingress"):
        for name, port in dict.fromkeys(_backends(route)):
            if name not in ports:
                yield route, "spec", f"it routes to the service {name[1]}, which is not there"
            elif port and port not in ports[name]:
                yield route, "spec", f"it routes to port {port} of the service {name[1]}, which has no such port"


def _of_the_edge(service: Object) -> bool:
    mine = (namespace(service), service.name) == (d.EDGE.namespace, d.EDGE_SERVICE)
    return (
        mine and get(service.body, "spec.selector") == {d.NAME: d.EDGE.name} and EDGE.holds(service.body, service.body)
    )


def _behind(service: Object, pods: Labelled[Object]) -> Iterator[Object]:
    labels = get(service.body, "spec.selector")
    if isinstance(labels, Mapping) and labels:
        yield from pods.matching(namespace(service), by_labels(labels))


def _with_endpoints(inventory: Inventory) -> set[Name]:
    """Services whose endpoints somebody writes."""
    return {(namespace(item), item.name) for item in inventory.of("Endpoints")} | {
        (namespace(item), str(item.labels.get("kubernetes.io/service-name"))) for item in inventory.of("EndpointSlice")
    }


def _way_in(service: Object, routed: Mapping[Name, Object]) -> str:
    kind, addresses = get(service.body, "spec.type"), get(service.body, "spec.externalIPs")
    if kind in OUTSIDE:
        return f"is a {kind}"
    if isinstance(addresses, list) and addresses:
        return "claims external addresses"
    route = routed.get((namespace(service), service.name))
    return f"is served by {route}" if route else ""


def _routed(inventory: Inventory) -> dict[Name, Object]:
    """The services that routes from outside lead to, with one route each."""
    routes = (route for route in inventory.of(*ROUTES) if not _inside_the_mesh(route))
    return {name: route for route in routes for name, _ in _backends(route)}


def _inside_the_mesh(route: Object) -> bool:
    """Whether a Gateway API route hangs on services instead of gateways."""
    parents = get(route.body, "spec.parentRefs")
    return isinstance(parents, list) and all(
        isinstance(one, Mapping) and one.get("kind") == "Service" for one in parents
    )


def _backends(route: Object) -> Iterator[tuple[Name, str]]:
    """The services a route names, with the port where it names one, wherever its kind and version write them."""
    for part in _parts(route.body.get("spec")):
        service, references = part.get("service"), part.get("backendRefs")
        if isinstance(service, Mapping):
            port = get(service, "port.number"), get(service, "port.name")
            yield (namespace(route), str(service.get("name"))), "".join(str(one) for one in port if one is not MISSING)
        if isinstance(part.get("serviceName"), str):
            yield (namespace(route), part["serviceName"]), str(part.get("servicePort", ""))
        for one in references if isinstance(references, list) else ():
            if isinstance(one, Mapping) and one.get("kind", "Service") == "Service":
                yield (str(one.get("namespace") or namespace(route)), str(one.get("name"))), str(one.get("port", ""))


def _ports(service: Object) -> set[str]:
    """The numbers and names of a service's ports."""
    found = get(service.body, "spec.ports")
    ports = [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
    return {str(one[key]) for one in ports for key in ("port", "name") if key in one}


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every mapping in a value."""
    if isinstance(value, Mapping):
        yield value
    for one in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _parts(one)


def _service(app: str, more: str = "") -> str:
    return f"""
        apiVersion: v1
        kind: Service
        metadata: {{name: orders, namespace: shop}}
        spec: {{selector: {{app: {app}}}, ports: [{{port: 443}}]{more}}}
    """


def _ingress(service: str) -> str:
    return f"""
        apiVersion: networking.k8s.io/v1
        kind: Ingress
        metadata: {{name: orders, namespace: shop}}
        spec: {{defaultBackend: {{service: {{name: {service}, port: {{number: 443}}}}}}}}
    """


RULES = (
    Rule(
        id="service-dangling",
        title="a service selects something",
        severity=Severity.LOW,
        remedy="correct spec.selector, or remove the service: who deploys something with these labels gets its traffic",
        controls=("net.selector",),
        references=("NSA network separation", "OWASP K07"),
        look=selecting_nothing,
        good=manifests(deployment(), _service("orders")),
        bad=manifests(deployment(), _service("order")),
    ),
    Rule(
        id="exposed-workload",
        title="a workload is not reachable from outside of the cluster",
        severity=Severity.LOW,
        remedy="if it is meant to be, an exception with an owner says so; else remove the way in",
        controls=("net.exposed",),
        references=("NSA network separation", "OWASP K07"),
        look=exposed,
        good=manifests(deployment(), _service("orders")),
        bad=manifests(deployment(), _service("orders", ", type: LoadBalancer")),
    ),
    Rule(
        id="ingress-dangling",
        title="the services an Ingress names exist",
        severity=Severity.LOW,
        remedy="correct the name, or remove the Ingress: who creates a service of that name answers under its host",
        controls=(),
        references=("NSA network separation", "OWASP K07"),
        look=routes_to_nowhere,
        good=manifests(_service("orders"), _ingress("orders")),
        bad=manifests(_service("orders"), _ingress("order")),
    ),
)
