"""The catalogue: one module a family, one tuple of rules each."""

from __future__ import annotations

from garrison.cluster import Issuer
from garrison_policies.language.rule import Rule
from garrison_policies.rules import (
    availability,
    bindings,
    capabilities,
    configmaps,
    confinement,
    disruption,
    exposure,
    gateways,
    granted,
    hostaccess,
    identities,
    identity,
    images,
    ingress,
    isolation,
    mesh,
    namespaces,
    network,
    nginx,
    placement,
    ports,
    privileges,
    resources,
    restricted,
    rights,
    secret_use,
    secrets,
    services,
)

_PODS = (privileges, hostaccess, capabilities, confinement, restricted, identity, resources, images, ports, placement)
_SECRETS = (secrets, secret_use, configmaps)
_RIGHTS = (rights, bindings, granted, identities)
_NETWORK = (namespaces, network, isolation, services, exposure, ingress, gateways, nginx, mesh)
_AVAILABILITY = (availability, disruption)

RULES: tuple[Rule, ...] = tuple(
    rule for family in (*_PODS, *_SECRETS, *_RIGHTS, *_NETWORK, *_AVAILABILITY) for rule in family.RULES
)


def catalogue(issuer: Issuer | str) -> tuple[Rule, ...]:
    """The rules for a cluster whose estate has that issuer."""
    return (*(rule for rule in RULES if rule not in identities.RULES), *identities.rules(issuer))
