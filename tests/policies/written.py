"""Objects in one line, for tests that are about one field of them."""

from __future__ import annotations

# control, what the two differ in, what is accepted, what is refused; each one document or several
Pair = tuple[str, str, str | list[str], str | list[str]]
APP = "{containers: [{name: app, image: x}]}"


def written(kind: str, body: str, *, name: str = "it", namespace: str = "shop", more: str = "") -> str:
    return f"{{kind: {kind}, apiVersion: v1, metadata: {{name: {name}, namespace: {namespace}{more}}}, {body}}}\n"


def workload(labels: str = "app: web", *, kind: str = "Deployment", spec: str = "", namespace: str = "shop") -> str:
    template = f"template: {{metadata: {{labels: {{{labels}}}}}, spec: {APP}}}"
    return written(kind, f"spec: {{{spec}{template}}}", name="web", namespace=namespace)


def runs(container: str = "", *, pod: str = "", kind: str = "Deployment", namespace: str = "shop") -> str:
    """A workload of one container that says `container`, in a pod that says `pod`."""
    image = "" if "image:" in container else "image: x, "
    template = (
        f"{{spec: {{{pod}{', ' * bool(pod)}containers: [{{{image}name: app{', ' * bool(container)}{container}}}]}}}}"
    )
    return written(kind, f"spec: {{template: {template}}}", name="web", namespace=namespace)


def policy(spec: str, *, namespace: str = "shop") -> str:
    return written("NetworkPolicy", f"spec: {{{spec}}}", name="policy", namespace=namespace)


def role(said: str, kind: str = "Role") -> str:
    return written(kind, f"rules: [{{{said}}}]", name="role")


def rule(resource: str, verb: str, group: str = "") -> str:
    return f"apiGroups: ['{group}'], resources: ['{resource}'], verbs: ['{verb}']"


def bound(said: str, *, kind: str = "Role", to: str = "role", subjects: str = "[{kind: User, name: ann}]") -> list[str]:
    binding = written("RoleBinding", f"roleRef: {{kind: {kind}, name: {to}}}, subjects: {subjects}", name="binding")
    return [role(said, kind), binding]


def binding(role_name: str, subject: str, *, name: str = "binding") -> str:
    reference = f"roleRef: {{kind: ClusterRole, name: {role_name}}}, subjects: [{{{subject}}}]"
    return written("ClusterRoleBinding", reference, name=name)


def service(spec: str) -> str:
    return written("Service", f"spec: {{{spec}}}", name="service")


def ingress(spec: str, annotations: str = "") -> str:
    return written("Ingress", f"spec: {{{spec}}}", name="ingress", more=f", annotations: {{{annotations}}}")


def host(name: str, path: str = "/") -> str:
    return f"rules: [{{host: '{name}', http: {{paths: [{{path: '{path}'}}]}}}}]"


def nginx(annotation: str, value: str) -> str:
    return ingress("ingressClassName: nginx", f'nginx.ingress.kubernetes.io/{annotation}: "{value}"')


def config(data: str) -> str:
    return written("ConfigMap", f"data: {{{data}}}")


def budget(spec: str, selector: str = "selector: {matchLabels: {app: web}}") -> str:
    return written("PodDisruptionBudget", f"spec: {{{selector}{', ' * bool(selector)}{spec}}}", name="budget")


def autoscaler(spec: str, *, target: str = "web") -> str:
    reference = f"scaleTargetRef: {{kind: Deployment, name: {target}}}"
    return written("HorizontalPodAutoscaler", f"spec: {{{spec}, {reference}}}", name="autoscaler")


def apart(selector: str, more: str = "", namespace: str = "shop") -> str:
    term = f"{{topologyKey: kubernetes.io/hostname, labelSelector: {{{selector}}}{more}}}"
    spread = f"affinity: {{podAntiAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: [{term}]}}}}"
    template = f"{{metadata: {{labels: {{app: web}}}}, spec: {{{spread}, containers: [{{name: app, image: x}}]}}}}"
    return written("StatefulSet", f"spec: {{replicas: 2, template: {template}}}", name="web", namespace=namespace)


WEB = "podSelector: {matchLabels: {app: web}}"
SECRETS = 'apiGroups: [""], resources: [secrets]'
HTTP = "http: {paths: [{path: /, backend: {service: {name: service, port: {number: 80}}}}]}"
EVERYTHING = rule("*", "*", "*")
TLS = "tls: [{hosts: [a.example]}]"


def env_of(name: str, value: str) -> str:
    return runs(f"env: [{{name: {name}, value: '{value}'}}]")


def starts(*arguments: str) -> str:
    return runs(f"args: {list(arguments)!r}")
