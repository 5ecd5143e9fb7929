"""Any Pod the API server could hold: every field the rules read, absent or with a value from either side of a rule."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Fields = st.SearchStrategy[dict[str, Any]]
_BOOL = st.booleans()
_NAMES = ("PASSWORD", "TOKEN_URL", "HOST", "AWS_ACCESS_KEY_ID", "api-key", "DB_PASSWORD_FILE")
_VALUES = (
    "",
    "x",
    "hunter2\n",
    "/run/secrets/token",
    "$(OTHER)",
    "true",
    "postgres://u:p@db/x",
    "postgres://u:$(P)@db",
)
_IMAGES = (
    "app",
    "app:latest",
    "app:latest\n",
    "r.example:5000/app",
    "ghcr.io/x/app:1",
    "r.example/app@sha256:ab12",
    "",
)
_PATHS = (
    "/",
    "/run",
    "/var/run/docker.sock",
    "/var/run//crio.sock/",
    "/data",
    "/var/run/thing.sock",
    "/run/./k3s//containerd/.",
    "/var/lib",
)
_CAPABILITIES = ("ALL", "all", "NET_RAW", "CAP_NET_RAW", "CHOWN", "NET_BIND_SERVICE", "SYS_ADMIN", "")


def fields(**known: st.SearchStrategy[Any]) -> Fields:
    """A map in which each of these fields may be absent."""
    return st.fixed_dictionaries({}, optional=known)


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def few(element: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(element, max_size=2)


_PROFILE = fields(type=one_of("RuntimeDefault", "Localhost", "Unconfined", ""))
_CONTEXT: dict[str, Any] = {
    "runAsNonRoot": _BOOL,
    "runAsUser": one_of(0, 1, 9999, 10000),
    "seccompProfile": _PROFILE,
    "appArmorProfile": _PROFILE,
    "seLinuxOptions": fields(type=one_of("container_t", "spc_t"), user=one_of("", "u"), role=one_of("", "r")),
    "windowsOptions": fields(hostProcess=_BOOL),
}
_HANDLER = fields(httpGet=fields(host=one_of("", "127.0.0.1")), tcpSocket=fields(host=one_of("", "db")))
_CONTAINER = fields(
    name=one_of("app", "proxy"),
    image=one_of(*_IMAGES),
    imagePullPolicy=one_of("Always", "IfNotPresent"),
    args=few(one_of("--token=hunter2", "--token-file=/run/x", "--password", "sk_live_0123456789abcdef", "")),
    env=few(
        fields(name=one_of(*_NAMES), value=one_of(*_VALUES), valueFrom=fields(secretKeyRef=fields(name=one_of("s"))))
    ),
    envFrom=few(fields(secretRef=fields(name=one_of("s")))),
    ports=few(fields(containerPort=one_of(22, 80, 1024, 8080), hostPort=one_of(0, 80), protocol=one_of("TCP", "UDP"))),
    resources=fields(requests=fields(cpu=one_of("1")), limits=fields(memory=one_of("1Gi"))),
    livenessProbe=_HANDLER,
    lifecycle=fields(preStop=_HANDLER),
    securityContext=fields(
        **_CONTEXT,
        privileged=_BOOL,
        allowPrivilegeEscalation=_BOOL,
        readOnlyRootFilesystem=_BOOL,
        procMount=one_of("Default", "Unmasked"),
        capabilities=fields(add=few(one_of(*_CAPABILITIES)), drop=few(one_of(*_CAPABILITIES))),
    ),
)
_VOLUME = fields(
    name=one_of("v"),
    emptyDir=st.just({}),
    nfs=fields(path=one_of("/")),
    hostPath=fields(path=one_of(*_PATHS)),
    image=fields(reference=one_of(*_IMAGES)),
)
_SPEC = fields(
    hostNetwork=_BOOL,
    hostUsers=_BOOL,
    os=fields(name=one_of("linux", "windows")),
    automountServiceAccountToken=_BOOL,
    serviceAccountName=one_of("", "default", "app"),
    serviceAccount=one_of("", "default", "app"),
    securityContext=fields(**_CONTEXT, sysctls=few(fields(name=one_of("kernel.sem", "net.ipv4.tcp_wmem")))),
    initContainers=few(_CONTAINER),
    containers=few(_CONTAINER),
    ephemeralContainers=few(_CONTAINER),
    volumes=few(_VOLUME),
)
_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/app"


def pods() -> Fields:
    """A Pod with any of these."""
    annotations = st.dictionaries(
        one_of(_ANNOTATION, "other"), one_of("unconfined", "runtime/default", "localhost/x", "")
    )
    metadata = fields(name=one_of("app"), namespace=one_of("default", "shop", "kube-system"), annotations=annotations)
    return st.fixed_dictionaries({"kind": st.just("Pod"), "metadata": metadata, "spec": _SPEC})
