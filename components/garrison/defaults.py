"""Every security default of Garrison, on one page, each with its reason and its source.

Nothing else in the package chooses a security-relevant value. A stack may make a value stricter; where a value is
missing the program refuses instead of falling back to something weaker.
"""

from __future__ import annotations

from typing import Any, Final

from garrison.words import Ref, Resources

# --- names and labels -----------------------------------------------------------------------------------------------
NAME: Final = "app.kubernetes.io/name"
PART_OF: Final = "app.kubernetes.io/part-of"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "garrison"
PLATFORM: Final = "garrison-platform"  # what the namespaces of the platform, and all in them, are part of
PLATFORM_NAMESPACES: Final = ("cert-manager", "openbao")
# What the control plane itself runs in; kubeadm, kind and the managed clouds all use these.
SYSTEM_NAMESPACES: Final = ("kube-system", "kube-public", "kube-node-lease")
EDGE: Final = Ref("edge", "edge")  # the edge by namespace and name, as every service has one
USERS: Final = Ref("users", "users")  # the embedded issuer
LIMITS: Final = Ref("edge", "limits")  # who counts for all pods of the edge, where a cluster says so
EGRESS: Final = Ref("egress", "gateway")  # the one way out, to hosts outside that were declared
EDGE_SERVICE: Final = "public"  # of the edge's namespace: the one Service that opens a way in from outside
EDGE_NAMESPACES: Final = (EDGE.namespace, USERS.namespace)
RESERVED_NAMESPACES: Final = ("default", *SYSTEM_NAMESPACES, *PLATFORM_NAMESPACES)
NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"  # set by the API server itself, so it cannot be claimed
ADMITTED: Final = ("garrison.dev/admission", "enforced")  # on namespaces beside the estate's in which the rules hold
TRUST_LABEL: Final = "garrison.dev/trust-bundle"  # trust-manager copies the CA bundle to namespaces with it
STORE_LABEL: Final = "garrison.dev/secret-store"  # pods that may reach the secret store
DATABASE_LABEL: Final = "garrison.dev/database"  # pods the secret store may reach, to make and revoke leases
CONFIG_HASH: Final = "garrison.dev/config"  # rolls a workload when its proxy or agent configuration changes

# --- ports and places -----------------------------------------------------------------------------------------------
MTLS_PORT: Final = 8443
HEALTH_PORT: Final = 15021  # plaintext, two fixed paths; reached by the kubelet only
OUTBOUND_PORT: Final = 15101  # first loopback listener; one more for each further callee
MAX_CALLEES: Final = 500  # of one service: these ports are kept free of applications; RabbitMQ has 15672
DATABASE_PORT: Final = 5432
STORE_PORT: Final = 8200
LOGIN_CALLBACK: Final = "/oauth2/callback"  # where the issuer sends a browser back to, at every host with login
LOGOUT: Final = "/logout"  # where it ends its session there
API_SERVER_PORTS: Final = (443, 6443)  # its Service's and its own: rules see it after address translation
API_SERVER_RANGES: Final = (  # RFC 1918, 6598 and 4193: never the internet where a stack has not named its API server
    *("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"),
    "fc00::/7",
)
API_SERVER_WIDEST: Final = {4: 16, 6: 32}  # the shortest prefix of public addresses that may be an API server's
API_TOKEN_DIR: Final = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 where every client library looks
CLUSTER_DOMAIN: Final = "svc.cluster.local"
IDENTITY_DIR: Final = "/run/identity"
TRUST_DIR: Final = "/run/trust"
TRUST_BUNDLE: Final = "trust-bundle"
TRUST_FILE: Final = "ca.pem"
SYSTEM_TRUST: Final = (
    "/etc/ssl/certs/ca-certificates.crt"  # of the proxy's image: who vouches for hosts of the internet
)
SECRETS_DIR: Final = "/run/secrets"
TOKEN_DIR: Final = "/run/token"  # noqa: S105 a folder
ISSUER: Final = "garrison"
ISSUER_NAMESPACE: Final = "cert-manager"
ROOT: Final = "garrison-root"  # the Secret with the key that every identity is signed with, in that namespace
DEPLOYERS: Final = ("group:kubeadm:cluster-admins", "group:system:masters")  # who a new cluster's admin.conf speaks for
BREAK_GLASS: Final = "garrison:break-glass"  # a group nobody is in: to take it is an act, and seen in the audit log

