"""What a stack says about its cluster, as one frozen value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from garrison import defaults as d
from garrison import verified
from garrison.cluster import AdmissionScope, Cluster, Dns, Egress, Entrance, Issuer, Store
from garrison.errors import GarrisonError, Problem
from garrison.settings.charts import Charts

# Settings that are a field of the store as they stand, by the field.
STORE_FIELDS: Final = {
    **{f"store_{name}": name for name in ("address", "labels", "ranges", "kv", "database", "auth", "prefix")},
    **{f"store_{name}": name for name in ("audience", "deployer", "database_client")},
    "store_namespace": "tenant",
}
STORE_FILES: Final = {"store_ca": "ca", "store_database_ca": "database_ca"}  # and those that are the text of a file


class SettingsError(GarrisonError, ValueError):
    """The stack settings do not hold together. `problems` has all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems, "bad stack settings:")


@dataclass(frozen=True)
class Settings:
    """What a stack says about its cluster. Every field has a key of the same name in camelCase."""

    install_cert_manager: bool = True
    """False where the cluster has cert-manager already."""
    install_trust_manager: bool = True
    """False where the cluster has trust-manager already, with cert-manager as its trust namespace."""
    issuer: str | Issuer | None = None
    """Who signs identities: a ClusterIssuer by name, or one of any kind; without it a root CA is made."""
    trust_ca: Path | None = None
    """The CA of that issuer, a PEM file, which every workload trusts; without it the bundle has to be there."""
    install_openbao: bool = True
    """False where an OpenBao or Vault already serves `openbao.openbao.svc` in the cluster."""
    install_admission: bool = True
    """False where another App's stack makes the admission rules of this cluster: here only the estate's own guard."""
    openbao_address: str | None = None
    """Where Pulumi reaches an existing store; without it, by port-forward to the cluster."""
    openbao_ca: Path | None = None
    """The CA of that address, a PEM file."""
    store_address: str | None = None
    """Where pods reach a store of your own, `https://HOST:PORT`; and Pulumi, unless `openbaoAddress` says otherwise."""
    store_ca: Path | None = None
    """The CA of that address, a PEM file; without it, the cluster's trust bundle."""
    store_labels: tuple[tuple[str, str], ...] | None = None
    """Labels of its pods, where it runs in this cluster."""
    store_ranges: tuple[str, ...] | None = None
    """Its addresses, where it does not."""
    store_kv: str | None = None
    """The mount of its KV engine, version 2."""
    store_database: str | None = None
    """The mount of its database engine."""
    store_auth: str | None = None
    """The mount of its Kubernetes login, below `auth/`."""
    store_prefix: str | None = None
    """What all names and paths of this cluster begin with there."""
    store_namespace: str | None = None
    """The namespace of the store (Vault Enterprise, OpenBao) in which all of it is."""
    store_audience: str | None = None
    """For whom tokens are that enter there."""
    store_deployer: str | None = None
    """The service account as which Garrison enters, NAMESPACE/NAME, where it has no token of its own."""
    store_database_client: str | None = None
    """The folder on the store's machine with the client certificate by which it enters databases."""
    store_database_ca: Path | None = None
    """Who signs that certificate, a PEM file: an authority of the store's own; without it, the cluster's."""
    openbao_storage: str = "1Gi"
    storage_class: str | None = None
    """For the volumes of OpenBao and PostgreSQL; without it, the cluster's default."""
    api_server: tuple[str, ...] = ()
    """Address ranges of the API server as pods see it; without them the rules name private ranges."""
    charts: Path | Charts | None = None
    """A folder with cert-manager/ and trust-manager/, by default from GARRISON_CHARTS; or where each chart is."""
    chart_values: tuple[tuple[str, Path], ...] = ()
    """Values of one's own, a file for a chart, under those that Garrison needs."""
    generated_secrets: tuple[str, ...] = ()
    """Paths of the secret store to fill with random values if empty: for stacks that have no real ones."""
    admission: Literal["deny", "warn"] = "deny"
    """What the admission policies do with an object that breaks a rule: "deny" it, or let it in and "warn"."""
    admission_scope: AdmissionScope | None = None
    """Where the rules hold at admission. Without it: everywhere on a cluster whose platform is Garrison's, and in the
    estate alone where cert-manager was there before, so where other things live."""
    deployers: tuple[str, ...] = d.DEPLOYERS
    """Who runs Pulumi and the proof, `user:NAME` or `group:NAME`: nobody else changes what stands in the estate."""
    signed_images: Path | None = None
    """A JSON list of the images whose signatures were verified; by default from GARRISON_SIGNED_IMAGES."""
    dns_namespace: str = Dns.namespace
    """Where the pods that answer names run."""
    dns_labels: tuple[tuple[str, str], ...] = Dns.labels
    """Their labels; empty where no pods do."""
    dns_port: int = Dns.port
    """The port at which pods and addresses answer."""
    dns_ranges: tuple[str, ...] = ()
    """Addresses that answer names and are no pod's: a cache on each node, a resolver that the cloud runs."""
    edge_port: int = 443
    """The port of the edge as clients see it."""
    edge_service: Literal["LoadBalancer", "NodePort"] = "LoadBalancer"
    """The kind of Service that leads to the edge; NodePort where the cluster has nobody who gives addresses."""
    edge_node_port: int | None = None
    """Which port of the nodes that is; without it the cluster chooses."""
    edge_issuer: str | Issuer | None = None
    """Who signs the hosts' certificates; without it who signs identities."""
    edge_replicas: int = 2
    """How many pods the edge has. Local limits count in each."""
    edge_issuer_ranges: tuple[str, ...] = ()
    """Address ranges of issuers in private networks, to which the edge is let out."""
    edge_limits: Literal["local", "global"] = "local"
    """Where requests are counted: "local" in each pod alone, "global" once for all of them, too."""
    egress_allowed: tuple[str, ...] = ()
    """Private address ranges that the egress gateway may reach: a provider in a network that is not the internet."""
    egress_closed: tuple[str, ...] = ()
    """Public address ranges that are the cluster's own, to which the egress gateway is not let out."""
    egress_authorities: tuple[tuple[str, Path], ...] = ()
    """Who vouches for a host outside, a PEM file by the host's name; without it, what the image's system trusts."""
    egress_replicas: int = 2
    """How many pods the egress gateway has."""
    keep_data: bool = True
    """Whether what holds data is protected: databases, stores, their namespaces, the root's key. False where `pulumi
    destroy` may take all of it."""
    system_namespaces: tuple[str, ...] = ()
    """Namespaces the admission policies leave alone, beside Kubernetes' own kube-*: what the cluster itself runs."""

    def own(self, chart: str) -> Path | None:
        """One's own values of that chart."""
        return dict(self.chart_values).get(chart)

    @property
    def store(self) -> Store:
        """The secret store as pods see it."""
        said = {name: getattr(self, key) for key, name in STORE_FIELDS.items()}
        said |= {name: file.read_text() for key, name in STORE_FILES.items() if (file := getattr(self, key))}
        return Store(**{name: value for name, value in said.items() if value is not None})

    @property
    def _scope(self) -> AdmissionScope:
        """Only the estate where other things live; where another App's stack makes the rules, everybody's."""
        return "estate" if self.install_admission and not self.install_cert_manager else "everywhere"

    @property
    def cluster(self) -> Cluster:
        """What these settings say of the cluster itself; what is installed, and how Pulumi reaches it, is not part."""
        return Cluster(
            issuer=self.issuer or d.ISSUER,
            api_server=self.api_server,
            storage_class=self.storage_class,
            entrance=Entrance(
                port=self.edge_port,
                service=self.edge_service,
                node_port=self.edge_node_port,
                issuer=self.edge_issuer,
                replicas=self.edge_replicas,
                issuer_ranges=self.edge_issuer_ranges,
                limits=self.edge_limits,
            ),
            egress=Egress(
                allowed=self.egress_allowed,
                closed=self.egress_closed,
                authorities=tuple((host, file.read_text()) for host, file in self.egress_authorities),
                replicas=self.egress_replicas,
            ),
            dns=Dns(namespace=self.dns_namespace, labels=self.dns_labels, port=self.dns_port, ranges=self.dns_ranges),
            store=self.store,
            system_namespaces=self.system_namespaces,
            admission=self.admission,
            admission_scope=self.admission_scope or self._scope,
            deployers=self.deployers,
            signed_images=verified.images(self.signed_images) if self.signed_images else (),
        )
