"""What a container may use and write, and how the kubelet learns whether it is well."""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.expr import Either, Is, Present, Whole
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import APP_CONTAINERS, CONTAINERS, RUN_CONTAINERS
from garrison_policies.rules.conditions import WINDOWS
from garrison_policies.rules.examples import pod

_AMOUNTS = tuple(f"resources.{side}.{what}" for side in ("requests", "limits") for what in ("cpu", "memory"))
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")

# What runs to completion, as in Jobs: nothing is routed to it, and it says itself how it ended.
_ENDS = Whole(Is("spec.restartPolicy", ("Never", "OnFailure")))

RULES = (
    Rule(
        id="read-only-root",
        title="a container cannot write to its root file system",
        severity=Severity.MEDIUM,
        remedy="write securityContext.readOnlyRootFilesystem: true, with an emptyDir where it has to write",
        controls=("fs.readonly_root",),
        references=("NSA pod security", "CIS 5.7.3", "OWASP K01"),
        checks=(
            Check(
                subject=CONTAINERS,
                at="securityContext.readOnlyRootFilesystem",
                require=Either(WINDOWS, Is("securityContext.readOnlyRootFilesystem", (True,))),
            ),
        ),
        good=pod(container="securityContext: {readOnlyRootFilesystem: true}"),
        bad=pod(container="securityContext: {readOnlyRootFilesystem: false}"),
    ),
    Rule(
        id="resources-declared",
        title="a container, or its pod, says what CPU and memory it needs or may take",
        severity=Severity.MEDIUM,
        remedy="write resources.requests and resources.limits",
        controls=("res.requests_limits",),
        references=("NSA pod security", "OWASP K01"),
        checks=(
            Check(
                subject=RUN_CONTAINERS,
                at="resources",
                require=Either(*map(Present, _AMOUNTS), *(Whole(Present(f"spec.{amount}")) for amount in _AMOUNTS)),
            ),
        ),
        good=pod(container="resources:\n  requests: {cpu: 25m, memory: 64Mi}\n  limits: {memory: 64Mi}"),
        bad=pod(),
        admission=False,
        why_not_admission="namespaces have a LimitRange and a ResourceQuota, which fill in and refuse by themselves",
    ),
    Rule(
        id="memory-limit",
        title="a container, or its pod, has a limit of memory, so that it cannot take its neighbours'",
        severity=Severity.LOW,
        remedy="write resources.limits.memory",
        controls=(),
        references=("NSA pod security", "OWASP K01"),
        checks=(
            Check(
                subject=RUN_CONTAINERS,
                at="resources.limits.memory",
                require=Either(Present("resources.limits.memory"), Whole(Present("spec.resources.limits.memory"))),
            ),
        ),
        good=pod(container="resources:\n  limits: {memory: 64Mi}"),
        bad=pod(container="resources:\n  requests: {memory: 64Mi}"),
        admission=False,
        why_not_admission="namespaces have a LimitRange and a ResourceQuota, which fill in and refuse by themselves",
    ),
    Rule(
        id="probes",
        title="a container that keeps running has a probe",
        severity=Severity.LOW,
        remedy="write a readinessProbe, and a livenessProbe where a restart can help",
        controls=("avail.probes",),
        references=("Kubernetes, Configure Liveness, Readiness and Startup Probes",),
        checks=(Check(subject=APP_CONTAINERS, require=Either(_ENDS, *map(Present, _PROBES))),),
        good=pod(container="readinessProbe:\n  httpGet: {port: 8080}"),
        bad=pod(),
        admission=False,
        why_not_admission="it is about availability: without probes a service is worse, not less safe",
    ),
)
