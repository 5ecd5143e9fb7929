"""The deployed estate, for its tests: speak to a service as itself, read its logs, run Pulumi on its stack."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from cluster.live import CLUSTER, apply, get, kubectl
from garrison.words import Ref
from harness import environment, paths, stack, visit
from harness.errors import HarnessError
from harness.order import ASK
from harness.plugin.ready.workloads import deployment, statefulset

NAMESPACES = ("shop", "bank", "insurance", "edge", "egress")
PLATFORM = ("cert-manager", "openbao", "users")
ROLLED_OUT = 180  # seconds
PATIENCE = 30  # seconds, with a service whose callee does not answer
JUDGES = {"Deployment": deployment, "StatefulSet": statefulset}
TOKEN_SECONDS = 300  # a token is used for half of the ten minutes that it is good for


def ask(
    service: str,
    method: str,
    path: str,
    body: object = None,
    *,
    key: str = "",
    request_id: str = "",
    token: str = "",
    pod: str = "",
) -> tuple[int, str, dict[str, Any]]:
    """What `namespace/service` answers to a request from its own pod, or from that one: status, type, document.

    Where another service did not answer (502, 503) it is asked again with the same idempotency key, as its clients do:
    two cores with three workers and several clusters on them stand still for seconds at times. Each time is a warning.
    """
    said = (key or secrets.token_hex(8), request_id or secrets.token_hex(8), token, pod)
    deadline = time.monotonic() + PATIENCE
    while True:
        status, kind, document = once(service, method, path, body, *said)
        if status not in (502, 503) or time.monotonic() > deadline:
            return status, kind, document
        warnings.warn(f"{method} {path} of {service} is tried again: {status} {document.get('detail')}", stacklevel=2)
        time.sleep(1)


def once(
    service: str, method: str, path: str, body: object, key: str, request_id: str, token: str, pod: str = ""
) -> tuple[int, str, dict[str, Any]]:
    """The first answer, whatever it is."""
    namespace, name = service.split("/")
    text = json.dumps(body) if body is not None else ""
    where = pod or f"deploy/{name}"
    command = ["exec", "-i", "-n", namespace, where, "-c", "app", "--", "/usr/bin/python3", "-c", ASK]
    status, kind, document = json.loads(kubectl(*command, method, path, key, request_id, text, stdin=token))
    return status, kind, document


def order(
    *, key: str = "", request_id: str = "", item: str = "hammer", quantity: int = 2, pod: str = ""
) -> dict[str, Any]:
    """Place an order that has to succeed; the one request that goes through every layer and most services."""
    body = {"customer": "test", "items": [{"id": item, "quantity": quantity}]}
    token = _token(int(time.monotonic() // TOKEN_SECONDS))
    status, _, document = ask(
        "shop/orders", "POST", "/orders", body, key=key, request_id=request_id, token=token, pod=pod
    )
    assert status == 201, document
    return document


@lru_cache(maxsize=1)
def _token(_: int) -> str:
    """A customer's, without which no money moves."""
    return visit.token(CLUSTER)


def placed() -> bool:
    """Whether an order can be placed just now; what stands in its way is not this question's business."""
    try:
        order()
    except (AssertionError, HarnessError):
        return False
    return True


def logs(service: str, container: str) -> str:
    """The log of one container in every pod of a service."""
    namespace, name = service.split("/")
    return kubectl("logs", "-n", namespace, "-l", f"app.kubernetes.io/name={name}", "-c", container, "--tail=2000")


@contextmanager
def editing(namespace: str) -> Iterator[str]:
    """Somebody who may edit the namespace, by Kubernetes' own role."""
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "roleRef": reference}
    apply(binding | {"metadata": {"name": "eve", "namespace": namespace}, "subjects": [subject]})
    try:
        yield "eve"
    finally:
        kubectl("delete", "rolebinding", "eve", "-n", namespace)


def ready() -> None:
    """Wait until every workload of the platform and the estate is rolled out."""
    deadline = time.monotonic() + ROLLED_OUT
    while left := unready():
        assert time.monotonic() < deadline, f"not within {ROLLED_OUT} s: {left}"
        time.sleep(0.5)


def unready() -> dict[str, str]:
    """Workloads that are not rolled out, and why: asked for all at once, for kubectl takes its time for each."""
    found = in_estate("deployments,statefulsets", *PLATFORM, *NAMESPACES)
    assert {place.namespace for _, place in found} == {*PLATFORM, *NAMESPACES}
    verdicts = {f"{kind} {place}": JUDGES[kind](item, {}) for (kind, place), item in found.items()}
    return {name: verdict.reason for name, verdict in verdicts.items() if not verdict.ready}


def in_estate(kinds: str, *namespaces: str) -> dict[tuple[str, Ref], dict[str, Any]]:
    """The objects of these kinds in these namespaces."""
    every = {
        (item["kind"], Ref(item["metadata"]["namespace"], item["metadata"]["name"])): item
        for item in get(kinds, "--all-namespaces")["items"]
    }
    return {name: item for name, item in every.items() if name[1].namespace in namespaces}


def pulumi(*arguments: str, folder: Path = paths.REPO) -> str:
    """The output of Pulumi on the stack of this cluster; a failure is shown whole."""
    command = ["pulumi", *arguments, "--non-interactive"]
    if arguments[0] != "stack":  # its verbs read the state alone
        command += [stack.AT_ONCE, "--config-file", str(stack.settings(CLUSTER))]
    done = subprocess.run(
        command, cwd=folder, env=environment.full(CLUSTER), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def program_without(line: str, folder: Path) -> Path:
    """A copy of the project whose estate.py lacks the one line that holds `line`."""
    program = _project(folder)
    lines = program.read_text().splitlines(keepends=True)
    kept = [text for text in lines if line not in text]
    assert len(kept) == len(lines) - 1, f"{line!r} stands in {len(lines) - len(kept)} lines"
    program.write_text("".join(kept))
    return folder


def program_with(line: str, folder: Path) -> Path:
    """A copy of the project whose estate.py ends with one line more."""
    program = _project(folder)
    program.write_text(f"{program.read_text()}{line}\n")
    return folder


def _project(folder: Path) -> Path:
    """A copy of what `pulumi` needs of this checkout; returns its estate.py."""
    shutil.copytree(paths.REPO / "stacks", folder / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(paths.REPO / "docs/openapi", folder / "docs/openapi")  # the contracts of what it serves
    shutil.copy(paths.REPO / "Pulumi.yaml", folder)
    (folder / "policies").mkdir()
    shutil.copy(paths.REPO / "policies" / "exceptions.yaml", folder / "policies")
    return folder / "stacks" / "estate.py"


def planned(folder: Path) -> dict[str, str]:
    """What a preview would do, by resource: `Kind namespace/name` to operation, without what stays."""
    steps = json.loads(pulumi("preview", "--json", folder=folder))["steps"]
    changes = {}
    for step in steps:
        kind = step["urn"].split("::")[2].split("$")[-1].rsplit(":", 1)[-1]
        if step["op"] != "same":
            changes[f"{kind} {step['urn'].split('::')[-1]}"] = step["op"]
    return changes
