"""What a cluster says of itself, by kubectl alone: nothing is made, and no Secret is read."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from garrison import kube
from garrison.defaults import ISSUER_NAMESPACE, MANAGED_BY, MANAGER, PART_OF, PLATFORM, SYSTEM_NAMESPACES, TRUST_BUNDLE
from garrison.doctor import resolver
from garrison.manifest import Manifest
from garrison.prove.kubectl import Kubectl
from garrison.prove.look.finding import node_addresses

DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"
# DaemonSets by which networks are known, and what is known of their network policies before anything is measured.
NETWORKS: Final = {
    "anetd": "GKE Dataplane V2",
    "antrea-agent": "Antrea",
    "aws-node": "Amazon VPC CNI: off until its policy agent is switched on; in standard mode new pods are open",
    "azure-npm": "Azure NPM",
    "calico-node": "Calico",
    "canal": "Canal",
    "cilium": "Cilium",
    "kindnet": "kindnet",
    "kube-flannel-ds": "Flannel: enforces none by itself",
    "kube-ovn-cni": "Kube-OVN",
    "kube-router": "kube-router",
    "ovnkube-node": "OVN-Kubernetes",
    "weave-net": "Weave Net",
}
# What a cluster itself runs beside kube-system, where somebody has it: needs what the rules forbid.
SYSTEMS: Final = (
    *("calico-apiserver", "calico-system", "tigera-operator", "cilium", "kube-flannel", "local-path-storage"),
    *("gke-managed-system", "gmp-system", "metallb-system", "longhorn-system", "rook-ceph"),
)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One cluster, as its API server tells of it. `unread` says what it did not tell, and why."""

    version: tuple[int, int]
    nodes: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    """Ranges of pods, where nodes show them."""
    api_server: tuple[str, ...] = ()
    """Addresses of the API server: its own, then those of its Service."""
    resolver: resolver.Resolver | None = None
    storage: tuple[str, ...] = ()
    """Storage classes; the default one first."""
    default_storage: bool = False
    cert_manager: str = ""
    """Its namespace; empty where there is none."""
    trust_manager: str = ""
    garrisons: bool = False
    """Whether that cert-manager is Garrison's own."""
    issuers: tuple[str, ...] = ()
    """ClusterIssuers that are ready."""
    bundle: bool = False
    networks: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    """Namespaces of the cluster itself, beside Kubernetes' own."""
    others: tuple[str, ...] = ()
    """Namespaces of somebody else in which something runs."""
    who: tuple[str, ...] = ()
    """Who asks: `user:NAME`, then `group:NAME` of each group."""
    unread: tuple[str, ...] = field(default=())


@dataclass
class Reader:
    """Lists of objects; what cannot be listed is remembered and counts as empty."""

    kubectl: Kubectl
    served: frozenset[str] = frozenset()
    unread: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.served = frozenset(self.kubectl.run("api-resources", "--verbs=list", "--output=name").split())

    def __call__(self, kind: str) -> list[Manifest]:
        """All objects of a kind, by its name with its group; none where the cluster does not serve it."""
        if kind not in self.served:
            return []
        code, out, error = self.kubectl.attempt("get", kind, "--all-namespaces", "--output=json")
        if code:
            self.unread.append(f"{kind}: {kube.last_line(error) or f'exit code {code}'}")
            return []
        found: list[Manifest] = json.loads(out)["items"]
        return found


def read(kubectl: Kubectl) -> Facts:
    """Ask; raises ProveError where the cluster does not answer at all."""
    version = kube.version(kubectl.run("get", "--raw", "/version"))
    listed = Reader(kubectl)
    nodes, services, slices = (listed(kind) for kind in ("nodes", "services", "endpointslices.discovery.k8s.io"))
    pods, sets, spaces = listed("pods"), listed("daemonsets.apps"), listed("namespaces")
    classes = sorted(listed("storageclasses.storage.k8s.io"), key=lambda one: (not _is_default(one), _name(one)))
    running = listed("deployments.apps")
    cert_manager, trust_manager = (_home(running, name) for name in ("cert-manager", "trust-manager"))
    systems = tuple(sorted({_name(one) for one in spaces} & {*SYSTEMS}))
    return Facts(
        version=version,
        nodes=tuple(node_addresses(nodes)),
        pods=tuple(sorted({cidr for node in nodes for cidr in node["spec"].get("podCIDRs", ())})),
        api_server=_api_server(services, slices),
        resolver=resolver.found(services, slices, sets, pods),
        storage=tuple(map(_name, classes)),
        default_storage=any(map(_is_default, classes)),
        cert_manager=cert_manager,
        trust_manager=trust_manager,
        garrisons=any(_name(one) == cert_manager and _labels(one).get(PART_OF) == PLATFORM for one in spaces),
        issuers=tuple(sorted(_name(one) for one in listed("clusterissuers.cert-manager.io") if _ready(one))),
        bundle=any(_name(one) == TRUST_BUNDLE for one in listed("bundles.trust.cert-manager.io")),
        networks=tuple(sorted({NETWORKS[_name(one)] for one in sets if _name(one) in NETWORKS})),
        systems=systems,
        others=_others(spaces, pods, {*systems, cert_manager, trust_manager}),
        who=_who(kubectl),
        unread=tuple(listed.unread),
    )


def _api_server(services: Iterable[Manifest], slices: Iterable[Manifest]) -> tuple[str, ...]:
    """Its own addresses, which rules see after address translation, and its Service's, which some see before it."""
    own = [one for one in slices if _at(one) == "default" and _labels(one).get(resolver.OF) == "kubernetes"]
    service = [one for one in services if (_at(one), _name(one)) == ("default", "kubernetes")]
    return (*resolver.addresses(own), *(ip for one in service for ip in resolver.cluster_ips(one)))


def _others(spaces: Iterable[Manifest], pods: Iterable[Manifest], cluster: set[str]) -> tuple[str, ...]:
    ours = {_name(s) for s in spaces if _labels(s).get(MANAGED_BY) == MANAGER or _labels(s).get(PART_OF) == PLATFORM}
    inhabited = {_at(pod) for pod in pods}
    return tuple(sorted(inhabited - ours - cluster - {*SYSTEM_NAMESPACES, ISSUER_NAMESPACE}))


def _home(running: Iterable[Manifest], name: str) -> str:
    """The namespace of a Deployment that its chart calls so."""
    homes = [_at(one) for one in running if _labels(one).get("app.kubernetes.io/name") == name]
    return min(homes, default="")


def _who(kubectl: Kubectl) -> tuple[str, ...]:
    said = json.loads(kubectl.run("auth", "whoami", "--output=json"))["status"]["userInfo"]
    return (f"user:{said.get('username', '')}", *(f"group:{group}" for group in said.get("groups", ())))


def public(addresses: Sequence[str]) -> list[str]:
    """Those of addresses or ranges that are of the internet."""
    return [one for one in addresses if ipaddress.ip_network(one).is_global]


def _ready(issuer: Manifest) -> bool:
    conditions: list[Any] = issuer.get("status", {}).get("conditions", [])
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _is_default(storage: Manifest) -> bool:
    return (storage["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"


def _labels(item: Manifest) -> dict[str, str]:
    return item["metadata"].get("labels") or {}


def _name(item: Manifest) -> str:
    return str(item["metadata"]["name"])


def _at(item: Manifest) -> str:
    return str(item["metadata"].get("namespace", ""))
