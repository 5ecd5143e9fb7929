"""Namespaces: which Pod Security level the API server enforces in them."""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.expr import All, Either, Is, Matches
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import NAMESPACES

_ENFORCE = ("metadata", "labels", "pod-security.kubernetes.io/enforce")
_VERSION = ("metadata", "labels", "pod-security.kubernetes.io/enforce-version")
# A level is what it was in the version it is pinned to. Before these it did not ask for seccomp (baseline in fields,
# restricted at all: 1.19), nor for dropped capabilities (restricted: 1.22).
_LATER = r"[3-9][0-9]|[1-9][0-9][0-9]+))$"
_ENFORCES = Either(
    All(Is(_ENFORCE, ("restricted",)), Matches(_VERSION, rf"^(latest|v1\.(2[2-9]|{_LATER}", absent=True)),
    All(Is(_ENFORCE, ("baseline",)), Matches(_VERSION, rf"^(latest|v1\.(19|2[0-9]|{_LATER}", absent=True)),
)

RULES = (
    Rule(
        id="namespace-pod-security",
        title="a namespace enforces a Pod Security level",
        severity=Severity.HIGH,
        remedy="label it pod-security.kubernetes.io/enforce: restricted, or baseline, of no old enforce-version",
        controls=("psa.namespace_label",),
        references=("PSS baseline", "CIS 5.2.1", "NSA pod security", "OWASP K04"),
        checks=(Check(subject=NAMESPACES, at="metadata.labels", require=_ENFORCES),),
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
