"""Admission on the running estate: closed at every moment, and open to what has to come in."""

from __future__ import annotations

import datetime
import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cluster import live
from cluster.estate import PLATFORM, editing, ready
from garrison_policies.exceptions.file import PolicyException
from garrison_policies.places import admission
from garrison_policies.rules import RULES

Obj = dict[str, Any]
GUARDED = "guarded"  # a namespace like any other
APART = "admission-probe"  # the real policies leave it alone, so that a copy can be tried here (harness/stack.py)
TODAY = datetime.datetime.now(datetime.UTC).date()
RULE = "image-digest"


def workload(name: str = "app", namespace: str = GUARDED, *, image: str = "", **security: Any) -> Obj:
    """A Deployment that keeps every rule, unless told otherwise."""
    context = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
        **security,
    }
    bounds = {"cpu": "10m", "memory": "16Mi"}
    container = {
        "name": "app",
        "image": image or f"registry.k8s.io/pause@sha256:{'0' * 64}",
        "imagePullPolicy": "Never",
        "securityContext": context,
        "resources": {"requests": bounds, "limits": bounds},
    }
    pod = {"automountServiceAccountToken": False, "serviceAccountName": "app", "containers": [container]}
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


GOOD, BAD = workload(), workload(privileged=True, allowPrivilegeEscalation=True)


def answer(item: Obj, *, dry: bool = True) -> str:
    """What the API server says to a new object: "taken" and its warnings, or why not."""
    command = ["kubectl", f"--kubeconfig={live.KUBECONFIG}", "create", "-f", "-", "--request-timeout=10s"]
    command += ["--dry-run=server"] if dry else []
    done = subprocess.run(command, input=json.dumps(item), capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else f"taken {done.stderr}"


def taken(item: Obj) -> bool:
    return answer(item).startswith("taken")


def refused(item: Obj, rule: str = "privileged-container") -> bool:
    """Refused by our policy, for this reason; any other failure is no refusal."""
    said = answer(item)
    return "ValidatingAdmissionPolicy 'garrison-" in said and f"{rule}: " in said and not said.startswith("taken")


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> Iterator[None]:
    level = {"pod-security.kubernetes.io/enforce": "baseline"}
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n, "labels": level}} for n in (GUARDED, APART)
    ]
    accounts = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app", "namespace": n}}
        | {"automountServiceAccountToken": False}
        for n in (GUARDED, APART)
    ]
    live.apply(*spaces, *accounts)
    yield
    live.kubectl("delete", "namespace", GUARDED, APART)


def test_a_good_object_is_taken_and_a_bad_one_refused_by_name() -> None:
    assert taken(GOOD)
    assert refused(BAD)


def test_an_image_of_ours_that_nobody_signed_is_refused() -> None:
    signed = live.get("deployment", "orders", "-n", "shop")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert taken(workload(image=signed))
    assert refused(workload(image=signed.partition("@")[0] + "@sha256:" + "0" * 64), "image-signature")


def test_no_webhook_is_in_the_path() -> None:
    webhooks = live.get("validatingwebhookconfigurations,mutatingwebhookconfigurations")["items"]
    ours = [item["metadata"]["name"] for item in webhooks if "garrison" in item["metadata"]["name"]]
    assert ours == []
    assert "garrison-workloads" in live.kubectl("get", "validatingadmissionpolicies", "-o", "name")


def test_the_api_server_finds_nothing_to_complain_of_in_the_policies() -> None:
    """Its type check knows every field; `backend` is where Ingress had it before v1, which rules read in files."""
    policies = live.get("validatingadmissionpolicies")["items"]
    assert policies
    for item in policies:
        warnings = item.get("status", {}).get("typeChecking", {}).get("expressionWarnings", [])
        told = [line for one in warnings for line in one["warning"].splitlines() if "ERROR" in line]
        assert [line for line in told if "'backend'" not in line] == [], item["metadata"]["name"]


def test_a_changed_object_is_judged_like_a_new_one() -> None:
    live.apply(GOOD)
    try:
        patch = json.dumps({"spec": {"template": {"spec": {"hostNetwork": True}}}})
        with pytest.raises(Exception, match="host-namespaces"):
            live.kubectl("patch", "deployment", "app", "-n", GUARDED, "-p", patch, "--dry-run=server")
        live.kubectl("label", "deployment", "app", "-n", GUARDED, "team=a", "--dry-run=server")
    finally:
        live.kubectl("delete", "deployment", "app", "-n", GUARDED)


