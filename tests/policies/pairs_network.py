"""Network policies and services."""

from __future__ import annotations

from policies.written import HTTP, WEB, Pair, ingress, policy, service, workload, written

NAMESPACE = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"

PAIRS: list[Pair] = [
    (
        "net.policy_missing",
        "deny all",
        [workload(), policy("podSelector: {}, policyTypes: [Ingress, Egress]")],
        [workload()],
    ),
    (
        "net.policy_missing",
        "allow all",
        [workload(), policy("podSelector: {}, ingress: [{from: [{podSelector: {}}]}]")],
        [workload(), policy("podSelector: {}, ingress: [{}]")],
    ),
    (
        "net.policy_missing",
        "all namespaces",
        policy(WEB + ", ingress: [{from: [{namespaceSelector: {matchLabels: {a: b}}}]}]"),
        policy(WEB + ", ingress: [{from: [{namespaceSelector: {}}]}]"),
    ),
    (
        "net.policy_missing",
        "all addresses",
        policy(WEB + ", ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]"),
        policy(WEB + ", ingress: [{from: [{ipBlock: {cidr: '::/0'}}]}]"),
    ),
    (
        "net.policy_missing",
        "every port in words",
        policy(WEB + ", ingress: [{ports: [{port: 443}]}]"),
        policy(WEB + ", ingress: [{ports: [{protocol: TCP}]}]"),
    ),
    (
        "net.policy_missing",
        "every port in numbers",
        policy(WEB + ", ingress: [{ports: [{port: 1000, endPort: 2000}]}]"),
        policy(WEB + ", ingress: [{ports: [{port: 1, endPort: 65535}]}]"),
    ),
    (
        "net.policy_missing",
        "egress",
        policy(WEB + ", policyTypes: [Egress], egress: [{ports: [{port: 53}]}]"),
        policy(WEB + ", policyTypes: [Egress], egress: [{}]"),
    ),
    (
        "net.policy_missing",
        "rules of a direction it is not for",
        policy(WEB + ", policyTypes: [Egress], ingress: [{}]"),
        policy(WEB + ", policyTypes: [Ingress], ingress: [{}]"),
    ),
    (
        "net.policy_missing",
        "namespace",
        [workload(), policy("podSelector: {}")],
        [workload(), policy("podSelector: {}", namespace="bank")],
    ),
    (
        "net.policy_missing",
        "expression",
        [workload(), policy("podSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}")],
        [workload(), policy("podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}")],
    ),
    (
        "net.policy_missing",
        "one of two labels",
        [workload("app: web, tier: front"), policy(WEB)],
        [workload(), policy("podSelector: {matchLabels: {app: web, tier: front}}")],
    ),
    (
        "net.policy_dangling",
        "label",
        [workload(), policy(WEB)],
        [workload(), policy("podSelector: {matchLabels: {app: wob}}")],
    ),
    ("net.policy_dangling", "everybody", policy("podSelector: {}"), policy(WEB)),
    (
        "net.policy_dangling",
        "peer",
        [workload(), policy(WEB + ", ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]")],
        [workload(), policy(WEB + ", ingress: [{from: [{podSelector: {matchLabels: {app: wob}}}]}]")],
    ),
    (
        "net.policy_dangling",
        "peer elsewhere",
        [
            workload(),
            policy(WEB + ", egress: [{to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: dns}}}]}]"),
        ],
        [workload(), policy(WEB + ", egress: [{to: [{podSelector: {matchLabels: {app: dns}}}]}]")],
    ),
    ("net.selector", "no selector in a policy", policy("podSelector: {}"), policy("policyTypes: [Ingress]")),
    (
        "net.selector",
        "label",
        [workload("app: web, tier: front"), service("selector: {app: web}")],
        [workload(), service("selector: {app: web, tier: front}")],
    ),
    (
        "net.selector",
        "external name",
        service("type: ExternalName, externalName: db.example"),
        service("type: ClusterIP"),
    ),
    (
        "net.selector",
        "headless",
        [workload(kind="StatefulSet"), service("clusterIP: None, selector: {app: web}")],
        service("clusterIP: None, selector: {app: web}"),
    ),
    (
        "net.selector",
        "endpoints by hand",
        [service("ports: [{port: 80}]"), written("Endpoints", "subsets: []", name="service")],
        [service("ports: [{port: 80}]"), written("Endpoints", "subsets: []", name="other")],
    ),
    (
        "net.selector",
        "OpenShift",
        [workload(kind="DeploymentConfig"), service("selector: {app: web}")],
        [written("ConfigMap", "data: {}"), service("selector: {app: web}")],
    ),
    (
        "net.exposed",
        "type",
        [workload(), service("selector: {app: web}")],
        [workload(), service("type: LoadBalancer, selector: {app: web}")],
    ),
    (
        "net.exposed",
        "Ingress",
        [workload(), service("selector: {app: wob}"), ingress(f"rules: [{{{HTTP}}}]")],
        [workload(), service("selector: {app: web}"), ingress(f"rules: [{{{HTTP}}}]")],
    ),
    (
        "net.exposed",
        "route of a gateway",
        [
            workload(),
            service("selector: {app: web}"),
            written(
                "HTTPRoute",
                "spec: {parentRefs: [{kind: Service, name: service}], rules: [{backendRefs: [{name: service}]}]}",
            ),
        ],
        [
            workload(),
            service("selector: {app: web}"),
            written("HTTPRoute", "spec: {parentRefs: [{name: gateway}], rules: [{backendRefs: [{name: service}]}]}"),
        ],
    ),
    ("svc.nodeport", "type", service("type: LoadBalancer"), service("type: NodePort")),
    ("svc.loadbalancer", "type", service("type: NodePort"), service("type: LoadBalancer")),
    ("svc.exposed", "type", service("type: ClusterIP"), service("type: NodePort")),
    ("svc.external_ips", "addresses", service("externalIPs: []"), service("externalIPs: [203.0.113.7]")),
    (
        "net.policy_missing",
        "of a namespace",
        [NAMESPACE, policy("podSelector: {}")],
        [NAMESPACE, policy("podSelector: {}", namespace="bank")],
    ),
]
