"""Who may be called what and who may change what, on a real API server: each attack taken before, refused afterwards.

The attacker may do everything that Kubernetes' own authorisation can give; only admission stands in the way.
"""

from __future__ import annotations

import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from garrison.cluster import Cluster
from garrison_policies.places import whole
from harness.plugin import kubeconfig
from harness.plugin.api import Api
from harness.plugin.errors import ApiError
from harness.plugin.testing.apiserver import ControlPlane
from servers import certmanager
from servers.enforcing import in_force
from servers.hardened import CONTAINER
from unit.estates import shop_app

pytest_plugins = ["harness.plugin.testing.fixtures"]
Json = dict[str, Any]
CERTIFICATES = "cert-manager.io/v1"
RBAC = "rbac.authorization.k8s.io/v1"
OURS = {"kind": "ClusterIssuer", "name": "garrison"}
EVE, ISSUING = "eve", "system:serviceaccount:cert-manager:cert-manager"
TRUSTING, REPLICAS = (
    "system:serviceaccount:cert-manager:trust-manager",
    "system:serviceaccount:kube-system:replicaset-controller",
)
HOME, AWAY, PROOF = "bank", "playground", "garrison-probe-a1b2c3"
SPACES = (HOME, AWAY, PROOF, "shop", "cert-manager", "openbao")
GRAPH = shop_app().graph()
POD_SPEC = {"automountServiceAccountToken": False, "serviceAccountName": "payments", "containers": [CONTAINER]}
STOLEN = POD_SPEC | {"volumes": [{"name": "identity", "secret": {"secretName": "payments-identity"}}]}


def obj(api: str, kind: str, space: str, name: str, **body: Any) -> Json:
    meta = {"name": name} | ({"namespace": space} if space else {})
    return {"apiVersion": api, "kind": kind, "metadata": meta} | body


def certificate(space: str, name: str = "payments", **names: Any) -> Json:
    return obj(
        CERTIFICATES, "Certificate", space, name, spec={"secretName": "s", "duration": "24h", "issuerRef": OURS} | names
    )


def uri(space: str, name: str = "payments", domain: str = "estate.example") -> Json:
    return {"uris": [f"spiffe://{domain}/ns/{space}/sa/{name}"]}


def request(space: str, csr: str) -> Json:
    return obj(CERTIFICATES, "CertificateRequest", space, "hand", spec={"request": csr, "issuerRef": OURS})


def signing(signer: str, csr: str) -> Json:
    spec = {"request": csr, "signerName": signer, "usages": ["client auth"]}
    return obj("certificates.k8s.io/v1", "CertificateSigningRequest", "", "hand", spec=spec)


def authority(kind: str, space: str, name: str) -> Json:
    return obj(CERTIFICATES, kind, space, name, spec={"ca": {"secretName": "garrison-root"}})


def csr() -> str:
    """A request for the identity of another, as openssl makes it."""
    command = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", "/dev/null", "-subj", "/CN=openbao", "-addext", f"subjectAltName=URI:{uri(HOME)['uris'][0]}"]
    return b64encode(subprocess.run(command, check=True, capture_output=True).stdout).decode()