def test_a_container_added_to_a_running_pod_is_judged() -> None:
    pod = live.get("pods", "-n", "shop", "-l", "app.kubernetes.io/name=orders")["items"][0]["metadata"]["name"]
    arguments = ["pod", pod, "-n", "shop", "--subresource=ephemeralcontainers", "--dry-run=server", "-p"]

    def added(image: str) -> str:
        security = GOOD["spec"]["template"]["spec"]["containers"][0]["securityContext"]
        extra = {"name": "debug", "image": image, "securityContext": security, "imagePullPolicy": "Never"}
        return json.dumps({"spec": {"ephemeralContainers": [extra]}})

    live.kubectl("patch", *arguments, added(f"registry.k8s.io/pause@sha256:{'0' * 64}"))
    with pytest.raises(Exception, match=RULE):
        live.kubectl("patch", *arguments, added("registry.k8s.io/pause:3.10.2"))


def test_a_bad_object_is_refused_at_every_moment_of_an_api_server_start() -> None:
    """From the kill until the server takes good objects again, nothing bad is taken: it is refused, or not served."""
    assert taken(GOOD)
    assert refused(BAD)
    node, deadline = live.nodes()[0], time.monotonic() + 120
    killed = api_server(node)
    assert killed
    live.on_node(node, "pkill", "-9", "kube-apiserver")
    # another process is the control: kubectl itself tries again for seconds, and may never see that nobody was there
    while api_server(node) in ("", killed) or not taken(GOOD):
        assert time.monotonic() < deadline, "the API server did not come back within 120 s"
        assert not answer(BAD).startswith("taken"), "a bad object was taken while the API server started"
    assert refused(BAD)


def api_server(node: str) -> str:
    """The process of the API server; empty while there is none."""
    return live.on_node(node, "sh", "-c", "pgrep -x kube-apiserver || true").strip()


def test_a_bad_object_is_refused_with_every_other_admission_component_dead() -> None:
    places = [
        ("cert-manager", name) for name in live.kubectl("get", "deploy", "-n", "cert-manager", "-o", "name").split()
    ]
    before = {name: live.get(name, "-n", space)["spec"]["replicas"] for space, name in places}
    try:
        for space, name in places:
            live.kubectl("scale", "-n", space, name, "--replicas=0")
        live.eventually(lambda: not live.get("pods", "-n", "cert-manager")["items"], "the webhooks are gone", 120)
        issuer = {"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": {"name": "x", "namespace": GUARDED}}
        issuer |= {"spec": {"selfSigned": {}}}
        # at first the API server may still wait for an answer from the address of before
        live.eventually(lambda: "failed calling webhook" in answer(issuer), "the control: they are dead", 120)
        assert taken(GOOD)
        assert refused(BAD)
    finally:
        for space, name in places:
            live.kubectl("scale", "-n", space, name, f"--replicas={before[name]}")
    ready()
    assert "cert-manager" in PLATFORM


