"""The nightly statement on the cluster, started by hand: it ends well and knows what was paid; not everybody may."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from cluster.estate import editing, order
from cluster.live import eventually, get, kubectl
from harness.errors import HarnessError

RUN_SECONDS = 300  # its pod has two sidecars that start first, and the machine may have more to do
FROM = "--from=cronjob/statement"


@contextmanager
def run() -> Iterator[str]:
    """The CronJob's template, once and now; gone with its pod at the end."""
    name = f"statement-{secrets.token_hex(4)}"
    kubectl("create", "job", name, "-n", "bank", FROM)
    try:
        yield name
    finally:
        gone = ("--cascade=foreground", "--timeout=120s", "--ignore-not-found")  # it may go while kubectl waits for it
        kubectl("delete", "job", name, "-n", "bank", *gone)


def ended(name: str) -> str:
    """`Complete` or `Failed`; empty while it goes on."""
    conditions = get("job", name, "-n", "bank")["status"].get("conditions", [])
    found = [one["type"] for one in conditions if one["status"] == "True" and one["type"] in ("Complete", "Failed")]
    return "".join(found)


def statement() -> list[dict[str, Any]]:
    """What a run says; it has ended well, and so have its pod and all that was in it."""
    with run() as name:
        eventually(lambda: bool(ended(name)), "the run has ended", RUN_SECONDS)
        which = ("-n", "bank", "-l", f"batch.kubernetes.io/job-name={name}")
        said = kubectl("logs", *which, "-c", "app", "--tail=-1")
        assert ended(name) == "Complete", said
        assert "Succeeded" in [pod["status"]["phase"] for pod in get("pods", *which)["items"]]
    return [json.loads(line) for line in said.splitlines()]


def owed(lines: list[dict[str, Any]]) -> int:
    """What the payment provider owes by the last line about it, in cents."""
    (closing,) = [f["closing"] for f in lines if f["message"] == "account" and f["account"] == "psp:EUR"][-1:]
    return int(closing)


def test_a_run_by_hand_ends_well_and_its_log_has_what_was_paid() -> None:
    order()
    before = statement()
    total = order(quantity=3)["total"]["amount"]
    after = statement()
    assert owed(after) - owed(before) == total
    assert (after[-1]["message"], after[-1]["unbalanced"]) == ("the ledger balances", 0)
    assert after[-1]["transactions"] == before[-1]["transactions"] + 1
    today = [one for one in after if one.get("day") == datetime.now(UTC).date().isoformat()]
    assert sum(one["closing"] for one in today if one["currency"] == "EUR") == 0, "double entry"


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
