"""What the embedded issuer's OpenBao is told at its first start: people log in by password, Garrison by account.

It holds no secret of the estate: the KV store keeps the keys of browsers' cookies, and nothing else. Three may do
something besides people: `garrison-admin` writes what the graph derives (`derive.users`) and knows no person,
`people-admin` keeps people and their groups (`garrison users`) and changes nothing else, break-glass may everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrison import defaults as d
from garrison.deployment.platform.store_config import (
    ADMIN,
    BREAK_GLASS,
    BREAK_GLASS_POLICY,
    IN_CLUSTER_REVIEWER,
    Request,
    entrances,
    server_config,
)

PEOPLE = "people-admin"

# What `pulumi up` writes, path by path. It makes groups and puts nobody into them, and gives them no policy.
ADMIN_POLICY = """\
path "sys/policies/acl/user" { capabilities = ["create", "read", "update", "delete"] }
path "sys/policies/acl/edge.edge" { capabilities = ["create", "read", "update", "delete"] }
path "auth/kubernetes/role/edge.edge" { capabilities = ["create", "read", "update", "delete"] }
path "identity/oidc/config" { capabilities = ["create", "read", "update"] }
path "identity/oidc/key/+" { capabilities = ["create", "read", "update", "delete"] }
path "identity/oidc/role/api" { capabilities = ["create", "read", "update", "delete"] }
path "identity/oidc/scope/groups" { capabilities = ["create", "read", "update", "delete"] }
path "identity/oidc/assignment/+" { capabilities = ["create", "read", "update", "delete"] }
path "identity/oidc/client/+" { capabilities = ["create", "read", "update", "delete"] }
path "identity/oidc/provider/+" { capabilities = ["create", "read", "update", "delete"] }
path "identity/group/name/*" {
  capabilities = ["create", "read", "update", "delete"]
  denied_parameters = { "member_entity_ids" = [], "member_group_ids" = [], "policies" = [], "metadata" = [] }
}
path "secret/data/login/*" { capabilities = ["create"] }
path "secret/metadata/login/*" { capabilities = ["read", "delete", "list"] }
"""

# What `garrison users` does. A person gets the policy `user` and no other; nobody gets one by a group or by what they
# are. It makes no group: those are the graph's.
PEOPLE_POLICY = """\
path "auth/userpass/users" { capabilities = ["list"] }
path "auth/userpass/users/+" {
  capabilities = ["create", "read", "update", "delete"]
  allowed_parameters = { "password" = [], "token_policies" = ["user"], "token_no_default_policy" = ["true"] }
}
path "identity/entity/name" { capabilities = ["list"] }
path "identity/entity/name/+" {
  capabilities = ["create", "read", "update", "delete"]
  denied_parameters = { "policies" = [] }
}
path "identity/entity-alias" { capabilities = ["create", "update"] }
path "identity/group/name" { capabilities = ["list"] }
path "identity/group/name/*" {
  capabilities = ["read", "update"]
  denied_parameters = { "policies" = [], "type" = [], "member_group_ids" = [], "metadata" = [] }
}
path "sys/internal/ui/mounts/auth/userpass" { capabilities = ["read"] }
"""


def users_config(
    *, lockout: str = d.USERS_LOCKOUT, requests: tuple[Request, ...] | None = None, **more: Any
) -> dict[str, Any]:
    """The whole configuration file. Its web pages are on: they are the login page, as far as the edge lets them out."""
    locked = {
        "lockout_threshold": str(d.USERS_FAILURES),
        "lockout_duration": lockout,
        "lockout_counter_reset": lockout,
    }
    said = {"public_host": f"{d.USERS.name}.{d.USERS.namespace}.svc", "max_lease": d.USERS_SESSION, **more}
    return server_config(requests=requests or initial_requests(), ui=True, user_lockout=[{"userpass": locked}], **said)


def initial_requests(reviewer: Mapping[str, Any] = IN_CLUSTER_REVIEWER) -> tuple[Request, ...]:
    """What has to be there before Garrison can log in. No person, and so no default password."""
    policies = {ADMIN: ADMIN_POLICY, PEOPLE: PEOPLE_POLICY, BREAK_GLASS: BREAK_GLASS_POLICY}
    ends = {"default_lease_ttl": d.USERS_SESSION, "max_lease_ttl": d.USERS_SESSION}
    # the login page names it to everybody: it would be guessed, and people have to find it
    passwords = {"type": "userpass", "config": {"listing_visibility": "unauth", **ends}}
    return Request("passwords", "sys/auth/userpass", passwords), *entrances(policies, d.USERS, reviewer)
