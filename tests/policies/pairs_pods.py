"""What a pod template says about its containers, its volumes and its place; in every kind that holds a template."""

from __future__ import annotations

from policies.written import Pair, runs

DIGEST = "sha256:" + "0" * 64
# A template is judged wherever it stands.
KINDS = ("Deployment", "DeploymentConfig", "StatefulSet", "DaemonSet", "Job")


def context(said: str) -> str:
    return f"securityContext: {{{said}}}"


def env(name: str, value: str) -> str:
    return f"env: [{{name: {name}, {value}}}]"


def volume(said: str) -> str:
    return f"volumes: [{{name: data, {said}}}]"


def in_container(control: str, what: str, accepted: str, refused: str) -> list[Pair]:
    """The same pair in each kind."""
    return [(control, f"{what} {kind}", runs(accepted, kind=kind), runs(refused, kind=kind)) for kind in KINDS]


def in_pod(control: str, what: str, accepted: str, refused: str) -> list[Pair]:
    return [(control, f"{what} {kind}", runs(pod=accepted, kind=kind), runs(pod=refused, kind=kind)) for kind in KINDS]


PROBE = "Probe: {httpGet: {path: /, port: 8080}}"

PAIRS: list[Pair] = [
    *in_container("pss.baseline.privileged", "privileged", context("privileged: false"), context("privileged: true")),
    *in_container("pss.baseline.procmount", "unmasked", context("procMount: Default"), context("procMount: Unmasked")),
    *in_container(
        "pss.baseline.capabilities",
        "beyond the list",
        context("capabilities: {add: [CHOWN]}"),
        context("capabilities: {add: [NET_RAW]}"),
    ),
    *in_container(
        "pss.restricted.allow_privilege_escalation",
        "unsaid",
        context("allowPrivilegeEscalation: false"),
        context("runAsNonRoot: true"),
    ),
    *in_container("pss.restricted.run_as_non_root", "unsaid", context("runAsNonRoot: true"), context("runAsGroup: 0")),
    *in_container("pss.restricted.run_as_user", "root", context("runAsUser: 1"), context("runAsUser: 0")),
    *in_container(
        "pss.restricted.seccomp",
        "unconfined",
        context("seccompProfile: {type: RuntimeDefault}"),
        context("seccompProfile: {type: Unconfined}"),
    ),
    *in_container(
        "caps.drop_all", "others", context("capabilities: {drop: [ALL]}"), context("capabilities: {drop: [CHOWN]}")
    ),
    *in_container(
        "caps.drop_net_raw", "others", context("capabilities: {drop: [NET_RAW]}"), context("capabilities: {drop: []}")
    ),
    *in_container(
        "caps.dangerous",
        "administrator",
        context("capabilities: {add: [NET_BIND_SERVICE]}"),
        context("capabilities: {add: [SYS_ADMIN]}"),
    ),
    *in_container("fs.readonly_root", "unsaid", context("readOnlyRootFilesystem: true"), context("runAsNonRoot: true")),
    *in_container("user.high_uid", "low", context("runAsUser: 10001"), context("runAsUser: 1000")),
    *in_container("res.requests_limits", "none", "resources: {limits: {memory: 64Mi}}", "resources: {}"),
    *in_container("res.requests_limits", "others", "resources: {requests: {cpu: 1}}", "resources: {limits: {gpu: 1}}"),
    *in_container("avail.probes", "liveness", f"liveness{PROBE}", "stdin: false"),
    *in_container("avail.probes", "readiness", f"readiness{PROBE}", f"lifecycle: {{post{PROBE}}}"),
    *in_container("img.tag_latest", "latest", "image: 'x:1.2'", "image: 'x:latest'"),
    *in_container("img.tag_latest", "none", "image: 'host:5000/x:1'", "image: 'host:5000/x'"),
    *in_container("img.digest", "tag", f"image: 'x@{DIGEST}'", "image: 'x:1.2'"),
    *in_container("img.registry", "public", f"image: 'x@{DIGEST}'", "image: 'docker.io/someone/x:1'"),
    *in_container(
        "img.pull_always", "kept", "image: 'x:1', imagePullPolicy: Always", "image: 'x:1', imagePullPolicy: Never"
    ),
    *in_container(
        "secret.env_plaintext",
        "typed in",
        env("DB_PASSWORD", "valueFrom: {fieldRef: {fieldPath: metadata.name}}"),
        env("DB_PASSWORD", "value: hunter2hunter2"),
    ),
    *in_container(
        "secret.env_from_secret",
        "by key",
        env("DB_PASSWORD", "valueFrom: {configMapKeyRef: {name: x, key: y}}"),
        env("DB_PASSWORD", "valueFrom: {secretKeyRef: {name: x, key: y}}"),
    ),
    *in_container(
        "secret.env_from_secret",
        "whole",
        "envFrom: [{configMapRef: {name: x}}]",
        "envFrom: [{secretRef: {name: x}}]",
    ),
    *in_container("ports.ssh", "22", "ports: [{containerPort: 2222}]", "ports: [{containerPort: 22}]"),
    *in_container("ports.privileged", "443", "ports: [{containerPort: 1024}]", "ports: [{containerPort: 443}]"),
    *in_container(
        "pss.baseline.hostports",
        "on the node",
        "ports: [{containerPort: 8080}]",
        "ports: [{containerPort: 8080, hostPort: 8080}]",
    ),
    *(
        pair
        for name in ("hostNetwork", "hostPID", "hostIPC")
        for pair in in_pod("pss.baseline.host_namespaces", name, f"{name}: false", f"{name}: true")
    ),
    *in_pod("pss.baseline.hostpath", "node's", volume("emptyDir: {}"), volume("hostPath: {path: /etc}")),
    *in_pod("pss.restricted.volumes", "foreign", volume("configMap: {name: x}"), volume("nfs: {path: /, server: x}")),
    *in_pod(
        "node.runtime_socket",
        "docker",
        volume("hostPath: {path: /var/run/thing}"),
        volume("hostPath: {path: /var/run/docker.sock}"),
    ),
    *in_pod(
        "pss.baseline.sysctls",
        "unsafe",
        context("sysctls: [{name: net.ipv4.ip_local_port_range, value: '1'}]"),
        context("sysctls: [{name: kernel.msgmax, value: '1'}]"),
    ),
    *in_pod("hardening.linux", "none", context("seccompProfile: {type: RuntimeDefault}"), context("runAsUser: 1")),
    *in_pod("secret.any_use", "volume", volume("configMap: {name: x}"), volume("secret: {secretName: x}")),
    *in_pod(
        "secret.external_store",
        "volume",
        volume("csi: {driver: secrets-store.csi.k8s.io}"),
        volume("secret: {secretName: x}"),
    ),
    *in_pod("sa.automount", "unsaid", "automountServiceAccountToken: false", "serviceAccountName: web"),
    *in_pod("sa.default", "unsaid", "serviceAccountName: web", "hostPID: false"),
    ("ns.default", "default", runs(), runs(namespace="default")),
    ("ns.system", "the cluster's own", runs(), runs(namespace="kube-system")),
]
