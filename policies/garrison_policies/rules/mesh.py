"""Service meshes: whoever runs one has every workload in it, with mutual TLS and no way around.

Garrison's own workloads carry their sidecars in their manifests and need no mesh; its namespaces say so by their
label. For other people's manifests these are opinions, so the API server does not refuse by them.
"""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.expr import All, Either, Entries, Is, Not, Predicate, Present
from garrison_policies.language.rule import Check, Rule, Subject
from garrison_policies.language.subjects import NAMESPACES, POD
from garrison_policies.rules.manifests import manifests

_ANNOTATIONS = "metadata.annotations"
_WHY_NOT = "a mesh is a choice of the cluster's owner, and the mesh's own webhooks enforce it"


def _label(name: str, *values: str) -> Predicate:
    return Is(("metadata", "labels", name), values)


def _annotation(name: str, *values: str) -> Predicate:
    return Is(("metadata", "annotations", name), values)


_JOINS = Either(
    _label("istio-injection", "enabled"),
    _label("istio.io/dataplane-mode", "ambient"),
    All(Present(("metadata", "labels", "istio.io/rev")), Not(_label("istio-injection", "disabled"))),
    _annotation("linkerd.io/inject", "enabled", "ingress"),
    _label("app.kubernetes.io/managed-by", "garrison"),
)
_LEAVES = Either(
    _label("sidecar.istio.io/inject", "false"),
    _annotation("sidecar.istio.io/inject", "false"),
    _label("istio.io/dataplane-mode", "none"),
    _annotation("linkerd.io/inject", "disabled"),
)
_AROUND = r"^traffic\.sidecar\.istio\.io/exclude(In|Out)bound|^config\.linkerd\.io/skip-(in|out)bound-ports$"
_PERMISSIVE = ("PERMISSIVE", "DISABLE")


def _namespace(metadata: str) -> str:
    return f"""
            apiVersion: v1
            kind: Namespace
            metadata: {{name: shop, {metadata}}}
    """


def _pod(metadata: str) -> str:
    return f"""
            apiVersion: v1
            kind: Pod
            metadata: {{name: orders, namespace: shop{metadata}}}
            spec: {{containers: [{{name: app, image: registry.example/shop/orders:1.4}}]}}
    """


def _mutual(accepted: str, sent: str) -> str:
    return manifests(
        f"""
        apiVersion: security.istio.io/v1
        kind: PeerAuthentication
        metadata: {{name: default, namespace: shop}}
        spec: {{mtls: {{mode: {accepted}}}}}
        """,
        f"""
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {{name: orders, namespace: shop}}
        spec: {{host: orders, trafficPolicy: {{tls: {{mode: {sent}}}}}}}
        """,
    )


RULES = (
    Rule(
        id="mesh-namespace",
        title="the pods of a namespace join the mesh",
        severity=Severity.LOW,
        remedy="label the namespace istio-injection: enabled, or annotate it linkerd.io/inject: enabled",
        controls=("mesh.injection",),
        references=("NSA network separation", "OWASP K07"),
        checks=(Check(subject=NAMESPACES, at="metadata", require=_JOINS),),
        admission=False,
        why_not_admission=_WHY_NOT,
        good=_namespace("labels: {istio-injection: enabled}"),
        bad=_namespace("labels: {istio-injection: disabled}"),
    ),
    Rule(
        id="mesh-opt-out",
        title="a pod does not leave the mesh of its namespace",
        severity=Severity.MEDIUM,
        remedy="remove the label or annotation: outside of the mesh there is no identity and no encryption",
        controls=("mesh.injection",),
        references=("NSA network separation", "OWASP K07"),
        checks=(Check(subject=POD, at="metadata", require=Not(_LEAVES)),),
        admission=False,
        why_not_admission=_WHY_NOT,
        good=_pod(", labels: {sidecar.istio.io/inject: 'true'}"),
        bad=_pod(", labels: {sidecar.istio.io/inject: 'false'}"),
    ),
    Rule(
        id="mesh-bypass",
        title="no traffic of a pod goes around its sidecar",
        severity=Severity.MEDIUM,
        remedy="remove the annotation that leaves ports or addresses out",
        controls=("mesh.injection", "mesh.mtls_strict"),
        references=("NSA network separation", "OWASP K07"),
        checks=(Check(subject=POD, at=_ANNOTATIONS, require=Entries(_ANNOTATIONS, _AROUND)),),
        admission=False,
        why_not_admission=_WHY_NOT,
        good=_pod(""),
        bad=_pod(", annotations: {traffic.sidecar.istio.io/excludeInboundPorts: '8080'}"),
    ),
    Rule(
        id="mesh-mtls",
        title="mutual TLS is strict, on every port",
        severity=Severity.HIGH,
        remedy="write mode: STRICT; PERMISSIVE also takes plain text from anybody",
        controls=("mesh.mtls_strict",),
        references=("NSA network separation", "OWASP K07"),
        checks=(
            Check(
                subject=Subject(kinds=("PeerAuthentication",)),
                at="spec",
                require=All(
                    Not(Is("spec.mtls.mode", _PERMISSIVE)),
                    Entries("spec.portLevelMtls", "", Not(Is("mode", _PERMISSIVE))),
                ),
            ),
            Check(
                subject=Subject(kinds=("DestinationRule",)),
                at="spec.trafficPolicy.tls.mode",
                require=Not(Is("spec.trafficPolicy.tls.mode", ("DISABLE",))),
            ),
        ),
        admission=False,
        why_not_admission=_WHY_NOT,
        good=_mutual("STRICT", "ISTIO_MUTUAL"),
        bad=_mutual("PERMISSIVE", "DISABLE"),
    ),
)
