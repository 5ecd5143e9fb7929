"""What holds data has the name that version 0.1.0 gave it, and nothing else in what Kubernetes cannot change.

So Pulumi, and whoever applies files, finds it again. `test_tree.py` shows that the tree above it may move.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pytest

from garrison import App
from garrison.cluster import Cluster
from garrison.deployment import derived
from garrison.deployment.platform import plan
from garrison.manifest import Manifest, identity
from garrison.settings import Settings
from unit.estates import DIGEST, IMAGES

VOLUME: Final = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
FIXED: Final = ("selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy", "secretName", "privateKey")


def server(name: str) -> dict[str, Any]:
    labels = {"matchLabels": {"app.kubernetes.io/name": name}}
    return {"selector": labels, "serviceName": name, "volumeClaimTemplates": [VOLUME]}


# As `pulumi preview --json` of 0.1.0 registered them for the program below.
KEPT: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("Namespace", "openbao"): {},
    ("StatefulSet", "openbao/openbao"): server("openbao"),
    ("SealKey", "openbao/openbao-seal-key"): {},
    ("Certificate", "cert-manager/garrison-root"): {
        "secretName": "garrison-root",
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Never"},
    },
    ("Namespace", "bank"): {},
    ("StatefulSet", "bank/ledger"): server("ledger"),
}


def program() -> App:
    app = App("estate", trust_domain="estate.example", images=IMAGES)
    bank = app.namespace("bank")
    payments = bank.service("payments", image="registry.example/x" + DIGEST, port=8080)
    payments.uses(bank.postgres("ledger"), role="writer")
    return app


@dataclass(frozen=True)
class Made:
    """The same of this version; cert-manager's chart is not needed for it."""

    platform: tuple[Manifest, ...]
    keys: tuple[tuple[str, str], ...]
    estate: tuple[Manifest, ...]


@pytest.fixture(scope="module")
def now() -> Made:
    settings = Settings(install_cert_manager=False, install_trust_manager=False)
    steps = plan.steps(settings, image=IMAGES["openbao"])
    return Made(
        tuple(item for step in steps for item in step.items),
        tuple(("SealKey", f"{step.key.namespace}/{step.key.seal_key}") for step in steps if step.key),
        tuple(derived.of(program().graph(), Cluster()).manifests),
    )


def name(item: Manifest) -> tuple[str, str]:
    meta = item["metadata"]
    return item["kind"], "/".join(filter(None, (meta.get("namespace"), meta["name"])))


def fixed(item: Manifest) -> dict[str, Any]:
    return {field: item["spec"][field] for field in FIXED if field in item.get("spec", {})}


@pytest.mark.parametrize("what", KEPT, ids="-".join)
def test_what_holds_data_is_found_again(what: tuple[str, str], now: Made) -> None:
    found = {name(item): fixed(item) for item in (*now.platform, *now.estate)} | {key: {} for key in now.keys}
    assert found[what] == KEPT[what]


def test_all_that_is_protected_here_is_written_down(now: Made) -> None:
    """So that a kind of thing that comes to hold data is looked at, too."""
    protected = {
        name(item)
        for items in (now.platform, now.estate)
        for lasting in [derived.lasting(items)]
        for item in items
        if identity(item) in lasting
    }
    assert protected | {*now.keys} == {*KEPT}
