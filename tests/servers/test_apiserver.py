"""Both readings of the rules on a real API server: what its admission says of an object is what Python says of it.

The policies only warn here, so that one dry run of an object names every rule it breaks, and the server's answer is
the object as it would be stored: with its defaults, and without its nulls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import urllib3

from garrison_policies.language.evaluate import judge
from garrison_policies.language.objects import Object, without_nulls
from garrison_policies.places import admission
from garrison_policies.rules import RULES
from harness.plugin.errors import KindMissing
from harness.plugin.testing.apiserver import ControlPlane
from policies.everything import everything
from policies.fixtures import objects
from servers import certmanager
from servers.enforcing import in_force

pytest_plugins = ["harness.plugin.testing.fixtures"]
Json = dict[str, Any]
NAMESPACE = "shop"  # where examples live: a certificate names its own
ENFORCED = admission.enforced(RULES)
# What the API server refuses by itself; our rule says the same of files.
BY_ITSELF = {"proc-mount": "`hostUsers` must be false to use `Unmasked`"}
NAMED = re.compile(r"ValidatingAdmissionPolicy '[^']+' with binding '[^']+': ([a-z0-9-]+): ")


@pytest.fixture(scope="module")
def server(plane: ControlPlane) -> Iterator[ControlPlane]:
    """A server on which the policies are in force."""
    certmanager.install(plane)
    plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, "test")
    with in_force(plane, admission.manifests(RULES, mode="warn")):
        yield plane


def warned(plane: ControlPlane, item: Mapping[str, Any]) -> tuple[set[str], Json]:
    """The rules the server says a new object would break, and that object with the server's defaults."""
    api, client = plane.api, plane.api.client
    home = item["metadata"].get("namespace", "default")
    moved = {**item["metadata"], "namespace": home if home == "default" else NAMESPACE}
    if (item["kind"], moved.get("name")) == ("Namespace", NAMESPACE):
        moved["name"] += "-anew"  # it is there already, for the others
    try:
        placed = api.placed({**item, "metadata": moved})
        path = api.resource(placed).path(placed["metadata"].get("namespace", ""))
    except KindMissing as error:
        raise NotStoredError(404, str(error)) from None
    answer = client._pool.request(
        "POST",
        f"{path}?dryRun=All&fieldValidation=Ignore",
        json=placed,
        headers=client._headers,
        retries=urllib3.Retry(total=2),
    )
    if answer.status != 201:
        raise NotStoredError(answer.status, answer.json()["message"])
    return set(NAMED.findall(" ".join(answer.headers.getlist("Warning")))), answer.json()


def refused(plane: ControlPlane, item: Mapping[str, Any]) -> set[str]:
    """The rules that an object breaks; for one that the server refuses whatever the policies say, the known reason."""
    try:
        return warned(plane, item)[0]
    except NotStoredError as error:
        return {rule for rule, text in BY_ITSELF.items() if text in str(error)}


class NotStoredError(Exception):
    """The server does not take the object at all, whatever the policies say."""


def broken(item: Json) -> set[str]:
    """The enforced rules that the object breaks, by the reading in Python."""
    seen = Object(without_nulls(item))
    return {finding.rule for rule in ENFORCED for finding in judge(rule, seen)}


@pytest.mark.parametrize("rule", ENFORCED, ids=lambda rule: rule.id)
def test_each_enforced_rule_lets_its_good_example_in_and_names_its_bad_one(server: ControlPlane, rule: Any) -> None:
    good, bad = ([item.body for item in objects(text)] for text in (rule.good, rule.bad))
    assert all(rule.id not in warned(server, item)[0] for item in good)
    assert any(rule.id in refused(server, item) for item in bad)


def test_the_server_and_python_agree_on_every_fixture(server: ControlPlane) -> None:
    kinds = {kind for family in admission.FAMILIES for kind in family.kinds}
    judged, refused, differ = 0, 0, []
    for fixture in everything():
        if fixture.kind not in kinds:
            continue
        try:
            said, stored = warned(server, fixture.body)
        except NotStoredError:
            refused += 1
            continue
        judged += 1
        if said != broken(stored):
            differ.append((fixture.file, str(fixture), sorted(said ^ broken(stored))))
    print(f"{judged} objects judged alike, {refused} that the API server does not take at all")
    assert not differ
    assert judged > 200