def certificate(name: str, **names: Any) -> Obj:
    issuer = {"kind": "ClusterIssuer", "name": "garrison"}
    spec = {"secretName": name, "duration": "24h", "issuerRef": issuer} | names
    meta = {"name": name, "namespace": GUARDED}
    return {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": meta, "spec": spec}


def test_nobody_gets_the_identity_of_another() -> None:
    assert taken(certificate("app", uris=[f"spiffe://estate.example/ns/{GUARDED}/sa/app"]))
    stolen = certificate("app", uris=["spiffe://estate.example/ns/bank/sa/payments"])
    for item in (
        stolen,
        certificate("app", commonName="openbao"),
        certificate("app", dnsNames=["openbao.openbao.svc"]),
    ):
        assert refused(item, "identity-of-another")


@pytest.fixture
def editor() -> Iterator[str]:
    with editing("bank") as eve:
        yield eve


def test_only_the_deployer_changes_what_stands_in_the_estate(editor: str) -> None:
    pod = live.get("pods", "-n", "bank", "-l", "app.kubernetes.io/name=payments")["items"][0]["metadata"]["name"]
    attacks = (
        ("delete", "pod", pod, "--dry-run=server"),
        ("exec", pod, "-c", "app", "--", "/nothing"),
        ("create", "token", "payments", "--audience=openbao"),
        ("scale", "deployment", "payments", "--replicas=0"),
        ("delete", "networkpolicy", "--all", "--dry-run=server"),
        ("create", "serviceaccount", editor, "--dry-run=server"),
    )
    for attack in attacks:
        with pytest.raises(Exception, match="estate-guard|cannot create resource|cannot delete resource"):
            live.kubectl("-n", "bank", f"--as={editor}", *attack)
    with pytest.raises(Exception, match="estate-guard"):
        live.kubectl("-n", "bank", f"--as={editor}", *attacks[0])
    live.kubectl("-n", "bank", f"--as={editor}", "--as-group=garrison:break-glass", *attacks[0])
    live.kubectl("-n", "bank", *attacks[0])
    rules = live.get("clusterrole", "edit")["rules"]
    assert not any("cert-manager.io" in rule.get("apiGroups", ()) for rule in rules), (
        "to edit is to ask for no identity"
    )


def test_the_namespaces_of_the_system_are_left_alone_and_no_other_can_pass_for_one() -> None:
    assert taken(workload(namespace="kube-system", privileged=True, allowPrivilegeEscalation=True))
    live.kubectl("label", "namespace", GUARDED, "kubernetes.io/metadata.name=kube-system", "--overwrite")
    assert live.get("namespace", GUARDED)["metadata"]["labels"]["kubernetes.io/metadata.name"] == GUARDED
    assert refused(BAD)


def copied(**choice: Any) -> list[Obj]:
    """The policies once more, under other names and bound to one namespace."""
    made = json.loads(json.dumps(admission.manifests(RULES, **choice)))
    here = {"matchLabels": {"kubernetes.io/metadata.name": APART}}
    for item in made:
        item["metadata"]["name"] = item["metadata"]["name"].replace("garrison-", "probe-")
        if item["kind"].endswith("Binding"):
            item["spec"] |= {"policyName": item["metadata"]["name"], "matchResources": {"namespaceSelector": here}}
    return [item for item in made if item["metadata"]["name"] == "probe-workloads"]


@pytest.fixture
def copies() -> Iterator[Any]:
    def install(**choice: Any) -> None:
        live.apply(*copied(**choice))

    yield install
    live.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "probe-workloads")
    live.eventually(lambda: "probe-" not in answer(tagged("gone")), "the copies are out of force")


def tagged(name: str) -> Obj:
    """Breaks one rule only: its image is not pinned by digest. It really runs."""
    return workload(name, APART, image="registry.k8s.io/pause:3.10.2")


def test_warnings_first_nothing_is_refused_and_everything_is_told(copies: Any) -> None:
    copies(mode="warn")
    live.eventually(lambda: f"{RULE}: " in answer(tagged("told")), "the copies are in force")
    assert taken(tagged("told"))
    log = live.STATE / "audit" / "audit.log"
    noted = "validation.policy.admission.k8s.io/validation_failure"
    live.eventually(lambda: noted in log.read_text() and RULE in log.read_text(), "the audit log tells of it too")


def excepted(expires: datetime.date) -> list[PolicyException]:
    return [
        PolicyException(
            rule=RULE, kind="Deployment", namespace=APART, name="web", owner="test", reason="test", expires=expires
        )
    ]


def test_an_exception_lets_one_workload_run_and_not_its_sibling(copies: Any) -> None:
    copies(exceptions=excepted(TODAY))
    live.eventually(lambda: f"{RULE}: " in answer(tagged("web-admin")), "the copies are in force")
    assert not taken(tagged("web-admin"))
    assert not taken(tagged("we"))
    assert taken(workload("other", APART)), "the control: what keeps the rule needs no exception"
    assert answer(tagged("web"), dry=False).startswith("taken")
    # its ReplicaSet and Pods are made by controllers, under other names
    live.kubectl("rollout", "status", "deployment/web", "-n", APART, "--timeout=90s")
    live.kubectl("delete", "deployment", "web", "-n", APART)


def test_an_exception_ends_with_its_last_day_without_a_deployment(copies: Any) -> None:
    copies(exceptions=excepted(TODAY - datetime.timedelta(days=1)))
    live.eventually(lambda: f"{RULE}: " in answer(tagged("web-admin")), "the copies are in force")
    assert not taken(tagged("web"))
