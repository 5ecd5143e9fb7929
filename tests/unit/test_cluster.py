"""One cluster as a value: checked however it came to be, the same bytes there and back, and never a way to anywhere."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from garrison import IntentError, render
from garrison.cluster import Cluster, Dns, Entrance, Issuer
from unit.estates import shop_app

EKS = Cluster(
    issuer="corporate-ca",
    api_server=("10.20.0.0/24", "203.0.113.0/24"),
    storage_class="gp3",
    dns=Dns(namespace="dns", labels=(("app", "node-local"), ("tier", "node")), port=5353, ranges=("169.254.20.10/32",)),
    system_namespaces=("calico-system",),
    admission="warn",
    admission_scope="labelled",
    signed_images=("r.example/shop/orders@sha256:" + "0" * 64,),
)
PCA = Issuer(
    name="corporate",
    kind="AWSPCAClusterIssuer",
    group="awspca.cert-manager.io",
    account="aws-pca/aws-privateca-issuer",
)


def test_there_and_back() -> None:
    assert Cluster.from_json(EKS.to_json()) == EKS
    foreign = Cluster(issuer=PCA, entrance=Entrance(issuer=Issuer(name="public", kind="Issuer")))
    assert Cluster.from_json(foreign.to_json()) == foreign
    assert Cluster.from_json('{"schema": "garrison.dev/cluster/v1"}') == Cluster()


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"api_server": ["0.0.0.0/0"]}, "0.0.0.0/0 is far more than an API server"),
        ({"api_server": ["::/0"]}, "::/0 is far more than an API server"),
        ({"api_server": ["0.0.0.0/1", "128.0.0.0/1"]}, "128.0.0.0/1 is far more"),
        ({"api_server": ["8.0.0.0/8"]}, "8.0.0.0/8 is far more"),
        ({"api_server": ["10.0.0.1/24"]}, "'10.0.0.1/24' is not an address range"),
        ({"api_server": [1]}, "1 is not an address range"),
        ({"api_server": "10.0.0.0/24"}, "is not a list of address ranges"),
        ({"issuer": None}, "None is not a Kubernetes name"),
        ({"issuer": 'x"} {"'}, "is not a Kubernetes name"),
        ({"storage_class": ["fast"]}, "is not a Kubernetes name"),
        ({"admission": "off"}, "'off' is not a mode"),
        ({"admission_scope": "nowhere"}, "'nowhere' is no scope; use estate, labelled, everywhere"),
        ({"system_namespaces": "kube"}, "'kube' is not a list"),
        ({"system_namespaces": ["../x"]}, "'../x' is not a namespace"),
        ({"dns": {"labels": []}}, "does not select pods by label"),
        ({"dns": {"labels": "x"}}, "does not select pods by label"),
        ({"dns": {"labels": [["a"]]}}, "does not select pods by label"),
        ({"dns": {"port": "53"}}, "'53' is not a port"),
        ({"dns": {"namespace": 7}}, "7 is not a namespace"),
        ({"dns": {"ranges": ["169.254.169.254/32"]}}, "169.254.169.254/32 is where clouds give credentials away"),
        ({"dns": {"ranges": ["169.254.0.0/16"]}}, "169.254.0.0/16 is where clouds give credentials away"),
        ({"dns": {"ranges": ["168.63.129.16/32"]}}, "where clouds give credentials away"),
        ({"dns": {"ranges": ["fd00:ec2::254/128"]}}, "where clouds give credentials away"),
        ({"dns": {"ranges": ["::ffff:169.254.169.254/128"]}}, "is nobody's whom a pod could ask"),
        ({"dns": {"ranges": ["169.254.20.8/29"]}}, "is a part of this link"),
        ({"dns": {"ranges": ["10.0.0.0/8"]}}, "10.0.0.0/8 is far more than resolvers have; use ranges of /28 at most"),
        ({"dns": {"ranges": ["0.0.0.0/0"]}}, "where clouds give credentials away"),
        ({"dns": {"ranges": ["127.0.0.53/32"]}}, "is nobody's whom a pod could ask"),
        ({"dns": {"ranges": [], "labels": []}}, "names neither pods nor addresses"),
        ({"dns": {"ranges": "169.254.20.10/32"}}, "does not select pods by label"),
        ({"dns": {"prot": 53}}, "no such field: prot"),
        ({"dns": 7}, "does not select pods by label"),
        ({"isuer": "x"}, "did you mean 'issuer'?"),
        ({"issuer": {"name": "a b"}}, "'a b' is not a Kubernetes name"),
        ({"issuer": {}}, "None is not a Kubernetes name"),
        ({"issuer": {"name": "x", "kind": "clusterissuer"}}, "'clusterissuer' is not a kind"),
        ({"issuer": {"name": "x", "kind": 7}}, "7 is not a kind"),
        ({"issuer": {"name": "x", "group": "awspca"}}, "'awspca' is not an API group"),
        ({"issuer": {"name": "x", "kind": "AWSPCAClusterIssuer"}}, "cert-manager.io has no kind AWSPCAClusterIssuer"),
        ({"issuer": {"name": "x", "kind": "Issuer"}}, "Issuer signs for its own namespace"),
        ({"issuer": asdict(PCA) | {"kind": "AWSPCAIssuer"}}, "AWSPCAIssuer signs for its own namespace"),
        ({"issuer": asdict(PCA) | {"account": None}}, "nobody says who signs for AWSPCAClusterIssuer.awspca."),
        ({"issuer": asdict(PCA) | {"account": "aws"}}, "nobody says who signs for"),
        ({"issuer": {"name": "x", "account": "a/b"}}, "an account, where cert-manager itself signs"),
        ({"issuer": {"nmae": "x"}}, "no such field: nmae"),
        ({"entrance": {"issuer": {"name": "x", "account": "a/b"}}}, "an account, where no identity is signed"),
        ({"entrance": {"issuer": {"nmae": "x"}}}, "is not a Kubernetes name"),
        ({"entrance": {"issuer": "A B"}}, "'A B' is not a Kubernetes name"),
    ],
)
def test_what_does_not_hold_together_is_refused(said: dict[str, object], says: str) -> None:
    with pytest.raises(IntentError) as error:
        Cluster.from_json(json.dumps({"schema": "garrison.dev/cluster/v1", **said}))
    assert says in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "garrison.dev/graph/v1"}', "7"])
def test_what_is_no_cluster_is_refused(text: str) -> None:
    with pytest.raises(IntentError):
        Cluster.from_json(text)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(IntentError) as error:
        Cluster(issuer="A B", api_server=("0.0.0.0/0",), admission="off")  # type: ignore[arg-type]
    assert len(error.value.problems) == 3


def test_every_fact_of_the_cluster_enters_what_is_derived_and_nothing_else_changes() -> None:
    graph = shop_app().graph()
    plain, there = render(graph), render(graph, EKS)
    changed = {(a["kind"]) for a, b in zip(plain, there, strict=True) if a != b}
    assert changed == {"NetworkPolicy", "Certificate", "StatefulSet"}
    text = json.dumps(there)
    assert "kube-dns" not in text
    for word in ("corporate-ca", "gp3", "node-local"):
        assert word in text


@pytest.mark.parametrize(
    ("issuer", "signer"),
    [
        (Issuer.of("garrison"), "clusterissuers.cert-manager.io/garrison"),
        (PCA, "awspcaclusterissuers.awspca.cert-manager.io/corporate"),
        (Issuer(name="public", kind="Issuer"), "issuers.cert-manager.io/edge.public"),
        (Issuer(name="x", kind="ClusterProxy", group="y.example"), "clusterproxies.y.example/x"),
    ],
)
def test_an_issuer_as_rbac_calls_it(issuer: Issuer, signer: str) -> None:
    assert issuer.signer("edge") == signer


def test_every_certificate_asks_the_issuer_that_was_said() -> None:
    there = Cluster(issuer=PCA)
    asked = [item["spec"]["issuerRef"] for item in render(shop_app().graph(), there) if item["kind"] == "Certificate"]
    assert asked
    assert all(one == {"group": PCA.group, "kind": PCA.kind, "name": PCA.name} for one in asked)
