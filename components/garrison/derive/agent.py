"""How an agent enters a store: the same beside a service and at the edge."""

from __future__ import annotations

from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Store

Json = dict[str, Any]
CA_FILE: Final = "store-ca.pem"


def entrance(store: Store, *, role: str, token: str, folder: str) -> Json:
    """How an agent enters the store: where it is, who vouches for it, as whom. `folder` has its configuration."""
    tenant = {"namespace": store.tenant} if store.tenant else {}
    method = {
        "type": "kubernetes",
        "mount_path": f"auth/{store.auth}",
        "config": {"role": role, "token_path": token},
    }
    return {
        "vault": {
            "address": store.address,
            "ca_cert": f"{folder}/{CA_FILE}" if store.ca else f"{d.TRUST_DIR}/{d.TRUST_FILE}",
        }
        | tenant,
        "auto_auth": {"method": [method | tenant]},
        # a lost store is waited for: files that are there stay, and with them who works by them
        "template_config": {"exit_on_retry_failure": False, "static_secret_render_interval": "1m"},
    }


def authority(store: Store) -> dict[str, str]:
    """The file beside an agent's configuration with whom it believes, where that is not the cluster's trust bundle."""
    return {CA_FILE: store.ca} if store.ca else {}
