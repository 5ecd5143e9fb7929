"""What reaches the node: its namespaces, files, ports, addresses and the runtime's socket."""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.expr import All, Every, Is, Matches, Not, Present
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import CONTAINERS, POD, VOLUMES
from garrison_policies.rules.examples import pod

BASELINE = frozenset({"baseline"})
_HANDLERS = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop")

# The sockets of the runtimes in use, Windows pipes too, and the folders that hold them: who mounts /run has them all.
# Between two names may stand any number of slashes and dots.
_SLASH = r"/+(\./+)*"
_END = r"[/.]*$"
_FOLDERS = (
    r"containerd|crio|docker|podman|nri|buildkit|cri-dockerd|dockershim"
    rf"|k3s({_SLASH}containerd)?|k0s|rke2?({_SLASH}containerd)?|user({_SLASH}[0-9]+({_SLASH}(podman|docker))?)?"
)
_MICROK8S = rf"snap({_SLASH}microk8s({_SLASH}common({_SLASH}run({_SLASH}containerd)?)?)?)?"
_SOCKETS = (
    r"(^|[/\\])(docker|dockershim|cri-dockerd|containerd|crio|podman|frakti|rktlet|nri|buildkitd|pouchcri)\.sock/*$"
    r"|(docker_engine|containerd-containerd)$"
    rf"|^{_SLASH}(var{_SLASH})?run({_SLASH}({_FOLDERS}))?{_END}|^{_SLASH}var({_SLASH}{_MICROK8S})?{_END}|^{_END}"
)

RULES = (
    Rule(
        id="host-namespaces",
        title="a pod has its own network, process and IPC namespaces",
        severity=Severity.CRITICAL,
        remedy="remove hostNetwork, hostPID and hostIPC",
        controls=("pss.baseline.host_namespaces", "pss.level.whole"),
        references=("PSS baseline", "CIS 5.2.3", "CIS 5.2.4", "CIS 5.2.5", "NSA pod security", "OWASP K01"),
        checks=tuple(
            Check(subject=POD, at=f"spec.{name}", require=Is(f"spec.{name}", (False,), absent=True))
            for name in ("hostNetwork", "hostPID", "hostIPC")
        ),
        good=pod(spec="hostNetwork: false"),
        bad=pod(spec="hostNetwork: true"),
        tags=BASELINE,
    ),
    Rule(
        id="host-path",
        title="a volume is not a folder of the node",
        severity=Severity.HIGH,
        remedy="use an emptyDir, a PersistentVolumeClaim or a projected volume",
        controls=("pss.baseline.hostpath", "pss.level.whole"),
        references=("PSS baseline", "CIS 5.2.12", "NSA pod security", "OWASP K01"),
        checks=(Check(subject=VOLUMES, at="hostPath", require=Not(Present("hostPath"))),),
        good=pod(spec="volumes:\n- name: work\n  emptyDir: {}"),
        bad=pod(spec="volumes:\n- name: work\n  hostPath: {path: /srv/work}"),
        tags=BASELINE,
    ),
    Rule(
        id="runtime-socket",
        title="the socket of the container runtime is not mounted, nor a folder that holds it",
        severity=Severity.CRITICAL,
        remedy="remove the hostPath volume: who talks to the runtime is root on the node",
        controls=("node.runtime_socket",),
        references=("CIS 5.2.12", "NSA pod security", "OWASP K01"),
        checks=(Check(subject=VOLUMES, at="hostPath.path", require=Not(Matches("hostPath.path", _SOCKETS))),),
        good=pod(spec="volumes:\n- name: logs\n  hostPath: {path: /var/log/app}"),
        bad=pod(spec="volumes:\n- name: runtime\n  hostPath: {path: /run/containerd/containerd.sock}"),
    ),
    Rule(
        id="host-ports",
        title="a container takes no port of the node",
        severity=Severity.HIGH,
        remedy="remove hostPort and use a Service",
        controls=("pss.baseline.hostports", "pss.level.whole"),
        references=("PSS baseline", "CIS 5.2.13", "NSA pod security", "OWASP K01"),
        checks=(Check(subject=CONTAINERS, at="ports", require=Every("ports", Is("hostPort", (0,), absent=True))),),
        good=pod(container="ports: [{containerPort: 8080}]"),
        bad=pod(container="ports: [{containerPort: 8080, hostPort: 8080}]"),
        tags=BASELINE,
    ),
    Rule(
        id="host-probes",
        title="probes and lifecycle handlers call the pod itself",
        severity=Severity.MEDIUM,
        remedy="remove the host field: the kubelet would call any address from the node",
        controls=("pss.baseline.host_probes", "pss.level.whole"),
        references=("PSS baseline", "OWASP K01"),
        checks=(
            Check(
                subject=CONTAINERS,
                require=All(
                    *(
                        Is(f"{handler}.{way}.host", ("",), absent=True)
                        for handler in _HANDLERS
                        for way in ("httpGet", "tcpSocket")
                    )
                ),
            ),
        ),
        good=pod(container="livenessProbe:\n  httpGet: {port: 8080}"),
        bad=pod(container="livenessProbe:\n  httpGet: {port: 8080, host: 169.254.169.254}"),
        tags=BASELINE,
    ),
)
