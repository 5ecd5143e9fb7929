"""Texts of the kinds that public reports are about: what must be found in each, and what must not."""

from __future__ import annotations

from typing import NamedTuple

from policies.written import binding, env_of, ingress, policy, runs, starts, written


class Case(NamedTuple):
    rule: str
    found: bool
    what: str
    text: str

    @property
    def readable(self) -> bool:
        return self.rule != "unreadable-document"

    @property
    def id(self) -> str:
        return f"{self.rule}-{self.what}-{'found' if self.found else 'not'}".replace(" ", "-")


def both(rule: str, found: dict[str, str], passes: dict[str, str]) -> list[Case]:
    """Cases of one rule, by what each is about."""
    return [Case(rule, True, *one) for one in found.items()] + [Case(rule, False, *one) for one in passes.items()]


def of(api: str, kind: str, body: str) -> str:
    return f"{{apiVersion: {api}, kind: {kind}, metadata: {{name: it, namespace: shop}}, {body}}}\n"


def given(role: str, subject: str = "kind: User, name: ann") -> str:
    return binding(role, subject).replace("apiVersion: v1", "apiVersion: rbac.authorization.k8s.io/v1")


def role(*rules: str) -> str:
    listed = ", ".join(f"{{{rule}}}" for rule in rules)
    made = f"{{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {{name: r}}, rules: [{listed}]}}"
    return f"{made}\n---\n{given('r')}"


def allows(groups: str, resources: str, verbs: str, more: str = "") -> str:
    return f"apiGroups: [{groups}], resources: [{resources}], verbs: [{verbs}]{more}"


def peer(said: str) -> str:
    return policy(f"podSelector: {{}}, ingress: [{{from: [{{{said}}}]}}]")


def elsewhere(expression: str) -> str:
    return peer(f"namespaceSelector: {{matchExpressions: [{{{expression}}}]}}")


def ports(*said: str) -> str:
    return policy(f"podSelector: {{}}, ingress: [{{ports: [{', '.join(f'{{{one}}}' for one in said)}]}}]")


def nginx(name: str, value: str) -> str:
    return ingress("ingressClassName: nginx", f"nginx.ingress.kubernetes.io/{name}: {value!r}")


def path(said: str) -> str:
    return ingress(f"rules: [{{host: a.example, http: {{paths: [{{path: '{said}'}}]}}}}]")


def secret(data: str, type_: str = "Opaque") -> str:
    return written("Secret", f"type: {type_}, stringData: {{{data}}}")


def shell(line: str) -> str:
    return runs(f"command: [sh, -c, {line!r}]")


def env(name: str, value: str = "cl100k") -> str:
    return env_of(name, value)


def mounts(folder: str) -> str:
    return runs(pod=f"volumes: [{{name: v, hostPath: {{path: {folder}}}}}]")


def level(name: str, version: str) -> str:
    key = "pod-security.kubernetes.io/enforce"
    labels = f"{{{key}: {name}, {key}-version: {version}}}"
    return f"{{apiVersion: v1, kind: Namespace, metadata: {{name: shop, labels: {labels}}}}}"


def context(container: str, pod: str = "") -> str:
    return runs(f"securityContext: {{{container}}}", pod=f"securityContext: {{{pod}}}")


def listener(said: str) -> str:
    return of("gateway.networking.k8s.io/v1", "Gateway", f"spec: {{listeners: [{{name: l, {said}}}]}}")


PRIVILEGED = "{containers: [{name: app, image: x, securityContext: {privileged: true}}]}"
HIDDEN = f"items: [{{apiVersion: v1, kind: Pod, metadata: {{name: hidden}}, spec: {PRIVILEGED}}}]"
TEMPLATE = f"template: {{spec: {PRIVILEGED}}}"
CNPG = of("postgresql.cnpg.io/v1", "Cluster", "spec: {instances: 3}").replace("name: it", "name: orders-db")
ALERTS = of("monitoring.coreos.com/v1", "Alertmanager", "spec: {podMetadata: {labels: {role: pager}}}")
DATABASE = policy("podSelector: {matchLabels: {cnpg.io/cluster: orders-db}}")
PAGER = policy("podSelector: {matchExpressions: [{key: role, operator: In, values: [pager]}]}")
RBAC = "rbac.authorization.k8s.io"
READ, WRITE = "get, list, watch", "create, update, patch, delete"
ENC = "ENC[AES256_GCM,data:c2Vh,iv:aXY=,tag:dGFn,type:str]"
KEY = "-----BEGIN EC PRIVATE KEY-----"

