"""Which Kubernetes Secrets a pod uses, and whether somebody outside the cluster keeps what is in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from garrison.findings import Severity
from garrison_policies.language.expr import MISSING, elements, get
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.rule import Hit, Rule
from garrison_policies.rules.examples import pod

Secret = tuple[str, str]  # namespace and name
_CONTAINERS = ("spec.initContainers", "spec.containers", "spec.ephemeralContainers")
_AGENT = ("vault.hashicorp.com/agent-inject", "vault.security.banzaicloud.io/vault-addr")
# What writes a Secret by itself and renews it: the kind, and where it says the name.
_ISSUED = {"Certificate": "spec.secretName"}
_FETCHED = {
    "ExternalSecret": "spec.target.name",
    "VaultStaticSecret": "spec.destination.name",
    "VaultDynamicSecret": "spec.destination.name",
}


def used(template: Mapping[str, Any]) -> Iterator[str]:
    """The names of the Secrets a pod reads, in variables and volumes; empty where none is said."""
    for path in _CONTAINERS:
        for container in elements(get(template, path)):
            yield from _names(elements(get(container, "env")), "valueFrom.secretKeyRef", "name")
            yield from _names(elements(get(container, "envFrom")), "secretRef", "name")
    for volume in elements(get(template, "spec.volumes")):
        yield from _names([volume], "secret", "secretName")
        yield from _names(elements(get(volume, "projected.sources")), "secret", "name")


def _names(parts: Iterable[Any], reference: str, key: str) -> Iterator[str]:
    for found in (get(part, reference) for part in parts):
        if found is not MISSING:
            yield str(found.get(key, "")) if isinstance(found, Mapping) else ""


def _written(inventory: Inventory, kinds: Mapping[str, str]) -> set[Secret]:
    """The Secrets that objects of these kinds keep, named like the object where it names none."""
    found = ((item, get(item.body, path)) for kind, path in kinds.items() for item in inventory.of(kind))
    return {(item.namespace, item.name if name is MISSING else str(name)) for item, name in found}


def _fetches(template: Mapping[str, Any]) -> bool:
    """Whether the Secrets Store CSI driver, which may copy what it fetched into a Secret, or an agent is there."""
    drivers = {get(volume, "csi.driver") for volume in elements(get(template, "spec.volumes"))}
    annotations = get(template, "metadata.annotations")
    return "secrets-store.csi.k8s.io" in drivers or (
        isinstance(annotations, Mapping) and any(map(annotations.get, _AGENT))
    )


def uses_secrets(inventory: Inventory) -> Iterator[Hit]:
    """Pods that use Secrets, other than the certificates they have from their issuer."""
    return _hits(inventory.workloads, _written(inventory, _ISSUED), "uses")


def no_external_store(inventory: Inventory) -> Iterator[Hit]:
    """Pods that use Secrets which nothing is seen to fetch from a store."""
    workloads = [item for item in inventory.workloads if item.template and not _fetches(item.template)]
    return _hits(workloads, _written(inventory, _ISSUED | _FETCHED), "uses, from no external store,")


def _hits(workloads: Iterable[Object], known: set[Secret], verb: str) -> Iterator[Hit]:
    for item in workloads:
        for path, template in item.templates:
            names = sorted({name for name in used(template) if (item.namespace, name) not in known})
            if names:
                yield item, ".".join(filter(None, (path, "spec"))), f"{verb} the Secret {', '.join(names)}"


_STORE = """\
volumes:
- name: store
  csi:
    driver: secrets-store.csi.k8s.io
    volumeAttributes: {secretProviderClass: shop}
"""
_VOLUME = "volumes:\n- name: database\n  secret: {secretName: database}"

RULES = (
    Rule(
        id="secret-use",
        title="a pod uses no Kubernetes Secret: whoever may read those of its namespace, or etcd, has what is in it",
        severity=Severity.LOW,
        remedy="let the pod fetch it from the secret store with its own identity",
        controls=("secret.any_use",),
        references=("CIS 5.4.2", "OWASP K08"),
        look=uses_secrets,
        good=pod(spec="volumes:\n- name: settings\n  configMap: {name: settings}"),
        bad=pod(spec=_VOLUME),
    ),
    Rule(
        id="external-secret-store",
        title="a pod that needs secrets has them from an external store",
        severity=Severity.LOW,
        remedy="fetch it from the secret store with the pod's own identity, or through the Secrets Store CSI driver",
        controls=("secret.external_store",),
        references=("CIS 5.4.2", "OWASP K08"),
        look=no_external_store,
        good=pod(spec=_STORE),
        bad=pod(spec=_VOLUME),
    ),
)
