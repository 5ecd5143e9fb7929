"""The nightly statement on the cluster: it is there, nobody can call it, and not everybody may run it."""

from __future__ import annotations

import secrets

import pytest

from cluster.estate import editing
from cluster.live import get, kubectl
from harness.errors import HarnessError

FROM = "--from=cronjob/statement"


def test_it_is_there_for_every_night_and_has_no_way_in() -> None:
    job = get("cronjob", "statement", "-n", "bank")["spec"]
    assert (job["schedule"], job["timeZone"], job["concurrencyPolicy"]) == ("30 0 * * *", "Etc/UTC", "Forbid")
    policy = get("networkpolicy", "statement", "-n", "bank")["spec"]
    assert ("Ingress" in policy["policyTypes"], policy.get("ingress") or []) == (True, [])
    with pytest.raises(HarnessError, match="NotFound"):
        get("service", "statement", "-n", "bank")


def test_who_may_edit_the_namespace_may_not_run_it() -> None:
    name = f"statement-{secrets.token_hex(4)}"
    create = ("create", "job", name, "-n", "bank", FROM, "--dry-run=server")
    kubectl(*create)  # the control: the deployer may
    with editing("bank") as eve:
        assert kubectl("auth", "can-i", "create", "jobs", "-n", "bank", f"--as={eve}").strip() == "yes"
        with pytest.raises(HarnessError, match="estate-guard"):
            kubectl(*create, f"--as={eve}")
