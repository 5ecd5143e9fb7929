"""The roles that `garrison deployer` prints, on a real API server: all that is derived is made, and nothing else is.

No admission policy is in force: here RBAC alone judges.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from garrison.deployment.platform import certificates
from garrison.manifest import Manifest
from garrison.settings import parse
from garrison_stack import roles
from garrison_stack.rights import RBAC, Rights, namespaces, resource
from garrison_stack.whole import Whole, whole
from harness.plugin.api import Api
from harness.plugin.errors import ApiError
from harness.plugin.testing.apiserver import ControlPlane
from servers import certmanager
from servers.test_guard import POD_SPEC, obj, speaking
from unit.deployers import foreign_settings, permitted_app

pytest_plugins = ["harness.plugin.testing.fixtures"]
DORA, HOME, OTHERS = "dora", "bank", "legacy"
DRY = {"dryRun": "All"}
PATIENCE = 30  # seconds; it takes a tenth of one


@pytest.fixture(scope="module")
def what(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("settings")
    return whole(permitted_app(), parse(foreign_settings(folder), {}))


@pytest.fixture(scope="module")
def server(plane: ControlPlane, what: Whole) -> Iterator[ControlPlane]:
    """A cluster with cert-manager's and trust-manager's kinds, somebody else's namespaces, and Dora's roles."""
    certmanager.install(plane)
    certmanager.define(plane, certificates.TRUST_MANAGER)
    for space in (OTHERS, "platform-team"):
        plane.api.apply(obj("v1", "Namespace", "", space), "test")
    for item in granted(what):
        plane.api.apply(item, "test")
    eventually(lambda: speaking(plane, DORA).list("v1", "Event", HOME) == [])
    yield plane
    for item in granted(what):  # the server is shared, and others ask who may do what there
        if item["kind"] != "Namespace":
            plane.api.delete(item, "Background")


def granted(what: Whole) -> list[Manifest]:
    return [
        *roles.objects(
            what.estate.graph.name, Rights.of(what).every, namespaces(what).values(), roles.subjects([f"user:{DORA}"])
        )
    ]


def items(what: Whole) -> list[Manifest]:
    return [item for step in what.steps() for item in step.items]


def eventually(act: Callable[[], object], told: str = "") -> None:
    """RBAC learns of roles a moment later."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if act():
                return
        except ApiError as refusal:
            assert refusal.code == 403, refusal
        assert time.monotonic() < deadline, told
        time.sleep(0.02)


def refused(act: Callable[[], object]) -> str:
    """What RBAC says against it; that something is not there is not its word."""
    try:
        act()
    except ApiError as refusal:
        return str(refusal) if refusal.code == 403 else ""
    return ""


def requests(api: Api, item: Manifest) -> dict[str, Callable[[], object]]:
    """What the plugin does with an object, but for the doing."""
    path, group = api.path(item), item["apiVersion"]
    space = item["metadata"].get("namespace", "")
    return {
        "get": lambda: api.get(item),
        "apply": lambda: api.apply(item, "pulumi", dry_run=True),
        "delete": lambda: api.client._send("DELETE", path, query=DRY),
        "list": lambda: api.client.get(api.discovery.find(group, item["kind"]).path(space)),
    }


def test_everything_that_is_derived_is_made_and_taken_away(server: ControlPlane, what: Whole) -> None:
    dora, nobody = speaking(server, DORA), speaking(server, "nobody")
    bound = [item for item in items(what) if item["kind"] in ("Role", "RoleBinding")]
    assert len(items(what)) > 60
    assert {item["kind"] for item in bound} == {"Role", "RoleBinding"}, "one that has to hold what it gives"
    for item in items(what):
        for name, act in requests(dora, item).items():
            assert refused(act) == "", (name, item["kind"], item["metadata"])
        for name, act in requests(nobody, item).items():
            assert refused(act), (name, item["kind"], item["metadata"])
    for item in bound:  # a binding is judged by what its role says, so that has to be there
        dora.apply(item, "pulumi")
    for item in bound:
        dora.delete(item, "Background")


def test_the_kinds_are_called_as_the_server_calls_them(server: ControlPlane, what: Whole) -> None:
    for item in items(what):
        assert resource(item)[1] == server.api.resource(item).plural


