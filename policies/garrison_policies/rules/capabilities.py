"""Linux capabilities: what a container may add, and that it drops what it was given."""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.expr import All, Either, Every, Is, Matches, Not, Predicate, Some
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import CONTAINERS
from garrison_policies.rules.conditions import WINDOWS
from garrison_policies.rules.examples import pod

_ADD, _DROP = "securityContext.capabilities.add", "securityContext.capabilities.drop"

# The default set of the container runtimes without NET_RAW.
BASELINE = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
)  # fmt: skip
# Each gives the node, its kernel, its files or other pods' traffic. No default set holds any but NET_RAW.
_DANGEROUS = (
    "ALL", "AUDIT_CONTROL", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "LINUX_IMMUTABLE", "MAC_ADMIN",
    "MAC_OVERRIDE", "NET_ADMIN", "NET_RAW", "PERFMON", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO",
    "SYS_TIME", "SYSLOG",
)  # fmt: skip


def _named(*names: str) -> Predicate:
    """One of these capabilities as the runtimes read them: in any case, and CRI-O with the kernel's prefix too."""
    return Matches("", f"(?i)^(CAP_)?({'|'.join(names)})$")


def _adds_only(*names: str) -> Predicate:
    return Every(_ADD, Is("", names))


# Runtimes add after they drop: who adds ALL has dropped nothing.
_DROPS_ALL = All(Some(_DROP, Matches("", "(?i)^ALL$")), Every(_ADD, Not(_named("ALL"))))

RULES = (
    Rule(
        id="added-capabilities",
        title="a container adds no capability beyond the baseline list",
        severity=Severity.HIGH,
        remedy="remove it from securityContext.capabilities.add",
        controls=("pss.baseline.capabilities", "pss.level.whole"),
        references=("PSS baseline", "CIS 5.2.9", "NSA pod security", "OWASP K01"),
        checks=(Check(subject=CONTAINERS, at=_ADD, require=_adds_only(*BASELINE)),),
        good=pod(container="securityContext:\n  capabilities: {add: [CHOWN]}"),
        bad=pod(container="securityContext:\n  capabilities: {add: [SYS_TIME]}"),
        tags=frozenset({"baseline"}),
    ),
    Rule(
        id="restricted-capabilities",
        title="a container drops ALL capabilities and adds back NET_BIND_SERVICE at most",
        severity=Severity.MEDIUM,
        remedy='write securityContext.capabilities.drop: ["ALL"]',
        controls=("pss.restricted.capabilities", "pss.level.whole"),
        references=("PSS restricted", "CIS 5.2.9", "CIS 5.2.10", "NSA pod security", "OWASP K01"),
        checks=(
            Check(
                subject=CONTAINERS,
                at="securityContext.capabilities",
                require=Either(WINDOWS, All(Some(_DROP, Is("", ("ALL",))), _adds_only("NET_BIND_SERVICE"))),
            ),
        ),
        good=pod(container="securityContext:\n  capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}"),
        bad=pod(container="securityContext:\n  capabilities: {drop: [ALL], add: [CHOWN]}"),
        tags=frozenset({"restricted"}),
    ),
    Rule(
        id="drop-all-capabilities",
        title="a container drops ALL capabilities, and does not add ALL back",
        severity=Severity.MEDIUM,
        remedy='write securityContext.capabilities.drop: ["ALL"]',
        controls=("caps.drop_all",),
        references=("CIS 5.2.10", "NSA pod security", "OWASP K01"),
        checks=(Check(subject=CONTAINERS, at=_DROP, require=Either(WINDOWS, _DROPS_ALL)),),
        good=pod(container="securityContext:\n  capabilities: {drop: [ALL]}"),
        bad=pod(container="securityContext:\n  capabilities: {drop: [NET_RAW]}"),
    ),
    Rule(
        id="drop-net-raw",
        title="a container cannot forge packets: it drops NET_RAW, alone or with ALL, and does not add it back",
        severity=Severity.MEDIUM,
        remedy='write securityContext.capabilities.drop: ["ALL"]',
        controls=("caps.drop_net_raw",),
        references=("CIS 5.2.8", "NSA pod security", "OWASP K01"),
        checks=(
            Check(
                subject=CONTAINERS,
                at="securityContext.capabilities",
                require=Either(
                    WINDOWS,
                    All(Some(_DROP, _named("ALL", "NET_RAW")), Every(_ADD, Not(_named("ALL", "NET_RAW")))),
                ),
            ),
        ),
        good=pod(container="securityContext:\n  capabilities: {drop: [NET_RAW]}"),
        bad=pod(container="securityContext:\n  capabilities: {drop: [ALL], add: [NET_RAW]}"),
    ),
    Rule(
        id="dangerous-capabilities",
        title="a container adds no capability that gives it the node or the traffic of others",
        severity=Severity.CRITICAL,
        remedy="remove it from securityContext.capabilities.add",
        controls=("caps.dangerous",),
        references=("PSS baseline", "CIS 5.2.9", "NSA pod security", "OWASP K01"),
        checks=(Check(subject=CONTAINERS, at=_ADD, require=Every(_ADD, Not(_named(*_DANGEROUS)))),),
        good=pod(container="securityContext:\n  capabilities: {add: [NET_BIND_SERVICE]}"),
        bad=pod(container="securityContext:\n  capabilities: {add: [SYS_ADMIN]}"),
    ),
)