# --- the edge -------------------------------------------------------------------------------------------------------
EDGE_PORT: Final = 10443  # of the container: what clients ask for as 443
RUN_DIR: Final = "/run/edge"  # what the edge watches: routes, clusters, token rules; the agent alone writes there
ADMIN_SOCKET: Final = "/run/admin/socket"  # of the edge's Envoy, for its agent alone: no port, three paths
RELOADED: Final = "garrison.dev/reloaded"  # a ConfigMap that is read while pods run: a change of it rolls none
EDGE_UID: Final = 10005
EDGE_PROXY_RESOURCES: Final = Resources(cpu="100m", memory="128Mi", cpu_limit="2", memory_limit="512Mi")
EDGE_HEAP: Final = 268_435_456  # 256 MiB, half of the memory limit, as for sidecars
EDGE_CONNECTIONS: Final = 2_500  # of clients; 77 KiB for one with a long head, as measured for sidecars: 188 MiB
EDGE_MAX_CONNECTIONS: Final = 2_700  # with those of sidecars that ask for keys, and the kubelet's
EDGE_WORKERS: Final = 2  # threads, as many as it may have of CPU
EDGE_STREAMS: Final = 100  # of one HTTP/2 connection at once (RFC 9113 section 6.5.2 advises no less)
EDGE_STREAM_WINDOW: Final = 65_536  # bytes of one stream in flight (Envoy's edge guide)
EDGE_CONNECTION_WINDOW: Final = 1_048_576
EDGE_HEADERS_KIB: Final = 32  # a session is a token in three cookies, 12 KiB at most; Envoy's own default is 60
EDGE_HEADERS: Final = 64  # browsers send about 20; Envoy's own default is 100
EDGE_BODY_BYTES: Final = 1_048_576  # 1 MiB: the documents of an API; a service that takes files needs another way in
EDGE_REQUESTS: Final = 1_024  # of one callee at once; above it 503 at once instead of a queue that only grows
EDGE_DELAY: Final = "5s"  # so long a handshake may take
EDGE_MEMORY: Final = "4Mi"  # of what the edge watches; tmpfs, counted against the pod
KEYS_REQUESTS: Final = 64  # of sidecars for key sets at once; each asks once in five minutes
HSTS: Final = "max-age=63072000; includeSubDomains"  # two years (RFC 6797; what browsers' preload lists ask for)
# Of one address, before a token is looked at: an office behind one address has its users, and one address cannot keep a
# core busy with signatures (500 x 80 us = 4 %). A wrong token costs the one who sends it as much as a right one.
ADDRESS_RATE: Final = (500, 1)  # requests, seconds
# Of one address at the password of the embedded issuer: a person mistypes; ten thousand guesses take two days.
PASSWORD_RATE: Final = (5, 60)
LOGIN_BODY_BYTES: Final = 16_384  # of what a login page sends
PROMISED: Final = 10_000  # users, or addresses, that each have their own count at a route; Envoy's own default is 20
LIMITS_TIMEOUT: Final = "0.5s"  # of one count, which takes 1 ms; after it the request is refused
LIMITS_DIR: Final = "/etc/limits"
LIMITS_PORTS: Final = {"http": 8080, "grpc": 8081, "debug": 6070, "redis": 6379}  # on the loopback of its pod
LIMITS_UID: Final = 10006
REDIS_UID: Final = 10007
LIMITS_RESOURCES: Final = Resources(cpu="50m", memory="64Mi", cpu_limit="1", memory_limit="256Mi")
REDIS_RESOURCES: Final = Resources(cpu="25m", memory="64Mi", cpu_limit="1", memory_limit="192Mi")
# Of counts, 300 bytes for a user: 330,000 users, 116 MB resident (measured). Full, the longest unseen begins anew.
REDIS_MEMORY: Final = "96mb"
SESSION: Final = "3600s"  # of a browser, where the issuer does not say: then it is sent there again

