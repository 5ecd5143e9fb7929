"""What the kernel confines a container with: seccomp, SELinux, AppArmor, /proc and sysctls, at the baseline level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from garrison.findings import Severity
from garrison_policies.language.expr import (
    All,
    Either,
    Entries,
    Every,
    Is,
    Matches,
    Not,
    Predicate,
    Present,
    Some,
    at,
    get,
    literal,
    present,
)
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import CONTAINERS, POD
from garrison_policies.rules.conditions import USER_NAMESPACE, WINDOWS, everywhere, inherited
from garrison_policies.rules.examples import pod

BASELINE = frozenset({"baseline"})
SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")  # the last since 1.31
_APPARMOR_FOR = "container.apparmor.security.beta.kubernetes.io/"  # deprecated since 1.30, still honoured
_APPARMOR = r"^container\.apparmor\.security\.beta\.kubernetes\.io/"
_APPARMOR_EXAMPLE = "{container.apparmor.security.beta.kubernetes.io/app: %s}"

# Namespaced, and without effect on other pods of the node (PSS: baseline).
SAFE_SYSCTLS = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",  # since 1.27
    "net.ipv4.tcp_keepalive_time",  # since 1.29, with the next three
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",  # since 1.32, with the next
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_slow_start_after_idle",  # since 1.37, with the next
    "net.ipv4.tcp_notsent_lowat",
)


def profile(field: str) -> Predicate:
    """A seccomp or AppArmor profile that confines: the runtime's own, or one of the node's files."""
    return Is(f"{field}.type", ("RuntimeDefault", "Localhost"))


def _no_other(field: str) -> Predicate:
    return Either(Not(Present(field)), profile(field))


def _plain_selinux(field: str) -> Predicate:
    unset = (Is(f"{field}.{name}", ("",), absent=True) for name in ("user", "role"))
    return All(Is(f"{field}.type", SELINUX_TYPES, absent=True), *unset)


def _capless(context: str) -> Predicate:
    """It gives capabilities up, and does not take all of them back."""
    dropped = Some(f"{context}.capabilities.drop", Matches("", "."))
    return All(dropped, Every(f"{context}.capabilities.add", Not(Matches("", "(?i)^(CAP_)?ALL$"))))


def _labelled(field: str) -> Predicate:
    """SELinux options that leave the container what the node confines containers with."""
    return All(Present(field), _plain_selinux(field))


@dataclass(frozen=True)
class Annotated:
    """The old annotation names an AppArmor profile for this very container."""

    def holds(self, it: Any, whole: Any) -> bool:
        said = get(whole, ("metadata", "annotations", f"{_APPARMOR_FOR}{get(it, 'name')}"))
        return isinstance(said, str) and (said == "runtime/default" or said.startswith("localhost/"))

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        here, key = at(whole, "metadata.annotations"), f"({literal(_APPARMOR_FOR)} + {it}.name)"
        there = f"{present(whole, 'metadata.annotations')} && has({it}.name) && {key} in {here}"
        return f"({there} && {here}[{key}].matches('^(runtime/default$|localhost/)'))"


# What a container has of the four: its own setting where it has one, else the pod's. Privileged, it has none.
_HARDENED = All(
    Not(Is("securityContext.privileged", (True,))),
    Either(
        inherited("seccompProfile", profile),
        inherited("appArmorProfile", profile),
        inherited("seLinuxOptions", _labelled),
        _capless("securityContext"),
        All(
            Annotated(),
            Either(Not(Present("securityContext.appArmorProfile")), profile("securityContext.appArmorProfile")),
        ),
    ),
)

RULES = (
    Rule(
        id="seccomp-unconfined",
        title="seccomp is not switched off",
        severity=Severity.HIGH,
        remedy="write securityContext.seccompProfile.type: RuntimeDefault",
        controls=("pss.baseline.seccomp", "pss.level.whole"),
        references=("PSS baseline", "CIS 5.7.2", "NSA pod security", "OWASP K01"),
        checks=everywhere("seccompProfile", _no_other),
        good=pod(container="securityContext:\n  seccompProfile: {type: RuntimeDefault}"),
        bad=pod(container="securityContext:\n  seccompProfile: {type: Unconfined}"),
        tags=BASELINE,
    ),
    Rule(
        id="selinux-options",
        title="SELinux keeps its user and role, and a type meant for containers",
        severity=Severity.HIGH,
        remedy="remove securityContext.seLinuxOptions, or set its level only",
        controls=("pss.baseline.selinux", "pss.level.whole"),
        references=("PSS baseline", "NSA pod security", "OWASP K01"),
        checks=everywhere("seLinuxOptions", _plain_selinux),
        good=pod(container="securityContext:\n  seLinuxOptions: {level: 's0:c123,c456'}"),
        bad=pod(container="securityContext:\n  seLinuxOptions: {type: spc_t}"),
        tags=BASELINE,
    ),
    Rule(
        id="apparmor-profile",
        title="AppArmor is not switched off",
        severity=Severity.HIGH,
        remedy="write securityContext.appArmorProfile.type: RuntimeDefault, and remove the old annotation",
        controls=("pss.baseline.apparmor", "pss.level.whole"),
        references=("PSS baseline", "NSA pod security", "OWASP K01"),
        checks=(
            *everywhere("appArmorProfile", _no_other),
            Check(
                subject=POD,
                at="metadata.annotations",
                require=Entries("metadata.annotations", _APPARMOR, Matches("", "^($|runtime/default$|localhost/)")),
            ),
        ),
        good=pod(annotations=_APPARMOR_EXAMPLE % "runtime/default"),
        bad=pod(annotations=_APPARMOR_EXAMPLE % "unconfined"),
        tags=BASELINE,
    ),
    Rule(
        id="proc-mount",
        title="/proc is masked, unless the pod has a user namespace of its own",
        severity=Severity.HIGH,
        remedy="remove securityContext.procMount, or write spec.hostUsers: false",
        controls=("pss.baseline.procmount", "pss.level.whole"),
        references=("PSS baseline", "NSA pod security", "OWASP K01"),
        checks=(
            Check(
                subject=CONTAINERS,
                at="securityContext.procMount",
                require=Either(USER_NAMESPACE, Is("securityContext.procMount", ("Default",), absent=True)),
            ),
        ),
        good=pod(spec="hostUsers: false", container="securityContext: {procMount: Unmasked}"),
        bad=pod(container="securityContext: {procMount: Unmasked}"),
        tags=BASELINE,
    ),
    Rule(
        id="unsafe-sysctls",
        title="a pod sets safe sysctls only",
        severity=Severity.HIGH,
        remedy="remove it from securityContext.sysctls: it acts on the node or on other pods",
        controls=("pss.baseline.sysctls", "pss.level.whole"),
        references=("PSS baseline", "NSA pod security", "OWASP K01"),
        checks=(
            Check(
                subject=POD,
                at="spec.securityContext.sysctls",
                require=Every("spec.securityContext.sysctls", Is("name", SAFE_SYSCTLS)),
            ),
        ),
        good=pod(spec="securityContext:\n  sysctls: [{name: net.ipv4.tcp_notsent_lowat, value: '16384'}]"),
        bad=pod(spec="securityContext:\n  sysctls: [{name: kernel.msgmax, value: '65536'}]"),
        tags=BASELINE,
    ),
    Rule(
        id="linux-hardening",
        title="a container is confined by seccomp, SELinux, AppArmor or dropped capabilities",
        severity=Severity.MEDIUM,
        remedy='write securityContext.seccompProfile.type: RuntimeDefault and capabilities.drop: ["ALL"]',
        controls=("hardening.linux",),
        references=("CIS 5.7.2", "CIS 5.7.3", "NSA pod security", "OWASP K01"),
        checks=(
            Check(
                subject=CONTAINERS,
                at="securityContext",
                require=Either(WINDOWS, _HARDENED),
            ),
        ),
        good=pod(container="securityContext:\n  capabilities: {drop: [ALL]}"),
        bad=pod(container="securityContext: {runAsNonRoot: true}"),
    ),
)