REQUEST = csr()
# What nobody may have, whoever asks: the object, and the rule that says so.
IDENTITIES: dict[str, tuple[Json, str]] = {
    "a service of another namespace": (certificate(AWAY, **uri(HOME)), "identity-of-another"),
    "another service of the namespace": (certificate(AWAY, "orders", **uri(AWAY)), "identity-of-another"),
    "the store's database user": (certificate(AWAY, commonName="openbao"), "identity-of-another"),
    "the store's host": (certificate(AWAY, dnsNames=["openbao.openbao.svc"]), "identity-of-another"),
    "an authority": (certificate(AWAY, **uri(AWAY), isCA=True), "identity-plain"),
    "a request by hand": (request(AWAY, REQUEST), "certificate-request-by-hand"),
    "a signing request": (signing("clusterissuers.cert-manager.io/garrison", REQUEST), "signing-request-by-hand"),
    "another way to the key": (
        signing("issuers.cert-manager.io/cert-manager.second", REQUEST),
        "signing-request-by-hand",
    ),
    "a second issuer": (authority("ClusterIssuer", "", "second"), "issuer-key-shared"),
    "a second issuer beside the key": (authority("Issuer", "cert-manager", "second"), "issuer-key-shared"),
}
# What only the deployer makes in the estate.
PIECES = [{"ipBlock": {"cidr": "10.0.0.0/8"}}]  # no rule about one object says a word: it may be meant
POLICY = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": PIECES}]}
ESTATE: dict[str, Json] = {
    "a pod with the identity of a service": obj("v1", "Pod", HOME, "eve", spec=STOLEN),
    "a workload": obj(
        "apps/v1",
        "Deployment",
        HOME,
        "eve",
        spec={
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD_SPEC},
        },
    ),
    "a policy in pieces": obj("networking.k8s.io/v1", "NetworkPolicy", HOME, "eve", spec=POLICY),
    "a certificate of its own": certificate(HOME, "eve", **uri(HOME, "eve")),
    "an identity's secret": obj("v1", "Secret", HOME, "payments-identity"),
    "an account": obj("v1", "ServiceAccount", HOME, "eve", automountServiceAccountToken=False),
    "a role": obj(RBAC, "Role", HOME, "eve", rules=[]),
    "a binding": obj(
        RBAC, "RoleBinding", HOME, "eve", roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    ),
    "a proxy's configuration": obj("v1", "ConfigMap", HOME, "payments-proxy", data={"envoy.json": "{}"}),
    "a service": obj("v1", "Service", HOME, "eve", spec={"ports": [{"port": 80}]}),
    "the root's secret": obj("v1", "Secret", "cert-manager", "garrison-root"),
    "a pod beside the store": obj("v1", "Pod", "openbao", "eve", spec=POD_SPEC),
    "the issuer": obj(CERTIFICATES, "ClusterIssuer", "", "garrison", spec={"selfSigned": {}}),
}


def speaking(plane: ControlPlane, user: str, *groups: str) -> Api:
    """A client that speaks for somebody else."""
    api = Api(kubeconfig.load(str(plane.kubeconfig)))
    api.client._headers |= {"Impersonate-User": user}
    if groups:
        api.client._headers |= {"Impersonate-Group": groups[0]}
    return api


def said(api: Api, item: Json) -> str:
    """What the server says to a new object: nothing where it takes it."""
    path = api.resource(item).path(item["metadata"].get("namespace", ""))
    try:
        api.client._send("POST", path, query={"dryRun": "All"}, body=item)
    except ApiError as refusal:
        return str(refusal)
    return ""


@pytest.fixture(scope="module")
def before(plane: ControlPlane) -> Iterator[dict[str, str]]:
    """What the server says to each attack while no policy is in force, in namespaces of the estate's names."""
    certmanager.install(plane)
    for space in SPACES:
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        plane.api.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space, "labels": labels}}, "test"
        )
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    users = (EVE, ISSUING, TRUSTING, REPLICAS, "system:serviceaccount:playground:replicaset-controller")
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user} for user in users]
    almighty = obj(RBAC, "ClusterRoleBinding", "", "almighty", roleRef=role, subjects=subjects)
    plane.api.apply(almighty, "test")
    eve = speaking(plane, EVE)
    yield {name: said(eve, item) for name, item in ({k: v[0] for k, v in IDENTITIES.items()} | ESTATE).items()}
    plane.api.delete(almighty, "Background")  # the server is shared, and others ask who may do what there


@pytest.fixture(scope="module")
def server(plane: ControlPlane, before: dict[str, str]) -> Iterator[ControlPlane]:
    """The server with everything in force."""
    assert set(before.values()) == {""}, "the control: every attack is taken by a server without the policies"
    with in_force(plane, whole.manifests(GRAPH, Cluster(), platform=("cert-manager", "openbao"))):
        yield plane