# --- the egress gateway ---------------------------------------------------------------------------------------------
EGRESS_TLS_MINIMUM: Final = "TLSv1_2"  # the other end is not ours (NIST SP 800-52r2 section 3.1)
EGRESS_REQUESTS: Final = 512  # to one host at once; a host that has become slow must not hold all of the gateway
EGRESS_PROXY_RESOURCES: Final = Resources(cpu="50m", memory="96Mi", cpu_limit="1", memory_limit="384Mi")
EGRESS_HEAP: Final = 201_326_592  # 192 MiB, half of the memory limit, as for sidecars
EGRESS_CONNECTIONS: Final = 1_600  # of callers, two sidecars' worth; 77 KiB for one with a long head: 120 MiB
EGRESS_MAX_CONNECTIONS: Final = 1_700  # with the kubelet's
# No address of these is a host of the internet (IANA's special-purpose registries for IPv4 and IPv6, and what carries
# an IPv4 address inside: mapped, translated, 6to4, Teredo). Cloud metadata is at 169.254.169.254 and fd00:ec2::254.
NOT_PUBLIC: Final = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
    *("224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),  # the last is Azure's: of each virtual machine's own host
    *("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23"),
    *("2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
)
MAPPED: Final = "::ffff:0:0/96"  # IPv4 in an IPv6 socket: it is IPv4 on the wire, and policies have no word for it
# Of those, what no setting opens: this machine, its link, where clouds keep credentials, nobody and everybody.
NEVER_OUTSIDE: Final = (
    *("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "100.100.100.200/32", "168.63.129.16/32"),
    *("224.0.0.0/4", "240.0.0.0/4", "::/96", MAPPED, "64:ff9b::/96", "fe80::/10"),
    *("fd00:ec2::/32", "fd20:ce::/32", "ff00::/8"),
)
METADATA: Final = (  # where clouds give credentials to whoever asks: most at the first, then each by its own manual
    *("169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "100.100.100.200/32", "168.63.129.16/32"),
    *("192.0.0.192/32", "fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128"),
)
RESOLVERS_WIDEST: Final = {4: 28, 6: 124}  # resolvers are a few addresses; those of a link are named one by one
EGRESS_WIDEST: Final = {4: 24, 6: 64}  # the shortest prefix of a private range that a stack may open

# --- the secret store -----------------------------------------------------------------------------------------------
STORE_NAMESPACE: Final = "openbao"
STORE_AUDIENCE: Final = "openbao"  # a token for anyone else is refused (RFC 7519 section 4.1.3)
TOKEN_SECONDS: Final = 600  # the shortest life the kubelet grants a projected token
LEASE_SECONDS: Final = 3600  # issue A: leases of at most an hour; the store's own default would be 768 h
LEASE_SLACK_SECONDS: Final = 60  # the store adds five seconds of its own, and clocks differ
LEASE_CONNECTIONS: Final = 16  # of one lease: one alone cannot keep the store out of the database
DATABASE_CONNECTIONS: Final = 100
STORE_TOKEN_MAX_SECONDS: Final = 86400  # renewed or not: a stolen token ends within a day, like a certificate
STORE_LOGIN: Final = "15m"  # of `pulumi up` and of break-glass: longer than any operation, shorter than a lunch
STORE_MAX_LEASE: Final = "768h"  # OpenBao's own ceiling; every mount and role of ours says less
STORE_TLS_MINIMUM: Final = "tls13"  # in OpenBao's word; see TLS_MINIMUM
STORE_RELOAD: Final = "30s"  # the listener looks for a renewed certificate; it has eight hours for that
STORE_REVIEWER_SECONDS: Final = 3600  # the token with which the store asks the API server; the kubelet renews it
STORE_UID: Final = 10004
STORE_RESOURCES: Final = Resources(cpu="50m", memory="128Mi", cpu_limit="1", memory_limit="512Mi")
STORE_STORAGE: Final = "1Gi"
STORE_TOKEN_SECONDS: Final = 1200  # the agent renews it; a dead pod's token is gone after 20 minutes

# --- users of the embedded issuer -----------------------------------------------------------------------------------
USERS_TOKEN_SECONDS: Final = 600  # of a token for hosts: minutes, because nobody can take one back
USERS_SESSION: Final = "1h"  # of the login page: so long a browser gets new tokens without the password
USERS_FAILURES: Final = 5  # wrong passwords in a row, then the name is locked; NIST SP 800-63B 5.2.2 allows 100
USERS_LOCKOUT: Final = "5m"  # minutes: a stranger can lock anybody out, and not for long
USERS_KEY: Final = "RS256"  # verified in 32 us at each hop, ES256 in 55 (measured on Envoy 1.40)
USERS_KEY_ROTATION: Final = "24h"
USERS_KEY_VERIFICATION: Final = "24h"  # an old key stays published: far longer than any token or cached key set

# --- identity -------------------------------------------------------------------------------------------------------
CERTIFICATE_LIFE: Final = "24h"  # short-lived leaves instead of revocation lists; cert-manager renews at 2/3
CERTIFICATE_RENEW_BEFORE: Final = "8h"
KEY: Final[dict[str, Any]] = {
    "algorithm": "ECDSA",
    "size": 256,
    "rotationPolicy": "Always",
}  # P-256: SP 800-57, 128 bit
TLS_MINIMUM: Final = "TLSv1_3"  # BSI TR-02102-2, NIST SP 800-52r2; both ends are ours, so no 1.2 floor is needed

# --- workloads ------------------------------------------------------------------------------------------------------
STARTUP_SECONDS: Final = 120  # an application may take so long until it answers for the first time
SCRATCH: Final = "64Mi"  # of a folder that an application may write to; counted against the node, ends the pod
FILES_BYTES: Final = 524_288  # of all files of one application: a ConfigMap holds a mebibyte, with quotes in JSON
UNPINNED: Final = "sha256:" + "f" * 64  # of an image that is to be pinned yet: nothing has it, and `deploy` refuses it
APP_UID: Final = 10001  # above 10000: no overlap with users of the node (CIS 5.2.6, kube-linter)
PROXY_UID: Final = 10002  # not the application's: it cannot read the proxy's memory or files
AGENT_UID: Final = 10003
DATABASE_UID: Final = 999  # the postgres user of the upstream image
FILE_GROUP: Final = 10000  # group of projected secrets, so that mode 0440 suffices
SECRET_MODE: Final = 0o440
FILE_MODE: Final = 0o444  # of settings: whoever the image runs as reads them, and nobody writes
POD_SECURITY: Final = "restricted"  # Pod Security Standards, the strictest level
POD_SECURITY_VERSION: Final = "latest"
JOB_SECONDS: Final = 600  # of one run of a job: what hangs must not keep its leases, or the next run away
JOB_HISTORY: Final = (3, 3)  # finished runs of a schedule that are kept with their logs: good ones, failed ones
REPLICAS: Final = 2  # one may be drained while the other serves
APP_RESOURCES: Final = Resources(cpu="25m", memory="96Mi", cpu_limit="500m", memory_limit="192Mi")
PROXY_RESOURCES: Final = Resources(cpu="15m", memory="64Mi", cpu_limit="500m", memory_limit="192Mi")
AGENT_RESOURCES: Final = Resources(cpu="10m", memory="64Mi", cpu_limit="500m", memory_limit="192Mi")
# Whether an agent has its files is asked by a process beside it, which takes a tenth of a second of CPU and counts
# against the same limit: asked every second it held the agent up, and ten of them half a machine.
AGENT_STARTED: Final[dict[str, Any]] = {"periodSeconds": 3, "timeoutSeconds": 5, "failureThreshold": 40}
DATABASE_RESOURCES: Final = Resources(cpu="50m", memory="128Mi", cpu_limit="1", memory_limit="512Mi")
SECRETS_MEMORY: Final = "1Mi"  # tmpfs, counted against the pod's memory
DATABASE_STORAGE: Final = "1Gi"
DRAIN_SECONDS: Final = 5  # endpoints are withdrawn everywhere before the application is told to stop
GRACE_SECONDS: Final = 30
QUOTA_HEADROOM: Final = 3  # a roll-out and a run of `garrison prove` beside the declared pods, no more

# --- requests -------------------------------------------------------------------------------------------------------
CONNECT_TIMEOUT: Final = "2s"
REQUEST_SECONDS: Final = 15  # for the application's answer, once the request is there, where a call says no other
REQUEST_TIMEOUT: Final = f"{REQUEST_SECONDS}s"
HEADERS_TIMEOUT: Final = "10s"  # slow request heads (Envoy's edge guide)
STREAM_DURATION: Final = "60s"  # a request with its body: a slow one must not hold its connection, and so its identity
# A certificate is looked at in the handshake only. With the drain and a last request a connection ends within ten
# minutes, and with it the use of a certificate that has ended.
CONNECTION_DURATION: Final = "500s"
CONNECTION_DRAIN: Final = "5s"
OUTBOUND_CONNECTION_DURATION: Final = "440s"  # shorter than the callee's: who sends closes, so no request is lost
# Of a stream without an end of its own and of a TCP connection: a stolen certificate lives on in one that is open, so
# none is open for longer than an hour; clients of brokers and databases connect again.
LONGEST: Final = "3600s"
IDLE_TIMEOUT: Final = "300s"
OUTBOUND_IDLE_TIMEOUT: Final = "240s"  # shorter than the callee's, as above
APP_IDLE_TIMEOUT: Final = "4s"  # shorter than any server's: Node's and uvicorn's keep-alive end after 5 s
HEALTH_IDLE_TIMEOUT: Final = "20s"  # the kubelet connects anew each time
# The proxy asks the application, and the kubelet the proxy: so it can be asked by gRPC or TCP and on loopback alone.
HEALTH_INTERVAL: Final = "2s"  # noticed within ten seconds together with the kubelet's five
HEALTH_INTERVAL_AWAY: Final = "0.5s"  # while it does not answer: what starts is ready at once
HEALTH_ANSWER: Final = "3s"
HEALTH_FAILURES: Final = 2  # in a row: one slow answer is no outage

# --- what a sidecar bears -------------------------------------------------------------------------------------------
# Measured on Envoy 1.40: 14 MiB at rest, 16 KiB for an idle TLS connection, 77 KiB for one with a long head. As many as
# are let in take 76 MiB of the 192 that the proxy may have; the rest is for bodies and for what the kernel counts.
MAX_CONNECTIONS: Final = 1_000  # of a proxy, its application's own included; Envoy has no limit of its own
INBOUND_CONNECTIONS: Final = 800  # of callers, so that the application can still call others
HEALTH_CONNECTIONS: Final = 32  # of the kubelet, counted apart
APP_CONNECTIONS: Final = 256  # requests at once that the application gets; others wait, then are told 503
CONNECTION_BUFFER: Final = 32_768  # bytes each way (Envoy's edge guide); its own default of 1 MiB fills the memory
PROXY_HEAP: Final = 100_663_296  # 96 MiB, half of the memory limit: the binary's pages and the stacks count there, too
HEAP_CHECK: Final = "0.25s"
HEAP_ACTIONS: Final = (  # at this share of it; callers are shed before the kernel ends the proxy
    *(("shrink_heap", 0.8), ("disable_http_keepalive", 0.85)),
    *(("stop_accepting_connections", 0.9), ("stop_accepting_requests", 0.95)),
)
CLOCK_SKEW_SECONDS: Final = 5  # between an issuer's clock and ours; Envoy's own default is a minute
KEYS_CACHE: Final = (
    "300s"  # so long an issuer's keys are used: it may be away for that time, and a key it took back lives
)
KEYS_TIMEOUT: Final = "2s"  # of one fetch of them
RETRIES: Final = 3  # of requests of which nothing was sent yet
PATTERN_SIZE: Final = 1_000_000  # RE2 instructions of one path; Envoy's default of 100 refuses ordinary templates

# --- what a caller may not say --------------------------------------------------------------------------------------
LOGGED_CLAIM: Final = 200  # letters of a claim in a log line
CORRELATION_LENGTH: Final = 64  # of what a caller calls its request in our logs: a UUID has 36 letters
# Headers that frameworks, or what stands before them, prefer to the request line, the host, the peer or the certificate
# that were authorised. Whole families where one has a prefix of its own.
DISPUTED_PREFIXES: Final = (
    *("x-forwarded", "x-original", "x-rewrite-", "x-http-", "x-real-", "x-remote-", "x-client-"),
    *("x-envoy-", "x-middleware-", "x-accel-", "x-sendfile-", "x-ssl-", "ssl-client-", "x-arr-", "x-waws-"),
)
DISPUTED_HEADERS: Final = (
    *("x-method", "x-method-override", "x-override-method"),  # the method
    *("x-override-url", "x-proxy-url", "x-replaced-path", "x-script-name", "script-name", "base-url"),  # the path
    *("x-host", "x-host-override", "x-scheme", "x-url-scheme", "front-end-https", "proxy"),  # the host, the way here
    *("forwarded", "forwarded-for", "forwarded-for-ip", "x-forward-for", "x-originating-ip"),  # the peer's address
    *("client-ip", "true-client-ip", "x-cluster-client-ip", "x-true-client-ip", "x-proxyuser-ip"),
    *("cf-connecting-ip", "cf-connecting-ipv6", "fastly-client-ip", "fly-client-ip", "x-azure-clientip"),
    *("client-cert", "client-cert-chain", "remote-user"),  # the peer's name (RFC 9440)
)
# What the edge was told of an opaque token: for the sidecar behind it (JSON), and for its own rules (a protobuf Value).
ASKED_CLAIMS: Final = "x-introspected-claims"
ASKED_PAYLOAD: Final = "x-introspected-payload"
CLAIMS_HEADER: Final = "x-verified-claims"  # the payload of the token that the own proxy verified, base64url of JSON
CLAIMS_HEADERS: Final = (CLAIMS_HEADER, ASKED_CLAIMS, ASKED_PAYLOAD)  # what no client may say of itself
ACCESS_RULES: Final = "ACCESS_RULES"  # the environment variable with what a service decides itself
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def pod_security_context() -> dict[str, Any]:
    """Pod level of Pod Security `restricted`: non-root and the runtime's seccomp profile (PSS, CIS 5.7.2)."""
    return {"runAsNonRoot": True, "fsGroup": FILE_GROUP, "seccompProfile": {"type": "RuntimeDefault"}}


def container_security_context(uid: int) -> dict[str, Any]:
    """Container level: no capability, no way to gain one, read-only root (PSS restricted, CIS 5.2.x, NSA 2022)."""
    return {
        "runAsNonRoot": True,
        "runAsUser": uid,
        "runAsGroup": uid,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def namespace_labels() -> dict[str, str]:
    """Pod Security admission at all three modes, so that refusals are also seen by clients and in the audit log."""
    levels = {f"pod-security.kubernetes.io/{mode}": POD_SECURITY for mode in ("enforce", "audit", "warn")}
    versions = {
        f"pod-security.kubernetes.io/{mode}-version": POD_SECURITY_VERSION for mode in ("enforce", "audit", "warn")
    }
    return {**levels, **versions, TRUST_LABEL: "true", MANAGED_BY: MANAGER}
