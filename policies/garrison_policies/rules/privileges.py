"""Pod Security Standards, baseline: what gives a container the node."""

from __future__ import annotations

from garrison_policies.expr import Is
from garrison_policies.rule import Check, Rule, Severity
from garrison_policies.subjects import CONTAINERS

RULES = (
    Rule(
        id="privileged-container",
        title="a container is not privileged",
        severity=Severity.CRITICAL,
        remedy="remove securityContext.privileged",
        controls=("pss.baseline.privileged",),
        references=("PSS baseline", "CIS 5.2.2", "NSA pod security", "OWASP K01"),
        checks=(
            Check(
                subject=CONTAINERS,
                at="securityContext.privileged",
                require=Is("securityContext.privileged", (False,), absent=True),
            ),
        ),
        good="""
            apiVersion: v1
            kind: Pod
            metadata: {name: app, namespace: shop}
            spec:
              containers: [{name: app, image: example/app}]
        """,
        bad="""
            apiVersion: v1
            kind: Pod
            metadata: {name: app, namespace: shop}
            spec:
              containers: [{name: app, image: example/app, securityContext: {privileged: true}}]
        """,
    ),
)