def test_the_estate_of_this_test_has_these_namespaces() -> None:
    assert {HOME, "shop"} <= set(GRAPH.namespaces)
    assert AWAY not in GRAPH.namespaces


@pytest.mark.parametrize("attack", IDENTITIES)
def test_nobody_gets_the_identity_of_another(server: ControlPlane, attack: str) -> None:
    item, rule = IDENTITIES[attack]
    assert "ValidatingAdmissionPolicy 'garrison-" in said(speaking(server, EVE), item)
    assert f"{rule}: " in said(server.api, item), "and no deployer by mistake"


def test_an_own_identity_is_given(server: ControlPlane) -> None:
    eve = speaking(server, EVE)
    assert said(eve, certificate(AWAY, **uri(AWAY))) == ""
    assert said(eve, certificate(AWAY, dnsNames=["payments.playground.svc"])) == ""
    assert said(eve, certificate(AWAY, commonName="x", issuerRef={"kind": "Issuer", "name": "mine"})) == ""
    assert said(speaking(server, ISSUING), request(AWAY, REQUEST)) == "", "cert-manager asks for a judged Certificate"
    assert said(eve, signing("example.com/other", REQUEST)) == ""
    assert said(server.api, certificate(HOME, **uri(HOME))) == ""
    assert said(server.api, certificate("openbao", "openbao-database-client", commonName="openbao")) == ""


def test_what_the_garrison_derives_is_taken_from_the_deployer(server: ControlPlane) -> None:
    from garrison.deployment.platform import certificates, openbao
    from garrison.derive import identity

    servers = (
        item for server in (openbao.SECRETS, openbao.USERS) for item in openbao.before(server, Cluster().authority)
    )
    items = [*identity.manifests(GRAPH, Cluster()), *certificates.root(), *servers]
    answers = {str(item["metadata"]): said(server.api, item) for item in items if "kind" in item}
    assert {text for text in answers.values() if "ValidatingAdmissionPolicy" in text} == set()


def test_the_proof_gets_its_certificate_of_a_foreign_domain_and_nobody_else_does(server: ControlPlane) -> None:
    foreign = certificate(PROOF, "foreign-domain.bank.payments", **uri(HOME, domain="evil.example"))
    assert said(server.api, foreign) == ""
    assert "identity-of-another: " in said(speaking(server, EVE), foreign)
    assert "identity-of-another: " in said(server.api, certificate(PROOF, **uri(HOME)))
    assert "identity-of-another: " in said(server.api, certificate(AWAY, **uri(HOME, domain="evil.example")))


@pytest.mark.parametrize("attack", ESTATE)
def test_only_the_deployer_changes_what_stands_in_the_estate(server: ControlPlane, attack: str) -> None:
    item = ESTATE[attack]
    eve = speaking(server, EVE)
    assert "-guard: required: only the deployer" in said(eve, item)
    assert "-guard: " not in said(server.api, item)
    assert "-guard: " not in said(speaking(server, EVE, "garrison:break-glass"), item), "break-glass"


@pytest.mark.parametrize("kind", ["pods/exec", "pods/attach", "pods/portforward", "serviceaccounts/token"])
def test_nobody_steps_into_a_pod_or_takes_a_token(server: ControlPlane, kind: str) -> None:
    """The estate's namespaces against another one: what is refused there fails elsewhere for want of a pod only."""
    resource, part = kind.split("/")
    name = "default" if part == "token" else "x"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["openbao"]}}
    for space, refused in ((HOME, True), (AWAY, False)):
        path = f"/api/v1/namespaces/{space}/{resource}/{name}/{part}"
        try:
            speaking(server, EVE).client._send("POST", path, body=body if part == "token" else None)
        except ApiError as answer:
            assert ("estate-guard: " in str(answer)) is refused, str(answer)
        else:
            assert not refused


