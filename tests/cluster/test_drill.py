"""The drill on the deployed estate: what is taken away is noticed, and put back, by the next run if need be."""

from __future__ import annotations

import json
from typing import Any

from cluster.estate import NAMESPACES, in_estate
from cluster.live import eventually, get, kubectl
from cluster.proving import ONE_PAIR, leavings, prove, start
from garrison.prove.drill.safe import NAME as KEPT


def specs(kind: str) -> dict[str, Any]:
    return {str(ref): i.get("spec") or i.get("data") for (_, ref), i in in_estate(kind, *NAMESPACES).items()}


# One of each type; `garrison prove --drill` does them all. Of proxies' configuration one, since each restarts every pod
# twice; all of them are made in real Envoys beside (tests/servers).
SAMPLE = (
    "NetworkPolicy bank/default-deny deleted",
    "NetworkPolicy insurance/cover opened",
    "NetworkPolicy bank/ledger deleted",
    "proxy configurations without client certificate",
    "database bank/ledger without its access rules",
    "secret store database/roles/bank.ledger.writer without an end",
    "secret store sys/policies/acl/bank.payments opened",
    "secret store auth/kubernetes/role/bank.payments for*",
    "Namespace shop without Pod Security",
    "ResourceQuota shop/quota deleted",
    "ValidatingAdmissionPolicyBinding garrison-certificates deleted",
)


def owners() -> dict[str, set[str]]:
    """Who says what every object that a drill touches is to be; its status is its controllers' affair."""
    kinds = "networkpolicies,configmaps,resourcequotas,validatingadmissionpolicybindings"
    items = get(kinds, "-A", "-l", "app.kubernetes.io/managed-by=garrison", "--show-managed-fields")["items"]
    found = {
        f"{meta.get('namespace')} {item['kind']} {meta['name']}": {
            field["manager"] for field in meta["managedFields"] if "subresource" not in field
        }
        for item in items
        if (meta := item["metadata"])
    }
    assert found
    return found


def test_missing_protections_turn_the_probes_red_and_are_put_back() -> None:
    before, owned = (specs("networkpolicies"), specs("configmaps"), specs("resourcequotas")), owners()
    code, out, err = prove("--drill", *SAMPLE, "--format=json")
    assert code == 0, out + err
    found = json.loads(out)["probes"]
    assert {probe["observed"] for probe in found} == {"noticed"}
    assert len(found) == len(SAMPLE) + 1  # one of them matches two
    assert (specs("networkpolicies"), specs("configmaps"), specs("resourcequotas")) == before
    assert owners() == owned, "what was put back belongs to whom it belonged, or the next deployment meets a conflict"
    assert leavings() == ""


def test_what_a_killed_drill_took_away_is_put_back_by_the_next_run() -> None:
    before = specs("networkpolicies")
    process = start("--drill", "NetworkPolicy shop/default-deny deleted")
    eventually(lambda: "shop/default-deny" not in specs("networkpolicies"), "the cut", seconds=300)
    process.kill()
    process.communicate()
    assert prove(*ONE_PAIR, "--no-layers")[0] == 0
    assert specs("networkpolicies") == before
    assert KEPT not in kubectl("get", "configmaps", "-A", "-o", "name")
