"""Trivy's own examples for its Kubernetes checks, from its published module: what each check calls good and bad."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import yaml

from garrison_policies.language.objects import Object
from harness import build
from policies.fixtures import objects

# The check's file in the module, and the control of ours that asks the same.
CONTROLS = {
    "CPU_not_limited": "res.requests_limits",
    "CPU_requests_not_specified": "res.requests_limits",
    "SYS_ADMIN_capability": "caps.dangerous",
    "access_to_host_ports": "pss.baseline.hostports",
    "apparmor_policy_disabled": "pss.baseline.apparmor",
    "can_elevate_its_own_privileges": "pss.restricted.allow_privilege_escalation",
    "capabilities_no_drop_all": "caps.drop_all",
    "configMap_with_secrets": "secret.configmap_plaintext",
    "file_system_not_read_only": "fs.readonly_root",
    "host_ipc": "pss.baseline.host_namespaces",
    "host_network": "pss.baseline.host_namespaces",
    "host_pid": "pss.baseline.host_namespaces",
    "hostpath_volumes_mounted": "pss.baseline.hostpath",
    "insecure_ingress_nginx": "ingress.nginx_injection",
    "memory_not_limited": "res.requests_limits",
    "memory_requests_not_specified": "res.requests_limits",
    "mounts_docker_socket": "node.runtime_socket",
    "non_core_volume_types": "pss.restricted.volumes",
    "non_default_proc_masks_set": "pss.baseline.procmount",
    "privileged": "pss.baseline.privileged",
    "protect_core_components_namespace": "ns.system",
    "runs_as_root": "pss.restricted.run_as_non_root",
    "runs_with_UID_le_10000": "user.high_uid",
    "runtime_default_seccomp_profile_not_set": "pss.restricted.seccomp",
    "selector_usage_in_network_policies": "net.selector",
    "selinux_custom_options_set": "pss.baseline.selinux",
    "unsafe_sysctl_options_set": "pss.baseline.sysctls",
    "uses_image_tag_latest": "img.tag_latest",
}
# Checks that ask something else than any control of ours, and what.
OTHERS = {
    "protecting_pod_service_account_tokens": "looks for a token mounted by hand; a pod that says nothing gets one, too",
    "runs_with_GID_le_10000": "no control of ours is about group ids",
    "specific_capabilities_added": "refuses every added capability; Pod Security allows NET_BIND_SERVICE",
    "tiller_is_deployed": "no control of ours is about Helm 2",
}


@dataclass(frozen=True)
class Example:
    """One example: the file of its check, its number there, and whether the check must refuse it."""

    check: str
    number: int
    fails: bool
    found: tuple[Object, ...]

    @property
    def id(self) -> str:
        return f"{self.check}-{'bad' if self.fails else 'good'}{self.number}"


@functools.cache
def examples() -> tuple[Example, ...]:
    """All examples of all checks, those of other checks too: they are objects to judge alike everywhere."""
    return tuple(
        Example(path.stem, number, verdict == "bad", tuple(objects(text, f"trivy-checks/{path.name}")))
        for path in sorted((build.obtain("fixtures") / "trivy-checks").glob("*.yaml"))
        for verdict, texts in yaml.safe_load(path.read_text())["kubernetes"].items()
        for number, text in enumerate(texts)
    )
