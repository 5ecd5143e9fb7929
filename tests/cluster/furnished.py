"""Makes a cluster that is somebody else's, foreign to Garrison in all that it would otherwise install.

cert-manager and trust-manager stand there as their charts make them, with a company's authority; the secret store is a
server outside of it, with mounts, a namespace and a prefix of its own; images come from a registry, by digest, the
node's included; and other people's workloads live there, as no rule of an estate would have them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from cluster import corporate, upstream_node
from cluster.argocd import ACCOUNT
from cluster.foreign import HOME, MORE, NAME, OTHERS, PAGE, TEAM, Foreign, granted
from cluster.gitops import user
from garrison import images as locked
from garrison.deployment.platform import charts
from garrison.deployment.platform.charts import Chart
from garrison.deployment.platform.store_config import BREAK_GLASS
from garrison.deployment.store_command import set_up
from garrison.words import Ref
from harness import cluster as clusters
from harness import environment, images, loading, parts, paths, platform_images, registry, shell
from harness.authority import Authority
from harness.documents import blocks
from servers.bao import serving

ROLES: Final = ("envoy", "openbao", "postgres", "prober")
MANY: Final = {"crds": {"enabled": True}, "startupapicheck": {"enabled": False}}
TRUST: Final = {"crds": {"enabled": True}, "defaultPackage": {"enabled": False}}


@contextmanager
def standing(folder: Path) -> Iterator[Foreign]:
    """The cluster with all that is somebody else's, and the program; gone afterwards."""
    clusters.delete(NAME)
    with ExitStack() as stack:
        stack.callback(upstream_node.forget)
        with upstream_node.served(folder / "node") as image:
            made = clusters.ensure(NAME)
        stack.callback(clusters.delete, NAME)
        loading.load(NAME, [*platform_images.platform_images()])
        host = _gateway()
        root = Authority.fresh("a company's root")
        for part in ("bao", "registry"):
            (folder / part).mkdir()
        within = stack.enter_context(corporate.network(NAME, folder))
        bao = stack.enter_context(serving(folder / "bao", root=root, host=host, within=within))
        there = stack.enter_context(registry.served(folder / "registry", host))
        _known(made.nodes, there)
        foreign = Foreign(folder / "kiosk", bao, _environment(), image)
        _installed(foreign, "cert-manager", MANY)  # which begins while the next thing is done, as trust-manager does
        _program(foreign, there)
        _authority(foreign, root)
        _store(foreign)
        _deployer(foreign)
        foreign.apply(_others(foreign))
        _available(foreign)
        yield foreign


def _environment() -> dict[str, str]:
    """Of a user who has Garrison, kubectl and Pulumi, and nothing else of this repository's."""
    ours = environment.variables(NAME)
    ours |= {"PULUMI_STACK": "foreign", "PULUMI_PYTHON_CMD": sys.executable}
    left = {name: value for name, value in os.environ.items() if not name.startswith(("GARRISON_", "PULUMI_"))}
    return left | {name: value for name, value in ours.items() if not name.startswith("GARRISON_")}


def _gateway() -> str:
    """This machine on the cluster's network."""
    format_ = "{{range .IPAM.Config}}{{println .Gateway}}{{end}}"
    said = shell.run(["docker", "network", "inspect", NAME, "--format", format_], what="looking at the network")
    return next(line for line in said.split() if "." in line)


def _known(nodes: Sequence[str], there: str) -> None:
    """The nodes speak to that registry in clear: it is this machine's."""
    place = f"/etc/containerd/certs.d/{there}"
    text = f'server = "http://{there}"\n[host."http://{there}"]\n  capabilities = ["pull", "resolve"]\n'
    for node in nodes:
        command = ["docker", "exec", "-i", node, "sh", "-c", f"mkdir -p {place} && cat > {place}/hosts.toml"]
        shell.run(command, what="naming a registry", stdin=text)


