"""What is derived of every noun, on a real API server: it takes each object as it is, under the policies in force."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import urllib3

from garrison import render
from garrison.manifest import Manifest
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.places import admission, guard
from garrison_policies.places.estate import compare
from garrison_policies.rules import RULES
from harness.plugin.testing.apiserver import ControlPlane
from servers.enforcing import in_force
from unit.estates import any_app

pytest_plugins = ["harness.plugin.testing.fixtures"]
GRAPH = any_app().graph()
DERIVED = [item for item in render(GRAPH) if item["kind"] != "Certificate"]  # whose kind is not served here
JOBS = [item for item in DERIVED if item["kind"] in ("Job", "CronJob")]
DEPLOYER: dict[str, str] = {}
SOMEBODY = {"Impersonate-User": "mallory", "Impersonate-Group": "system:masters"}  # RBAC refuses nothing here


@pytest.fixture(scope="module")
def server(plane: ControlPlane) -> Iterator[ControlPlane]:
    """A server on which the rules are in force and the estate is guarded."""
    spaces = [item for item in DERIVED if item["kind"] == "Namespace"]
    for item in spaces:
        plane.api.apply(item, "test")
    with in_force(plane, [*admission.manifests(RULES), *guard.estate(GRAPH, deployers=("user:admin",))]):
        yield plane


def created(plane: ControlPlane, item: Manifest, who: Mapping[str, str], *, dry: bool = True) -> tuple[int, Any]:
    """The server's answer to a new object of which it has to know every field."""
    api, client = plane.api, plane.api.client
    path = api.resource(item).path(item["metadata"].get("namespace", ""))
    answer = client._pool.request(
        "POST",
        f"{path}?fieldValidation=Strict{'&dryRun=All' if dry else ''}",
        json=item,
        headers={**client._headers, **who},
        retries=urllib3.Retry(total=2),
    )
    return answer.status, answer.json()


def other_account() -> Manifest:
    item = copy.deepcopy(JOBS[0])
    spec = item["spec"].get("jobTemplate", item)["spec"]["template"]["spec"]
    spec["serviceAccountName"] = "default"
    return item


@pytest.mark.parametrize(
    "item", [i for i in DERIVED if i["kind"] != "Namespace"], ids=lambda i: f"{i['kind']}-{i['metadata']['name']}"
)
def test_each_object_is_taken_as_it_is(server: ControlPlane, item: Manifest) -> None:
    status, said = created(server, item, DEPLOYER)
    assert status == 201, said


@pytest.mark.parametrize("item", JOBS, ids=lambda item: item["kind"])
def test_a_job_of_an_estate_is_the_deployers_and_has_its_own_account(server: ControlPlane, item: Manifest) -> None:
    assert created(server, item, DEPLOYER)[0] == 201, "the control"
    status, said = created(server, item, SOMEBODY)
    assert (status, "estate-guard" in said["message"]) == (403, True), said
    status, said = created(server, other_account(), DEPLOYER)
    assert (status, "default-account" in said["message"]) == (403, True), said


def test_a_variable_is_read_from_the_agents_memory(server: ControlPlane) -> None:
    """A server without the feature would take the object and drop the field (KEP-3721)."""
    once = next(item for item in JOBS if item["metadata"]["name"] == "once")
    _, stored = created(server, once, DEPLOYER)
    (application,) = stored["spec"]["template"]["spec"]["containers"]
    found = {one["name"]: one.get("valueFrom") for one in application["env"]}
    wanted = {"volumeName": "secrets", "path": "shop/api-key.env", "key": "API_KEY", "optional": False}
    assert found["API_KEY"] == {"fileKeyRef": wanted}
    astray = copy.deepcopy(once)
    (application,) = astray["spec"]["template"]["spec"]["containers"]
    next(one for one in application["env"] if one["name"] == "API_KEY")["valueFrom"]["fileKeyRef"]["volumeName"] = (
        "trust"
    )
    status, said = created(server, astray, DEPLOYER)
    assert (status, "emptyDir" in said["message"]) == (422, True), said


def test_what_the_server_makes_of_a_job_is_no_difference(server: ControlPlane) -> None:
    for item in JOBS:
        status, said = created(server, item, DEPLOYER, dry=False)
        assert status == 201, said
    live = [server.api.get(item) if item in JOBS else item for item in render(GRAPH)]
    found = list(compare(GRAPH, Inventory(tuple(Object(item) for item in live))))
    assert [(str(one.object), one.path, one.message) for one in found] == []
    changed = copy.deepcopy(live)
    job = next(item for item in changed if item["kind"] == "Job")
    job["spec"]["template"]["spec"]["serviceAccountName"] = "load"
    job["spec"]["template"]["metadata"]["labels"]["extra"] = "x"
    found = list(compare(GRAPH, Inventory(tuple(Object(item) for item in changed))))
    assert {one.path for one in found} == {
        "spec.template.spec.serviceAccountName",
        "spec.template.metadata.labels.extra",
    }
