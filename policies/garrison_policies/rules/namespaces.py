"""Namespaces: which Pod Security level the API server enforces in them."""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.expr import Is
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import NAMESPACES

_ENFORCE = ("metadata", "labels", "pod-security.kubernetes.io/enforce")

RULES = (
    Rule(
        id="namespace-pod-security",
        title="a namespace enforces a Pod Security level",
        severity=Severity.HIGH,
        remedy="label it pod-security.kubernetes.io/enforce: restricted, or baseline; `privileged` enforces nothing",
        controls=("psa.namespace_label",),
        references=("PSS baseline", "CIS 5.2.1", "NSA pod security", "OWASP K04"),
        checks=(Check(subject=NAMESPACES, at="metadata.labels", require=Is(_ENFORCE, ("restricted", "baseline"))),),
        good="""
            apiVersion: v1
            kind: Namespace
            metadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: restricted}}
        """,
        bad="""
            apiVersion: v1
            kind: Namespace
            metadata: {name: shop, labels: {pod-security.kubernetes.io/warn: restricted}}
        """,
    ),
)
