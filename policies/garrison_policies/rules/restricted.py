"""Pod Security Standards, restricted: what is left of the baseline's freedoms. Capabilities have their own module."""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.expr import Either, Is, Not, OnlyKeys, Predicate, Present
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import CONTAINERS, POD, VOLUMES
from garrison_policies.rules.conditions import USER_NAMESPACE, WINDOWS, everywhere, inherited
from garrison_policies.rules.confinement import profile
from garrison_policies.rules.examples import pod

RESTRICTED = frozenset({"restricted"})
_VOLUMES = (
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
)  # fmt: skip
_NON_ROOT, _SECCOMP = "runAsNonRoot", "seccompProfile"


def _true(field: str) -> Predicate:
    return Is(field, (True,))


def _not_root(field: str) -> Predicate:
    return Either(USER_NAMESPACE, Not(Is(field, (0,))))


RULES = (
    Rule(
        id="restricted-volumes",
        title="a volume is of a kind that does not reach the node or a storage server by itself",
        severity=Severity.MEDIUM,
        remedy=f"use one of {', '.join(_VOLUMES)}",
        controls=("pss.restricted.volumes", "pss.level.whole"),
        references=("PSS restricted", "NSA pod security", "OWASP K01"),
        # A volume that names no kind becomes an emptyDir; a kind unknown here is refused.
        checks=(Check(subject=VOLUMES, require=Either(*map(Present, _VOLUMES), OnlyKeys("", ("name",)))),),
        good=pod(spec="volumes:\n- name: work\n  emptyDir: {}"),
        bad=pod(spec="volumes:\n- name: work\n  nfs: {server: nfs.example, path: /}"),
        tags=RESTRICTED,
    ),
    Rule(
        id="privilege-escalation",
        title="a process in a container gains no privileges beyond its parent's",
        severity=Severity.HIGH,
        remedy="write securityContext.allowPrivilegeEscalation: false",
        controls=("pss.restricted.allow_privilege_escalation", "pss.level.whole"),
        references=("PSS restricted", "CIS 5.2.6", "NSA pod security", "OWASP K01"),
        checks=(
            Check(
                subject=CONTAINERS,
                at="securityContext.allowPrivilegeEscalation",
                require=Either(WINDOWS, Is("securityContext.allowPrivilegeEscalation", (False,))),
            ),
        ),
        good=pod(container="securityContext: {allowPrivilegeEscalation: false}"),
        bad=pod(),
        tags=RESTRICTED,
    ),
    Rule(
        id="run-as-non-root",
        title="a container is refused when its image would run as root",
        severity=Severity.HIGH,
        remedy="write securityContext.runAsNonRoot: true for the pod, and false nowhere",
        controls=("pss.restricted.run_as_non_root", "pss.level.whole"),
        references=("PSS restricted", "CIS 5.2.7", "NSA pod security", "OWASP K01"),
        checks=(
            Check(
                subject=POD,
                at=f"spec.securityContext.{_NON_ROOT}",
                require=Either(USER_NAMESPACE, Not(Is(f"spec.securityContext.{_NON_ROOT}", (False,)))),
            ),
            Check(
                subject=CONTAINERS,
                at=f"securityContext.{_NON_ROOT}",
                require=Either(USER_NAMESPACE, inherited(_NON_ROOT, _true)),
            ),
        ),
        good=pod(spec="securityContext: {runAsNonRoot: true}"),
        bad=pod(container="securityContext: {runAsUser: 10001}"),
        tags=RESTRICTED,
    ),
    Rule(
        id="run-as-user",
        title="nothing is told to run as user 0",
        severity=Severity.HIGH,
        remedy="write a securityContext.runAsUser above 0, or leave it to the image and write runAsNonRoot: true",
        controls=("pss.restricted.run_as_user", "pss.level.whole"),
        references=("PSS restricted", "CIS 5.2.7", "NSA pod security", "OWASP K01"),
        checks=everywhere("runAsUser", _not_root),
        good=pod(container="securityContext: {runAsUser: 10001}"),
        bad=pod(container="securityContext: {runAsUser: 0}"),
        tags=RESTRICTED,
    ),
    Rule(
        id="seccomp-profile",
        title="a container has a seccomp profile, of its own or of its pod",
        severity=Severity.MEDIUM,
        remedy="write securityContext.seccompProfile.type: RuntimeDefault for the pod",
        controls=("pss.restricted.seccomp", "pss.level.whole"),
        references=("PSS restricted", "CIS 5.7.2", "NSA pod security", "OWASP K01"),
        checks=(
            Check(
                subject=POD,
                at=f"spec.securityContext.{_SECCOMP}",
                require=Either(
                    WINDOWS,
                    Not(Present(f"spec.securityContext.{_SECCOMP}")),
                    profile(f"spec.securityContext.{_SECCOMP}"),
                ),
            ),
            Check(
                subject=CONTAINERS,
                at=f"securityContext.{_SECCOMP}",
                require=Either(WINDOWS, inherited(_SECCOMP, profile)),
            ),
        ),
        good=pod(spec="securityContext:\n  seccompProfile: {type: RuntimeDefault}"),
        bad=pod(),
        tags=RESTRICTED,
    ),
    Rule(
        id="proc-mount-default",
        title="/proc is masked, also in a user namespace",
        severity=Severity.MEDIUM,
        remedy="remove securityContext.procMount",
        controls=("pss.level.whole",),
        references=("PSS restricted", "OWASP K01"),
        checks=(
            Check(
                subject=CONTAINERS,
                at="securityContext.procMount",
                require=Is("securityContext.procMount", ("Default",), absent=True),
            ),
        ),
        good=pod(container="securityContext: {procMount: Default}"),
        bad=pod(spec="hostUsers: false", container="securityContext: {procMount: Unmasked}"),
        tags=RESTRICTED,
    ),
)
