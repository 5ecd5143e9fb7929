"""Pod Security Standards, baseline: what makes a container the node's administrator."""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.expr import Is
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import CONTAINERS
from garrison_policies.rules.conditions import everywhere
from garrison_policies.rules.examples import pod

RULES = (
    Rule(
        id="privileged-container",
        title="a container is not privileged",
        severity=Severity.CRITICAL,
        remedy="remove securityContext.privileged",
        controls=("pss.baseline.privileged", "pss.level.whole"),
        references=("PSS baseline", "CIS 5.2.2", "NSA pod security", "OWASP K01"),
        checks=(
            Check(
                subject=CONTAINERS,
                at="securityContext.privileged",
                require=Is("securityContext.privileged", (False,), absent=True),
            ),
        ),
        good=pod(container="securityContext: {privileged: false}"),
        bad=pod(container="securityContext: {privileged: true}"),
        tags=frozenset({"baseline"}),
    ),
    Rule(
        id="windows-host-process",
        title="a Windows container is no process of its host",
        severity=Severity.CRITICAL,
        remedy="remove securityContext.windowsOptions.hostProcess",
        controls=("pss.baseline.windows_hostprocess", "pss.level.whole"),
        references=("PSS baseline", "CIS 5.2.11", "NSA pod security", "OWASP K01"),
        checks=everywhere("windowsOptions.hostProcess", lambda field: Is(field, (False,), absent=True)),
        good=pod(container="securityContext:\n  windowsOptions: {hostProcess: false}"),
        bad=pod(spec="hostNetwork: true", container="securityContext:\n  windowsOptions: {hostProcess: true}"),
        tags=frozenset({"baseline"}),
    ),
)
