"""A right in the Kubernetes API, deployed: the service has it, has nothing beside it, and loses it with its line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.estate import order, planned, program_with, pulumi, ready
from cluster.live import apply, eventually, get, kubectl
from cluster.proving import prove
from harness import paths
from harness.errors import HarnessError

MAY = 'payments.may("get watch", "configmaps", "payments-flags")'  # this service also has secret files, mounted beside
GONE = "the line is gone"  # a file that says so, beside the program that has it
FLAGS = "/api/v1/namespaces/bank/configmaps/payments-flags"

# Runs in the application's own container, with what every client library would find there.
ASK = """
import ssl, sys, urllib.error, urllib.request
home = "/var/run/secrets/kubernetes.io/serviceaccount/"
tls = ssl.create_default_context(cafile=home + "ca.crt")
for path in sys.argv[1:]:
    headers = {"authorization": "Bearer " + open(home + "token").read()}
    request = urllib.request.Request("https://kubernetes.default.svc" + path, None, headers)
    try:
        print(urllib.request.urlopen(request, timeout=10, context=tls).status)
    except urllib.error.HTTPError as error:
        print(error.status)
"""


def inside(*paths: str) -> list[str]:
    """The API server's answers to the application of bank/payments."""
    run = ["exec", "-n", "bank", "deploy/payments", "-c", "app", "--", "/usr/bin/python3", "-c", ASK]
    return kubectl(*run, *paths).split()


def rolled_out() -> None:
    """The new pods are ready and the old ones gone: `kubectl exec` may choose one that is on its way out."""
    ready()
    eventually(lambda: not leaving("bank"), "the old pods are gone", 120)


def leaving(namespace: str) -> list[str]:
    pods = get("pods", "-n", namespace)["items"]
    return [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" in pod["metadata"]]


def taken_away(permitted: Path) -> None:
    pulumi("up", "--yes", "--skip-preview")
    rolled_out()
    (permitted / GONE).touch()


@pytest.fixture(scope="module")
def permitted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The estate with one right more; afterwards as it was."""
    folder = program_with(MAY, tmp_path_factory.mktemp("permitted"))
    changes = planned(folder)
    changes.pop("Estate estate", None)
    assert changes == {
        "Role bank/payments": "create",
        "RoleBinding bank/payments": "create",
        "NetworkPolicy bank/payments": "update",
        "Deployment bank/payments": "update",
    }
    meta = {"name": "payments-flags", "namespace": "bank"}
    apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"fee": "off"}})
    try:
        pulumi("up", "--yes", "--skip-preview", folder=folder)
        rolled_out()
        yield folder
    finally:
        if not (folder / GONE).exists():  # else the last test took it away, as its own subject
            taken_away(folder)
        kubectl("delete", "configmap", "payments-flags", "-n", "bank")


def test_without_the_line_there_is_no_token() -> None:
    with pytest.raises(HarnessError, match="No such file"):
        inside(FLAGS)


def test_the_service_does_what_was_declared_and_nothing_beside_it(permitted: Path) -> None:
    assert inside(FLAGS) == ["200"]
    beside = [
        FLAGS.replace("payments-flags", "payments-proxy"),
        FLAGS.rpartition("/")[0],
        FLAGS.replace("bank", "shop"),
        FLAGS.replace("configmaps", "secrets"),
        "/api/v1/namespaces/bank/pods",
        "/api/v1/nodes",
    ]
    assert inside(*beside) == ["403"] * len(beside)
    order()


def test_the_probes_find_exactly_this_right_and_the_drill_its_loss(permitted: Path) -> None:
    program = f"--app={permitted / 'stacks' / 'estate.py'}"
    code, out, err = prove(program, "--source=bank/*", "--target=Kubernetes API", "--no-layers", "--format=json")
    assert code == 0, out + err
    allowed = {(p["source"], p["operation"]) for p in json.loads(out)["probes"] if p["kind"] == "declared permission"}
    assert allowed == {("bank/payments", f"{verb} configmaps payments-flags") for verb in ("get", "watch")}
    code, out, err = prove(program, "--drill", "Role *", "--format=json")
    assert code == 0, out + err
    assert [probe["observed"] for probe in json.loads(out)["probes"]] == ["noticed"] * 2


def test_the_right_goes_with_its_line(permitted: Path) -> None:
    assert get("roles,rolebindings", "-n", "bank")["items"], "the control"
    taken_away(permitted)
    assert get("roles,rolebindings", "-n", "bank")["items"] == []
    with pytest.raises(HarnessError, match="No such file"):
        inside(FLAGS)
    assert planned(paths.REPO) == {}