def binding(space: str, name: str, kind: str, role: str) -> Manifest:
    ref = {"apiGroup": RBAC, "kind": kind, "name": role}
    subject = {"apiGroup": RBAC, "kind": "User", "name": DORA}
    made = "RoleBinding" if space else "ClusterRoleBinding"
    return obj(f"{RBAC}/v1", made, space, name, roleRef=ref, subjects=[subject])


CONFIG = {"failurePolicy": "Fail", "matchConstraints": {}, "validations": [{"expression": "true"}]}
TOKEN = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["x"]}}
OTHER: dict[str, Manifest] = {
    "an administrator's role": binding("", "jo", "ClusterRole", "cluster-admin"),
    "an administrator's role at home": binding(HOME, "audit", "ClusterRole", "cluster-admin"),
    "a binding that is not derived": binding(HOME, "jo", "Role", "audit"),
    "a role that is not derived": obj(f"{RBAC}/v1", "Role", HOME, "jo", rules=[]),
    "more for a role that is": obj(
        f"{RBAC}/v1", "Role", HOME, "audit", rules=[{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
    ),
    "its own role": obj(f"{RBAC}/v1", "Role", HOME, "garrison-deployer-estate", rules=[]),
    "a role of the cluster": obj(f"{RBAC}/v1", "ClusterRole", "", "jo", rules=[]),
    "a pod of others": obj("v1", "Pod", OTHERS, "x", spec=POD_SPEC),
    "a pod of its own": obj("v1", "Pod", HOME, "x", spec=POD_SPEC),
    "a secret": obj("v1", "Secret", HOME, "x"),
    "a configuration of others": obj("v1", "ConfigMap", OTHERS, "x"),
    "a namespace": obj("v1", "Namespace", "", "another"),
    "a namespace of others": obj("v1", "Namespace", "", OTHERS, metadata={"name": OTHERS, "labels": {"a": "b"}}),
    "an admission policy of others": obj(
        "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "", "x", spec=CONFIG
    ),
    "an authority": obj("cert-manager.io/v1", "ClusterIssuer", "", "company", spec={"selfSigned": {}}),
    "a bundle of others": obj("trust.cert-manager.io/v1alpha1", "Bundle", "", "x", spec={"sources": []}),
}
PATHS = {
    "secrets of others": ("GET", f"/api/v1/namespaces/{OTHERS}/secrets", None),
    "secrets of its own": ("GET", f"/api/v1/namespaces/{HOME}/secrets", None),
    "all secrets": ("GET", "/api/v1/secrets", None),
    "an identity's secret": ("GET", f"/api/v1/namespaces/{HOME}/secrets/audit-identity", None),
    "pods of others": ("GET", f"/api/v1/namespaces/{OTHERS}/pods", None),
    "a way into a pod": ("POST", f"/api/v1/namespaces/{HOME}/pods/x/exec", None),
    "a token of a workload": ("POST", f"/api/v1/namespaces/{HOME}/serviceaccounts/audit/token", TOKEN),
    "a token of another account": ("POST", "/api/v1/namespaces/platform-team/serviceaccounts/reviewer/token", TOKEN),
    "a namespace of others": ("DELETE", f"/api/v1/namespaces/{OTHERS}", None),
    "nodes": ("GET", "/api/v1/nodes", None),
}


@pytest.mark.parametrize("name", OTHER)
def test_nothing_else_is_made(server: ControlPlane, name: str) -> None:
    item = OTHER[name]
    assert refused(lambda: speaking(server, DORA).apply(item, "pulumi", dry_run=True))
    assert refused(lambda: server.api.apply(item, "pulumi", dry_run=True)) == "", "the control: an administrator may"


@pytest.mark.parametrize("name", PATHS)
def test_nothing_else_is_seen_or_done(server: ControlPlane, name: str) -> None:
    method, path, body = PATHS[name]

    def by(api: Api) -> str:
        return refused(lambda: api.client._send(method, path, query=None if method == "GET" else DRY, body=body))

    assert by(speaking(server, DORA))
    assert by(server.api) == "", "the control: an administrator may"


def test_no_word_of_a_rule_is_idle(server: ControlPlane, what: Whole) -> None:
    """Each kind is taken out of each rule in turn: something that is derived, or asked, is refused then.

    From the rules of all namespaces at once, and in each of them something has to be refused.
    """
    every = work(speaking(server, DORA), what)
    given = [item for item in granted(what) if item["kind"] in ("Role", "ClusterRole")]
    words = sorted({(plural, _key(rule)) for role in given for rule in role["rules"] for plural in rule["resources"]})
    assert len(words) > 25
    for plural, key in words:
        fewer = {_space(role): cut for role in given if (cut := _without(role, plural, key)) != role}
        wanted = [[act for where, about, act in every if (where, about) == (space, plural)] for space in fewer]
        for role in fewer.values():
            server.api.apply(role, "test")
        eventually(partial(_some_of_each_refused, wanted), f"{plural} {key} in {[*fewer]}")
        for role in given:
            server.api.apply(role, "test") if _space(role) in fewer else None
        eventually(partial(_none_refused, wanted), f"{plural} {key}")


def _key(rule: Manifest) -> tuple[str, ...]:
    """Which rule it is, in whatever namespace."""
    return (*rule["apiGroups"], "named" if "resourceNames" in rule else "", *rule["verbs"])


def _without(role: Manifest, plural: str, key: tuple[str, ...]) -> Manifest:
    rules = [
        {**rule, "resources": [one for one in rule["resources"] if (one, _key(rule)) != (plural, key)]}
        for rule in role["rules"]
    ]
    return {**role, "rules": [rule for rule in rules if rule["resources"]]}


def _some_of_each_refused(acts: list[list[Callable[[], object]]]) -> bool:
    return all(any(map(refused, those)) for those in acts)


def _none_refused(acts: list[list[Callable[[], object]]]) -> bool:
    return not any(refused(act) for those in acts for act in those)


def work(api: Api, what: Whole) -> list[tuple[str, str, Callable[[], object]]]:
    """All that is done in a deployment, each with the namespace and the kind that it is about."""
    made = [(_space(item), resource(item)[1], act) for item in items(what) for act in requests(api, item).values()]
    given = [item for item in items(what) if item["kind"] == "Role"]
    made += [
        (_space(item), plural, requests(api, item)["apply"])
        for item in given
        for rule in item["rules"]
        for plural in rule["resources"]
    ]
    made += [(space, about, partial(_send, api, *sent)) for space, about, *sent in ASKED]
    return made + [(space, about, partial(_send, api, "GET", path)) for space, about, path in sorted(looked(what))]


def _send(api: Api, method: str, path: str, body: Manifest | None = None) -> object:
    return api.client._send(method, path, query=None if method == "GET" else DRY, body=body)


REVIEW = {
    "apiVersion": "authorization.k8s.io/v1",
    "kind": "SubjectAccessReview",
    "spec": {"user": "x", "resourceAttributes": {"verb": "get", "resource": "pods"}},
}
# What a program asks with kubectl while it deploys, from reading `beside`, `standing` and `vault.connection`.
ASKED: list[tuple[Any, ...]] = [
    ("", "namespaces", "GET", "/api/v1/namespaces"),
    ("", "validatingadmissionpolicies", "GET", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"),
    ("", "clusterissuers", "GET", "/apis/cert-manager.io/v1/clusterissuers/company"),
    ("", "subjectaccessreviews", "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", REVIEW),
    (
        *("platform-team", "serviceaccounts/token", "POST"),
        *("/api/v1/namespaces/platform-team/serviceaccounts/deployer/token", TOKEN),
    ),
]
# What a plugin looks at to see that an object of a kind is ready, and why not; events are of all of them.
PODS = ("/api/v1", "pods")
LOOKED = {
    "Deployment": (PODS, ("/api/v1", "persistentvolumeclaims"), ("/apis/apps/v1", "replicasets")),
    "StatefulSet": (PODS,),
    "Job": (PODS,),
    "Certificate": (("/apis/cert-manager.io/v1", "certificaterequests"),),
}


def looked(what: Whole) -> set[tuple[str, str, str]]:
    return {
        (_space(item), plural, f"{root}/namespaces/{_space(item)}/{plural}")
        for item in items(what)
        if _space(item)
        for root, plural in (*LOOKED.get(item["kind"], ()), ("/api/v1", "events"))
    }


def _space(item: Manifest) -> str:
    space: str = item["metadata"].get("namespace", "")
    return space
