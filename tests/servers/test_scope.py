"""Where the rules hold, on a real API server: the same bad objects inside and outside of each of the three scopes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from garrison.cluster import SCOPES, AdmissionScope, Cluster
from garrison_policies.places import whole
from harness.plugin.api import Api
from harness.plugin.errors import ApiError
from harness.plugin.testing.apiserver import ControlPlane
from servers import certmanager
from servers.enforcing import in_force
from servers.test_guard import AWAY, EVE, GRAPH, HOME, IDENTITIES, RBAC, complaints, obj, said, speaking

pytest_plugins = ["harness.plugin.testing.fixtures"]
Json = dict[str, Any]
PLATFORM, INVITED = "openbao", "invited"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
LABEL = {"garrison.dev/admission": "enforced"}
SPACES = {HOME: {}, "shop": {}, PLATFORM: {}, "cert-manager": {}, AWAY: {}, INVITED: LABEL}
# Where a bad Deployment is refused, and where it is let in.
INSIDE: dict[AdmissionScope, set[str]] = {
    "estate": {HOME, PLATFORM},
    "labelled": {HOME, PLATFORM, INVITED},
    "everywhere": {HOME, PLATFORM, INVITED, AWAY},
}
PRIVILEGED = {"name": "app", "image": "app", "securityContext": {"privileged": True}}
REFUSED = "privileged-container: required"


def deployment(space: str) -> Json:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [PRIVILEGED]}}
    return obj(
        "apps/v1", "Deployment", space, "bad", spec={"selector": {"matchLabels": {"a": "b"}}, "template": template}
    )


def namespace(name: str, **labels: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED | labels}}


def cluster_admin(space: str) -> Json:
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": space}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    return obj(RBAC, "ClusterRoleBinding", "", "bad", roleRef=role, subjects=[subject])


WILD = obj(RBAC, "ClusterRole", "", "bad", rules=[{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])


@pytest.fixture(scope="module")
def peopled(plane: ControlPlane) -> ControlPlane:
    """Namespaces, and the control: without policies all of it is taken everywhere."""
    certmanager.install(plane)
    for name, labels in SPACES.items():
        plane.api.apply(namespace(name, **labels), "test")
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": EVE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    plane.api.apply(obj(RBAC, "ClusterRoleBinding", "", "eve", roleRef=role, subjects=[subject]), "test")
    items = [*map(deployment, SPACES), WILD, cluster_admin(HOME), cluster_admin(AWAY)]
    assert {said(plane.api, item) for item in items} == {""}
    return plane


@pytest.fixture(scope="module", params=SCOPES)
def scoped(peopled: ControlPlane, request: pytest.FixtureRequest) -> Iterator[tuple[AdmissionScope, ControlPlane]]:
    """The server with everything in force, in one scope after the other."""
    made = whole.manifests(GRAPH, Cluster(admission_scope=request.param), platform=("cert-manager", PLATFORM))
    with in_force(peopled, made):
        yield request.param, peopled


def test_the_same_bad_object_is_refused_within_the_scope_and_let_in_outside(
    scoped: tuple[AdmissionScope, ControlPlane],
) -> None:
    scope, plane = scoped
    found = {space: said(plane.api, deployment(space)) for space in SPACES if space not in ("shop", "cert-manager")}
    assert {space for space, answer in found.items() if REFUSED in answer} == INSIDE[scope]
    assert {answer for space, answer in found.items() if space not in INSIDE[scope]} <= {""}


def test_roles_of_the_cluster_are_judged_where_they_concern_the_estate(
    scoped: tuple[AdmissionScope, ControlPlane],
) -> None:
    scope, plane = scoped
    elsewhere = scope == "everywhere"
    assert ("denied request" in said(plane.api, WILD)) is elsewhere
    assert ("denied request" in said(plane.api, cluster_admin(AWAY))) is elsewhere
    assert "denied request" in said(plane.api, cluster_admin(HOME)), "who would be given rights is of the estate"


@pytest.mark.parametrize("attack", IDENTITIES)
def test_nobody_elsewhere_gets_the_identity_of_the_estate(
    scoped: tuple[AdmissionScope, ControlPlane], attack: str
) -> None:
    item, rule = IDENTITIES[attack]
    assert f"{rule}: " in said(scoped[1].api, item), "whoever asks"


def relabelled(api: Api, space: str, labels: Json) -> str:
    """What the server says to other labels on a namespace that is there."""
    try:
        api.edit(namespace(space), [{"op": "replace", "path": "/metadata/labels", "value": RESTRICTED | labels}])
    except ApiError as refusal:
        return str(refusal)
    return ""


def test_no_namespace_leaves_its_scope_by_other_labels(scoped: tuple[AdmissionScope, ControlPlane]) -> None:
    scope, plane = scoped
    assert "-guard: " in relabelled(speaking(plane, EVE), HOME, {})
    relabelled(plane.api, HOME, {"kubernetes.io/metadata.name": AWAY})  # the server sets it itself, whoever asks
    relabelled(plane.api, AWAY, {"kubernetes.io/metadata.name": HOME})
    refused = {space for space in (HOME, AWAY) if REFUSED in said(plane.api, deployment(space))}
    assert refused == INSIDE[scope] & {HOME, AWAY}


def test_who_has_the_label_keeps_it(scoped: tuple[AdmissionScope, ControlPlane]) -> None:
    scope, plane = scoped
    eve = speaking(plane, EVE)
    answer = relabelled(eve, INVITED, {})
    if scope == "labelled":
        assert "admission-label: required: only a deployer" in answer
        assert relabelled(eve, INVITED, LABEL | {"team": "x"}) == "", "other labels are its editor's"
        assert REFUSED in said(plane.api, deployment(INVITED))
        assert relabelled(plane.api, INVITED, {}) == "", "a deployer's word"
    else:
        assert answer == "", "where the label means nothing it is nobody's"
    assert relabelled(eve, INVITED, LABEL) == "", "to come in needs nobody's leave"


def test_the_api_server_finds_nothing_to_complain_of(scoped: tuple[AdmissionScope, ControlPlane]) -> None:
    assert complaints(scoped[1]) == []


def test_two_estates_share_no_name(scoped: tuple[AdmissionScope, ControlPlane]) -> None:
    scope, _ = scoped
    cluster = Cluster(admission_scope=scope)
    mine, other = (
        {
            item["metadata"]["name"]
            for item in whole.manifests(graph, cluster)
            if "workloads" in item["metadata"]["name"]
        }
        for graph in (GRAPH, replace(GRAPH, name="other"))
    )
    assert (not mine & other) is (scope != "everywhere")
