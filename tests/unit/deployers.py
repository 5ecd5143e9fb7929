"""A cluster that is somebody else's, and an App on it of which one service may use the Kubernetes API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from garrison import App
from unit.authority import Authority
from unit.estates import DIGEST, PERMISSIONS, any_app


def foreign_settings(folder: Path, **more: Any) -> dict[str, str]:
    """Nothing of the platform is made here; as text, as Pulumi hands it over."""
    ca = folder / "company.pem"
    ca.write_text(Authority.fresh("a company's root").pem)
    said: dict[str, Any] = {
        **{f"install{part}": False for part in ("CertManager", "TrustManager", "Openbao")},
        "issuer": "company",
        "trustCa": str(ca),
        "storeAddress": "https://10.20.0.5:8200",
        "storeCa": str(ca),
        "storeRanges": ["10.20.0.5/32"],
        "storePrefix": "prod",
        "storeDeployer": "platform-team/deployer",
        "storeDatabaseClient": "/etc/openbao/client",
        "apiServer": ["10.20.0.0/24"],
        "deployers": ["user:jo", "group:system:masters"],
        **more,
    }
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in said.items()}


def permitted_app() -> App:
    """One of each noun, and a service with every kind of permission."""
    app = any_app()
    audit = app.namespace("bank").service("audit", image="registry.example/audit" + DIGEST, port=8080)
    for permit in PERMISSIONS:
        permit(audit)
    return app