def _program(foreign: Foreign, there: str) -> None:
    """The folder of the user: program, project, lock, settings."""
    foreign.folder.mkdir()
    (program,), (_, project) = blocks(PAGE, "python"), blocks(PAGE, "yaml")
    (foreign.folder / "__main__.py").write_text(program.replace("\nrun(app)", f"{MORE}\nrun(app)"))
    (foreign.folder / "Pulumi.yaml").write_text(project)
    (foreign.folder / "schema").mkdir()
    (foreign.folder / "schema" / "0001_sales.sql").write_text(corporate.SCHEMA)
    ours = images.service_images()
    pushed = {role: registry.push(images.of(role, ours), there) for role in ROLES}
    pushed["python"] = pushed["prober"]  # whose base is Debian's Python
    lock = "".join(f'{role} = "{reference}"\n' for role, reference in pushed.items())
    (foreign.folder / "images.lock").write_text(lock)
    assert dict(locked(foreign.folder / "images.lock")) == pushed
    done = foreign.run("pulumi", "stack", "init", "foreign", "--no-select")
    assert done.returncode == 0, done.stderr
    said = yaml.safe_load(foreign.stack.read_text()) if foreign.stack.exists() else {}
    settings = {
        "installCertManager": False,
        "installTrustManager": False,
        "installOpenbao": False,
        "issuer": "company",
        "trustCa": str(foreign.folder / "company.pem"),
        "keepData": False,
        "generatedSecrets": ["psp/api-key"],
        "storeAddress": foreign.bao.address,
        "storeCa": foreign.bao.ca_file,
        "storeRanges": [f"{foreign.bao.host}/32"],
        "storeKv": "kv-shop",
        "storeDatabase": "pg-shop",
        "storeAuth": "k8s/prod",
        "storePrefix": "prod",
        "storeNamespace": TEAM,
        "storeDeployer": f"{HOME}/deployer",
        "deployers": [
            f"user:{user(Ref(HOME, 'deployer'))}",
            f"user:{ACCOUNT}",
            "group:kubeadm:cluster-admins",
        ],
        **corporate.entering(foreign.bao.folder, foreign.bao.ca_file),
    }
    (foreign.folder / "company.pem").write_text(Path(foreign.bao.ca_file).read_text())
    said["config"] = {f"garrison:{key}": value for key, value in settings.items()}
    foreign.stack.write_text(yaml.safe_dump(said))


def _installed(foreign: Foreign, name: str, values: dict[str, Any]) -> None:
    """A chart as anybody installs it."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cert-manager"}}
    made = charts.render(Chart(name, "cert-manager", values), parts.part("charts").folder)
    kinds = [item for item in made if item["kind"] == "CustomResourceDefinition"]
    foreign.apply([space, *kinds])
    foreign.knows_kinds()
    foreign.apply([item for item in made if item not in kinds])


def _authority(foreign: Foreign, root: Authority) -> None:
    """The company's issuer, and what brings its CA to every namespace."""
    _available(foreign)  # its webhook judges issuers, and certificates such as that of trust-manager's webhook
    _installed(foreign, "trust-manager", TRUST)
    secret = {"tls.crt": root.pem, "tls.key": root.key_pem}
    meta = {"name": "company-root", "namespace": "cert-manager"}
    foreign.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": secret}])
    issuer = {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "company"}}
    foreign.apply([issuer | {"spec": {"ca": {"secretName": "company-root"}}}])


def _available(foreign: Foreign) -> None:
    wait = ["wait", "--for=condition=Available", "deployment", "--all", "--namespace=cert-manager"]
    foreign.kubectl(*wait, "--timeout=180s")


def _store(foreign: Foreign) -> None:
    """What the store's administrator makes once, and what `garrison store policies` says for this cluster."""
    foreign.apply(
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}},
            *(
                {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": HOME}}
                for name in ("deployer", "reviewer")
            ),
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "store-reviewer"},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": "system:auth-delegator",
                },
                "subjects": [{"kind": "ServiceAccount", "name": "reviewer", "namespace": HOME}],
            },
        ]
    )
    foreign.bao.user(BREAK_GLASS).write_data(f"sys/namespaces/{TEAM}", data={})
    keeper, known = foreign.keeper, yaml.safe_load((paths.cluster_state(NAME) / "kubeconfig").read_text())
    keeper.write_data("sys/mounts/kv-shop", data={"type": "kv", "options": {"version": "2"}})
    keeper.write_data("sys/mounts/pg-shop", data={"type": "database"})
    keeper.write_data("sys/auth/k8s/prod", data={"type": "kubernetes"})
    (server,) = (one["cluster"] for one in known["clusters"])
    token = foreign.kubectl("create", "token", "reviewer", f"--namespace={HOME}", "--duration=2h").strip()
    ca = shell.run(["base64", "-d"], what="reading the CA", stdin=server["certificate-authority-data"])
    config = {"kubernetes_host": server["server"], "kubernetes_ca_cert": ca, "token_reviewer_jwt": token}
    keeper.write_data("auth/k8s/prod/config", data=config)
    foreign.administer(set_up(foreign.store))


def _deployer(foreign: Foreign) -> None:
    """The account that deploys: its roles as they are printed, and a kubeconfig with its token."""
    foreign.apply(granted(foreign))
    foreign.known_as(Ref(HOME, "deployer"), Path(foreign.deploying["KUBECONFIG"]))


def _others(foreign: Foreign) -> list[dict[str, Any]]:
    """A workload with everything that a rule of an estate refuses."""
    image = dict(locked(foreign.folder / "images.lock"))["prober"]
    labels = {"app": "old"}
    app = {
        "name": "old",
        "image": image.partition("@")[0] + ":" + image.rpartition(":")[2][:12],  # by a tag
        "command": ["python3", "-m", "prober", "serve", "0.0.0.0", "8080"],
        "securityContext": {"runAsUser": 0, "privileged": True},
    }
    template = {"metadata": {"labels": labels}, "spec": {"hostNetwork": False, "containers": [app]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    meta = {"name": "old", "namespace": OTHERS}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OTHERS}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"ports": [{"port": 80}], "selector": labels},
        },
    ]