def test_nobody_deletes_one_or_all(server: ControlPlane) -> None:
    deny = obj("networking.k8s.io/v1", "NetworkPolicy", HOME, "default-deny", spec={"podSelector": {}})
    server.api.apply(deny, "test")
    eve, path = speaking(server, EVE), server.api.path(deny)
    for target in (path, path.rpartition("/")[0]):
        with pytest.raises(ApiError, match="estate-guard: "):
            eve.client.delete(target, {})
    with pytest.raises(ApiError, match="estate-guard: "):
        friends = [
            {"from": [{"podSelector": {"matchLabels": {"app": "x"}}}]}
        ]  # narrow: no rule refuses it, the guard does
        eve.edit(deny, [{"op": "add", "path": "/spec/ingress", "value": friends}])
    assert server.api.find(deny)
    server.api.delete(deny, "Background")
    assert server.api.find(deny) is None


def test_controllers_do_their_work(server: ControlPlane) -> None:
    assert (
        said(
            speaking(server, REPLICAS, "system:serviceaccounts:kube-system"),
            ESTATE["a pod with the identity of a service"],
        )
        == ""
    )
    lookalike = "system:serviceaccount:playground:replicaset-controller"
    assert "-guard: " in said(speaking(server, lookalike), ESTATE["a service"]), "only those of kube-system"
    assert said(speaking(server, ISSUING), obj("v1", "Secret", HOME, "payments-identity")) == ""
    unnamed = obj("v1", "Secret", HOME, "x") | {"metadata": {"generateName": "payments-", "namespace": HOME}}
    assert said(speaking(server, ISSUING), unnamed) == "", "the key of a request that is on its way"
    assert said(speaking(server, TRUSTING), obj("v1", "ConfigMap", HOME, "trust-bundle")) == ""
    assert "estate-guard: " in said(speaking(server, ISSUING), ESTATE["a certificate of its own"])
    assert "estate-guard: " in said(speaking(server, TRUSTING), ESTATE["a proxy's configuration"])


def test_what_a_service_may_write_by_declaration_stays_its_own(server: ControlPlane) -> None:
    eve = speaking(server, EVE)
    assert said(eve, obj("v1", "ConfigMap", HOME, "journal", data={"a": "b"})) == ""
    lease = obj("coordination.k8s.io/v1", "Lease", HOME, "leader", spec={"holderIdentity": "a"})
    assert said(eve, lease) == ""


def test_a_namespace_of_the_estate_is_the_deployers_and_goes_with_all_that_is_in_it(server: ControlPlane) -> None:
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    inside = obj("v1", "Secret", "shop", "orders-identity")
    server.api.apply(inside, "test")
    with pytest.raises(ApiError, match="estate-guard: "):
        speaking(server, EVE).delete(shop, "Background")
    server.api.delete(shop, "Background")  # the namespace controller empties it
    deadline = time.monotonic() + 60
    while server.api.find(shop) is not None:
        assert time.monotonic() < deadline, "the namespace is not gone after 60 s"
        time.sleep(0.2)


def test_the_api_server_finds_nothing_to_complain_of(server: ControlPlane) -> None:
    assert complaints(server) == []


def complaints(plane: ControlPlane) -> list[str]:
    """Its type check knows every field of every kind; `backend` is where Ingress had it before v1."""
    kind, deadline = ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"), time.monotonic() + 60
    while not all("typeChecking" in item.get("status", {}) for item in plane.api.list(*kind, "")):
        assert time.monotonic() < deadline, "the policies are not type-checked after 60 s"
        time.sleep(0.2)
    checked = {item["metadata"]["name"]: item["status"]["typeChecking"] for item in plane.api.list(*kind, "")}
    warnings = [(name, one["warning"]) for name, said in checked.items() for one in said.get("expressionWarnings", [])]
    told = [f"{name}: {line}" for name, text in warnings for line in text.splitlines() if "ERROR" in line]
    return [line for line in told if "'backend'" not in line]
