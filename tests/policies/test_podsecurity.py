"""Kubernetes' own Pod Security fixtures, at the newest version: all of both levels, and each check by its own rules."""

from __future__ import annotations

import re

import pytest

from garrison_policies.language.rule import Finding, Rule
from garrison_policies.rules import RULES
from garrison_policies.rules.capabilities import BASELINE as BASELINE_CAPABILITIES
from garrison_policies.rules.confinement import SAFE_SYSCTLS, SELINUX_TYPES
from harness import build
from policies.fixtures import LEVELS, Case, findings, pod_security

# The checks of Pod Security admission by the names of their fixtures, and the control that decides each.
CONTROLS = {
    "allowprivilegeescalation": "pss.restricted.allow_privilege_escalation",
    "apparmorprofile": "pss.baseline.apparmor",
    "capabilities_baseline": "pss.baseline.capabilities",
    "capabilities_restricted": "pss.restricted.capabilities",
    "hostnamespaces": "pss.baseline.host_namespaces",
    "hostpathvolumes": "pss.baseline.hostpath",
    "hostports": "pss.baseline.hostports",
    "hostprobesandhostlifecycle": "pss.baseline.host_probes",
    "privileged": "pss.baseline.privileged",
    "procmount": "pss.baseline.procmount",
    "procmount_restricted": "pss.level.whole",  # unmasked in a user namespace: only the restricted level refuses it
    "restrictedvolumes": "pss.restricted.volumes",
    "runasnonroot": "pss.restricted.run_as_non_root",
    "runasuser": "pss.restricted.run_as_user",
    "seccompprofile_baseline": "pss.baseline.seccomp",
    "seccompprofile_restricted": "pss.restricted.seccomp",
    "selinuxoptions": "pss.baseline.selinux",
    "sysctls": "pss.baseline.sysctls",
    "windowshostprocess": "pss.baseline.windows_hostprocess",
}


def of_level(level: str) -> list[Rule]:
    """Restricted is everything of baseline and more."""
    held = set(LEVELS[: LEVELS.index(level) + 1])
    return [rule for rule in RULES if rule.tags & held]


@pytest.mark.parametrize("level", LEVELS)
def test_every_fixture_of_a_level_gets_kubernetes_verdict(level: str) -> None:
    cases = [case for case in pod_security() if case.level == level]
    assert len(cases) >= 45
    wrong = [case.pod.file for case in cases if case.passes == bool(findings(of_level(level), [case.pod]))]
    assert wrong == []


@pytest.mark.parametrize("check", CONTROLS)
def test_every_check_is_decided_by_the_rules_of_its_control(check: str) -> None:
    cases = [case for case in pod_security() if case.check == check]
    assert {case.passes for case in cases} >= {False}
    wrong = [case.pod.file for case in cases if case.passes == bool(controlled(case, CONTROLS[check]))]
    assert wrong == []


def controlled(case: Case, control: str) -> list[Finding]:
    return findings([rule for rule in of_level(case.level) if control in rule.controls], [case.pod])


@pytest.mark.parametrize(
    ("source", "begins", "names", "ours"),
    [
        ("check_sysctls.go", "sysctlsAllowedV1Dot0 =", r'"((?:kernel|net)\.[a-z0-9_.]+)"', SAFE_SYSCTLS),
        ("check_capabilities_baseline.go", "capabilities_allowed_1_0 =", r'^\t\t"([A-Z_]+)",$', BASELINE_CAPABILITIES),
        ("check_seLinuxOptions.go", "selinuxAllowedTypes1_31 =", r'"(container_[a-z_]*t)"', SELINUX_TYPES[1:]),
    ],
)
def test_what_kubernetes_lists_is_listed_here(source: str, begins: str, names: str, ours: tuple[str, ...]) -> None:
    _, found, text = (build.obtain("fixtures") / "pod-security-checks" / source).read_text().partition(begins)
    assert found
    assert set(re.findall(names, text, re.MULTILINE)) == set(ours)


def test_no_check_of_kubernetes_is_forgotten() -> None:
    assert {case.check for case in pod_security()} == {*CONTROLS, "base", "base_linux", "base_windows"}


def test_the_levels_are_the_rules_of_the_whole_control() -> None:
    levels = [rule.id for rule in RULES if rule.tags & set(LEVELS)]
    assert levels == [rule.id for rule in RULES if "pss.level.whole" in rule.controls]