CASES: list[Case] = [
    *both(
        "privileged-container",
        {
            "items beside a ConfigMap": of("v1", "ConfigMap", f"data: {{a: b}}, {HIDDEN}"),
            "items of a named list": of("v1", "PodList", HIDDEN),
            "items of a custom kind": of("example.com/v1", "Bundle", HIDDEN),
            "a JobSet": of(
                "jobset.x-k8s.io/v1alpha2",
                "JobSet",
                f"spec: {{replicatedJobs: [{{template: {{spec: {{{TEMPLATE}}}}}}}]}}",
            ),
            "Volcano": of("batch.volcano.sh/v1alpha1", "Job", f"spec: {{tasks: [{{{TEMPLATE}}}]}}"),
            "Kubeflow": of(
                "kubeflow.org/v1", "PyTorchJob", f"spec: {{pytorchReplicaSpecs: {{Worker: {{{TEMPLATE}}}}}}}"
            ),
            "Ray": of("ray.io/v1", "RayCluster", f"spec: {{workerGroupSpecs: [{{{TEMPLATE}}}]}}"),
            "an operator's podTemplate": of(
                "k8s.elastic.co/v1", "Kibana", f"spec: {{podTemplate: {{spec: {PRIVILEGED}}}}}"
            ),
        },
        {
            "a pattern of a policy": of(
                "kyverno.io/v1", "Policy", f"spec: {{rules: [{{validate: {{pattern: {{spec: {PRIVILEGED}}}}}}}]}}"
            ),
        },
    ),
    *both(
        "network-policy-open-ingress",
        {
            "every namespace has the label": elsewhere("key: kubernetes.io/metadata.name, operator: Exists"),
            "all but one": elsewhere("key: kubernetes.io/metadata.name, operator: NotIn, values: [dmz]"),
            "a label nobody has": elsewhere("key: nobody, operator: DoesNotExist"),
            "half of all addresses": peer("ipBlock: {cidr: 128.0.0.0/1}"),
            "a quarter": peer("ipBlock: {cidr: 192.0.0.0/2}"),
            "all global addresses": peer("ipBlock: {cidr: '2000::/3'}"),
            "all but one address": peer("ipBlock: {cidr: 0.0.0.0/0, except: [203.0.113.9/32]}"),
            "ranges that add up": ports(
                "port: 1, endPort: 20000", "port: 20001, endPort: 40000", "port: 40001, endPort: 65535"
            ),
            "all but a few": ports("port: 80", "port: 1024, endPort: 65535"),
        },
        {
            "one namespace": elsewhere("key: kubernetes.io/metadata.name, operator: In, values: [web]"),
            "a label some have": elsewhere("key: team, operator: Exists"),
            "private addresses": peer("ipBlock: {cidr: 10.0.0.0/8}"),
            "private addresses of IPv6": peer("ipBlock: {cidr: 'fc00::/7'}"),
            "all but the private ones": peer("ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}"),
            "ranges with a hole": ports("port: 1, endPort: 20000", "port: 40001, endPort: 65535"),
            "ranges of two protocols": ports("port: 1, endPort: 30000", "protocol: UDP, port: 30001, endPort: 65535"),
            "another API": of("projectcalico.org/v3", "NetworkPolicy", "spec: {ingress: [{action: Deny}]}"),
        },
    ),
    *both(
        "namespace-pod-security",
        {
            "before dropped capabilities": level("restricted", "v1.21"),
            "before seccomp": level("baseline", "v1.18"),
            "no version": level("restricted", "'1.30'"),
        },
        {
            "latest": level("restricted", "latest"),
            "as strict": level("restricted", "v1.22"),
            "baseline": level("baseline", "v1.24"),
            "another API": of("servicebus.azure.com/v1", "Namespace", "spec: {}"),
        },
    ),
    *both(
        "bound-to-secrets",
        {"edit": given("edit"), "the control plane": given("system:kube-controller-manager")},
        {"view": given("view")},
    ),
    *both(
        "bound-to-exec",
        {"admin": given("admin"), "the kubelet": given("system:kubelet-api-admin")},
        {"view": given("view")},
    ),
    *both(
        "bound-to-escalation",
        {
            "aggregation": given("system:controller:clusterrole-aggregation-controller"),
            "an account": role(allows("''", "serviceaccounts", "impersonate")),
            "a uid": role(allows("authentication.k8s.io", "uids", "impersonate")),
            "a scope": role(allows("authentication.k8s.io", "userextras/scopes", "impersonate")),
            "roles": role(allows(RBAC, "clusterroles", "escalate")),
        },
        {
            "another API's bind": role(allows("apis.kcp.io", "apiexports", "bind")),
            "another API's escalate": role(allows("tickets.example.com", "tickets", "escalate")),
        },
    ),
    *both(
        "bound-to-another",
        {
            "approval": role(allows("certificates.k8s.io", "certificatesigningrequests/approval", "update")),
            "signers": role(
                allows(
                    "certificates.k8s.io", "signers", "sign", ", resourceNames: [kubernetes.io/kube-apiserver-client]"
                )
            ),
            "edit": given("edit"),
        },
        {"other signers": role(allows("certificates.k8s.io", "signers", "sign", ", resourceNames: [example.com/*]"))},
    ),
    *both(
        "role-approves-certificates",
        {
            "cert-manager": role(
                allows("cert-manager.io", "signers", "approve", ", resourceNames: [issuers.cert-manager.io/*]")
            ),
            "its status": role(allows("cert-manager.io", "certificaterequests/status", "patch")),
            "signers": role(allows("certificates.k8s.io", "signers", "approve", ", resourceNames: [example.com/*]")),
        },
        {"to ask": role(allows("cert-manager.io", "certificaterequests", "create, get"))},
    ),
    *both(
        "bound-to-everything",
        {
            "every verb": role(allows("'*'", "'*'", f"{READ}, {WRITE}, deletecollection")),
            "all but one": role(allows("'*'", "'*'", f"get, {WRITE}")),
            "in two rules": role(allows("'*'", "'*'", READ), allows("'*'", "'*'", WRITE)),
            "groups one by one": role(allows(f"'', apps, batch, {RBAC}", "'*'", "'*'")),
            "groups in two rules": role(allows("''", "'*'", "'*'"), allows(RBAC, "'*'", f"{READ}, {WRITE}")),
        },
        {
            "reading": role(allows("'*'", "'*'", READ)),
            "one group": role(allows("apps", "'*'", f"{READ}, {WRITE}")),
            "named": role(allows("'*'", "'*'", f"{READ}, {WRITE}", ", resourceNames: [orders]")),
        },
    ),
    *both(
        "default-account-binding",
        {
            "as a user": given("view", "kind: User, name: 'system:serviceaccount:shop:default'"),
            "in its group": given("view", "kind: Group, name: 'system:serviceaccounts:shop'"),
        },
        {"another": given("view", "kind: User, name: 'system:serviceaccount:shop:web'")},
    ),
    *both(
        "everybody-binding",
        {
            "anonymous discovery": binding(
                "system:discovery", "kind: Group, name: 'system:unauthenticated'", name="'system:discovery'"
            ),
            "OpenShift's": given("view", "kind: Group, name: 'system:authenticated:oauth'"),
        },
        {
            "what the server binds": binding(
                "system:public-info-viewer",
                "kind: Group, name: 'system:unauthenticated'",
                name="'system:public-info-viewer'",
            ),
        },
    ),
    *both(
        "network-policy-dangling",
        {"no operator": policy("podSelector: {matchLabels: {app: wob}}"), "another's": f"{CNPG}---\n{PAGER}"},
        {"called by its name": f"{CNPG}---\n{DATABASE}", "labels it says": f"{ALERTS}---\n{PAGER}"},
    ),
    *both(
        "nginx-annotation",
        {
            "a second directive": nginx("auth-method", "GET; include /tmp/x;"),
            "a quote": nginx("rewrite-target", '/" break; return 200 "'),
            "the end of a quoted word": nginx("upstream-vhost", "a\\"),
            "a comment": nginx("proxy-redirect-to", "x #"),
        },
        {
            "addresses line by line": nginx("whitelist-source-range", "10.0.0.0/8,\n192.168.0.0/16\n"),
            "the end of a block": nginx("proxy-body-size", "8m\n"),
            "a variable": nginx("upstream-hash-by", "${request_uri}"),
            "a capture": nginx("rewrite-target", "/$1"),
        },
    ),
    *both(
        "ingress-path",
        {
            "an empty block": path("/a{}"),
            "nothing to repeat": path("/({3})"),
            "a directive": path("/a{3} {return 200;}"),
        },
        {"a number": path("/[a-z]{2}/x"), "at least": path("/v[0-9]{1,}/.*"), "a group": path("/(ab){2,3}")},
    ),
    *both(
        "secret-in-manifest",
        {
            "a key": secret(f"tls.key: '{KEY}'", "kubernetes.io/tls"),
            "a join token": secret("token-secret: f395accd246ae52d", "bootstrap.kubernetes.io/token"),
            "a type of one's own": secret("a: b", "example.com/login"),
            "half encrypted": secret(f"a: '{ENC}', b: hunter2"),
            "a certificate with its key": secret(f"'a.pem': '-----BEGIN CERTIFICATE----- {KEY}'"),
        },
        {
            "encrypted": secret(f"a: '{ENC}'"),
            "a certificate": secret("ca.crt: '-----BEGIN CERTIFICATE----- MII'"),
            "a place for it": secret("a: '${PASSWORD}', b: '<path:secret/data/shop#b>'"),
            "another API": of("example.com/v1", "Secret", "type: Opaque, stringData: {a: b}"),
        },
    ),
    *both(
        "secret-in-arguments",
        {
            "two elements": starts("serve", "--db-password", "hunter2"),
            "a short name": starts("--requirepass", "hunter2"),
            "an option of curl": starts("-u", "ann:hunter2", "https://a.example"),
            "a line": shell("exec serve --api-key 8f7e6d5c"),
            "mysql": shell("mysqladmin -u root -phunter2 ping"),
            "a variable": shell("export API_TOKEN=hunter2; serve"),
            "curl": shell("curl -sf -u ann:hunter2 http://localhost/health"),
            "a probe": runs("readinessProbe: {exec: {command: [redis-cli, --pass, hunter2, ping]}}"),
            "a hook": runs("lifecycle: {preStop: {exec: {command: [sh, -c, 'PGPASSWORD=hunter2 psql']}}}"),
        },
        {
            "a file": starts("--db-password-file", "/run/secrets/db"),
            "a variable of the pod": starts("--password", "$(DB_PASSWORD)"),
            "a variable of the shell": shell('export API_TOKEN="$(cat /run/secrets/token)"; serve'),
            "a path": starts("--token", "/run/secrets/token"),
            "a switch": starts("--use-token", "serve"),
            "another option": starts("--password", "--verbose"),
            "tokens": starts("--max-tokens", "4096", "--tokenizer", "cl100k"),
            "a user and a group": starts("--user", "1000:1000"),
            "true": shell("serve --require-token true"),
        },
    ),
    *both(
        "secret-in-environment",
        {
            "a token": env("API_TOKEN"),
            "several": env("API_TOKENS"),
            "a password": env("DB_PASSWORD"),
            "a key in base64": env("CERT", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo="),
        },
        {
            name: env(name)
            for name in (
                "TOKENIZER",
                "MAX_TOKENS",
                "TOKENS_PER_MINUTE",
                "TOKENIZERS_PARALLELISM",
                "PASSWORD_HASHERS",
                "SECRETARY",
            )
        },
    ),
    *both(
        "unreadable-document",
        {
            "none": of("apps/v1", "Deployment", "spec: {template: {spec: {containers: []}}}"),
            "misspelt": of("apps/v1", "DaemonSet", "spec: {template: {spec: {container: [{name: a}]}}}"),
            "a pod": of("v1", "Pod", "spec: {restartPolicy: Never}"),
            "a word for a list": of("networking.istio.io/v1", "VirtualService", "spec: {hosts: a.example}"),
        },
        {
            "words": of("networking.istio.io/v1", "VirtualService", "spec: {hosts: [a.example, b.example]}"),
            "another API": of("example.com/v1", "Deployment", "spec: {containers: none}"),
            "a marker with a tab": of("v1", "ConfigMap", "data: {}") + "---\t\n" + of("v1", "ConfigMap", "data: {}"),
            "joined files": of("v1", "ConfigMap", "data: {}") + "---\n\ufeff" + of("v1", "ConfigMap", "data: {}"),
            "a number beyond all bounds": of(
                "apps/v1", "StatefulSet", "spec: {replicas: 1e999, template: {spec: {containers: [{name: a}]}}}"
            ),
        },
    ),
    *both(
        "runtime-socket",
        {
            name: mounts(name)
            for name in (
                "/run/k3s/containerd",
                "/var/run/k0s/",
                "/run/./containerd",
                "//var//run/nri",
                "/run/user/1000/podman",
            )
        },
        {name: mounts(name) for name in ("/run/k3s-data", "/var/log/containers", "/srv/run")},
    ),
    *both(
        "gateway-tls",
        {"plain": listener("protocol: HTTP, port: 80")},
        {
            "secured": listener("protocol: HTTPS, port: 443"),
            "a redirect": listener("protocol: HTTP, port: 80")
            + "---\n"
            + of(
                "gateway.networking.k8s.io/v1",
                "HTTPRoute",
                "spec: {parentRefs: [{name: it}], rules: [{filters: [{requestRedirect: {scheme: https}}]}]}",
            ),
        },
    ),
    *both(
        "route-tls",
        {
            "Istio": of(
                "networking.istio.io/v1", "Gateway", "spec: {servers: [{hosts: ['*'], port: {protocol: HTTP}}]}"
            ),
            "OpenShift": of("route.openshift.io/v1", "Route", "spec: {host: a.example}"),
            "Contour": of("projectcontour.io/v1", "HTTPProxy", "spec: {virtualhost: {fqdn: a.example}}"),
            "Traefik": of("traefik.io/v1alpha1", "IngressRoute", "spec: {routes: []}"),
        },
        {"another API": of("serving.knative.dev/v1", "Route", "spec: {traffic: []}")},
    ),
    *both(
        "gateway-host",
        {"any host": listener("protocol: HTTPS, port: 443, allowedRoutes: {namespaces: {from: All}}")},
        {"its own routes": listener("protocol: HTTPS, port: 443")},
    ),
    *both(
        "drop-all-capabilities",
        {
            "added back": context("capabilities: {drop: [ALL], add: [ALL]}"),
            "in another spelling": context("capabilities: {drop: [ALL], add: [all]}"),
        },
        {"one added": context("capabilities: {drop: [ALL], add: [CHOWN]}")},
    ),
    *both(
        "linux-hardening",
        {
            "undone by the container": context(
                "seccompProfile: {type: Unconfined}", "seccompProfile: {type: RuntimeDefault}"
            ),
            "AppArmor undone": context(
                "appArmorProfile: {type: Unconfined}", "appArmorProfile: {type: RuntimeDefault}"
            ),
            "added back": context("capabilities: {drop: [NET_RAW], add: [CAP_ALL]}"),
            "privileged": context("privileged: true, seccompProfile: {type: RuntimeDefault}"),
            "a type of no confinement": context("seLinuxOptions: {type: spc_t}"),
        },
        {
            "of the pod": context("runAsNonRoot: true", "seccompProfile: {type: RuntimeDefault}"),
            "of the container": context("seccompProfile: {type: Localhost, localhostProfile: a}"),
        },
    ),
]
