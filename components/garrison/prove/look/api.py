"""Questions to the API server: what a service account may do, and which objects a namespace would take."""

from __future__ import annotations

import json
from collections.abc import Sequence

from garrison import defaults as d
from garrison.kube import documents
from garrison.manifest import Manifest
from garrison.prove.judge import refusal
from garrison.prove.kubectl import Kubectl, as_list
from garrison.prove.look import pods
from garrison.prove.model import FREE, Admit, Kind, Probe, Review, Seen
from garrison.words import Ref


def reviews(kubectl: Kubectl, probes: Sequence[Probe]) -> list[Seen]:
    """SubjectAccessReviews (nothing is stored by them), all in one go."""
    answer = kubectl.run("create", "--output=json", "--filename=-", stdin=as_list(map(_review, probes)))
    return [_reviewed(review) for review in documents(answer)]


def admission(kubectl: Kubectl, probe: Probe, image: str) -> Seen:
    """Whether the operator could create the object."""
    return taken(kubectl, _object(probe, image))


def taken(kubectl: Kubectl, item: Manifest, *options: str) -> Seen:
    """A dry run of creating the object: everything is checked, nothing is kept."""
    flags = (*options, "--dry-run=server", "--output=name", "--filename=-")
    code, _, error = kubectl.attempt("create", *flags, stdin=json.dumps(item))
    if not code:
        return Seen("allowed", None, "the API server would take it")
    return refusal.said(error)


def _review(probe: Probe) -> Manifest:
    assert isinstance(probe.attempt, Review)
    account = probe.source.ref
    resource, _, subresource = probe.attempt.resource.partition("/")
    asked = {"verb": probe.attempt.verb, "resource": resource, "subresource": subresource}
    asked |= {"group": probe.attempt.group, "name": probe.attempt.name}
    asked |= {"namespace": probe.attempt.namespace or account.namespace}
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{account.namespace}", "system:authenticated"]
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{account.namespace}:{account.name}",
            "groups": groups,
            "resourceAttributes": asked,
        },
    }


def _reviewed(review: Manifest) -> Seen:
    status = review["status"]
    if status.get("evaluationError"):
        return Seen("error", None, str(status["evaluationError"]))
    if status["allowed"]:
        return Seen("allowed", None, str(status.get("reason", "")))
    return Seen("refused", "rbac", "no role grants it")


def _object(probe: Probe, image: str) -> Manifest:
    assert isinstance(probe.attempt, Admit)
    where = Ref(probe.target.namespace, "garrison-probe-admission")
    if probe.attempt.what == Kind.NODE_PORT:
        meta = {"name": where.name, "namespace": where.namespace}
        spec = {"type": "NodePort", "selector": {d.NAME: "nobody"}, "ports": [{"port": 80}]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
    pod = pods.stand_in(FREE, where, run="dry-run", image=image)
    if probe.attempt.what == Kind.PRIVILEGED_POD:
        pod["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    return pod
