"""The parts rules look at, named once."""

from __future__ import annotations

from garrison_policies.language.rule import Subject

# Built-in kinds that hold a pod template. Other kinds with one (OpenShift's DeploymentConfig, Argo's Rollout) are
# recognised by their shape on files and live clusters; admission policies name kinds, so they cover these.
WORKLOADS = (
    "Pod",
    "PodTemplate",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
)
POD = Subject(kinds=WORKLOADS, pod=True)
CONTAINERS = Subject(
    kinds=WORKLOADS, pod=True, each=("spec.initContainers", "spec.containers", "spec.ephemeralContainers")
)
# Containers that declare resources and probes: ephemeral ones cannot, init containers have no probes.
RUN_CONTAINERS = Subject(kinds=WORKLOADS, pod=True, each=("spec.initContainers", "spec.containers"))
APP_CONTAINERS = Subject(kinds=WORKLOADS, pod=True, each=("spec.containers",))
VOLUMES = Subject(kinds=WORKLOADS, pod=True, each=("spec.volumes",))
ROLE_RULES = Subject(kinds=("Role", "ClusterRole"), each=("rules",))
ROLES = Subject(kinds=("Role", "ClusterRole"))
BINDINGS = Subject(kinds=("RoleBinding", "ClusterRoleBinding"))
BOUND = Subject(kinds=("RoleBinding", "ClusterRoleBinding"), each=("subjects",))
NAMESPACES = Subject(kinds=("Namespace",))
SERVICES = Subject(kinds=("Service",))
INGRESSES = Subject(kinds=("Ingress",))
NETWORK_POLICIES = Subject(kinds=("NetworkPolicy",))
SERVICE_ACCOUNTS = Subject(kinds=("ServiceAccount",))
CERTIFICATES = Subject(kinds=("Certificate",))
ISSUERS = Subject(kinds=("Issuer", "ClusterIssuer"))
CONFIG_MAPS = Subject(kinds=("ConfigMap",))
