"""Services: which ways into the cluster they open by themselves."""

from __future__ import annotations

from garrison import defaults as d
from garrison.findings import Severity
from garrison_policies.language.expr import All, Either, Every, Is
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import SERVICES
from garrison_policies.rules.network import empty

# The one way in that a graph derives: the edge's own, to the port where it is the edge.
EDGE = All(
    Is("metadata.namespace", (d.EDGE.namespace,)),
    Is("metadata.name", (d.EDGE_SERVICE,)),
    Every("spec.ports", All(Is("port", (443,)), Is("targetPort", (d.EDGE_PORT,)))),
)


def _service(spec: str) -> str:
    return f"""
            apiVersion: v1
            kind: Service
            metadata: {{name: orders, namespace: shop}}
            spec: {{selector: {{app: orders}}, ports: [{{port: 443}}]{spec}}}
    """


RULES = (
    Rule(
        id="node-port-service",
        title="a service opens no port on the nodes",
        severity=Severity.MEDIUM,
        remedy="use type ClusterIP and let the edge be the only way in",
        controls=("svc.nodeport", "svc.exposed"),
        references=("NSA network separation", "OWASP K07"),
        checks=(
            Check(
                subject=SERVICES,
                at="spec.type",
                require=Either(Is("spec.type", ("ClusterIP", "ExternalName", "LoadBalancer"), absent=True), EDGE),
            ),
        ),
        good=_service(", type: ClusterIP"),
        bad=_service(", type: NodePort"),
    ),
    Rule(
        id="load-balancer-service",
        title="a service asks for no load balancer of its own",
        severity=Severity.LOW,
        remedy="use type ClusterIP behind the edge; a gateway's own service is an exception with an owner",
        controls=("svc.loadbalancer", "svc.exposed"),
        references=("NSA network separation", "OWASP K07"),
        checks=(
            Check(
                subject=SERVICES,
                at="spec.type",
                require=Either(Is("spec.type", ("ClusterIP", "ExternalName", "NodePort"), absent=True), EDGE),
            ),
        ),
        admission=False,
        why_not_admission="a gateway needs one, and its controller makes and remakes it",
        good=_service(", type: ClusterIP"),
        bad=_service(", type: LoadBalancer"),
    ),
    Rule(
        id="external-ip-service",
        title="a service claims no external address",
        severity=Severity.HIGH,
        remedy="remove spec.externalIPs: who writes it takes the traffic meant for that address (CVE-2020-8554)",
        controls=("svc.external_ips", "svc.exposed"),
        references=("CVE-2020-8554", "NSA network separation", "OWASP K07"),
        checks=(Check(subject=SERVICES, at="spec.externalIPs", require=empty("spec.externalIPs")),),
        good=_service(""),
        bad=_service(", externalIPs: [203.0.113.7]"),
    ),
)
