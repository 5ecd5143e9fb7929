"""Reading the API server's refusals: what to retry, what means replace, what is final."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plugin.errors import ApiError, KindMissing, PluginError, Unreachable
from harness.plugin.retry import BeingDeleted, Job, patience


def refusal(code: int, message: str, reason: str = "", **details: Any) -> ApiError:
    return ApiError(code, {"message": message, "reason": reason, "details": details})


STARTING = (
    'Internal error occurred: failed calling webhook "webhook.cert-manager.io": failed to call '
    'webhook: Post "https://cert-manager-webhook.cert-manager.svc:443/validate": '
)
TRANSIENT = [
    refusal(500, STARTING + "dial tcp 10.96.0.7:443: connect: connection refused"),
    refusal(500, STARTING + "x509: certificate signed by unknown authority"),
    refusal(500, STARTING + "context deadline exceeded"),
    refusal(500, STARTING + 'no endpoints available for service "cert-manager-webhook"'),
    refusal(409, "the object has been modified; please apply your changes", "Conflict"),
    refusal(429, "too many requests"),
    refusal(503, "the server is currently unable to handle the request"),
    refusal(403, "unable to create new content in namespace a because it is being terminated"),
]
FINAL = [
    refusal(422, "spec.replicas: Invalid value: -1", "Invalid"),
    refusal(403, "exceeded quota: pods", "Forbidden"),
    refusal(400, 'admission webhook "a" denied the request: no', "BadRequest"),
    refusal(500, 'failed calling webhook "a": unexpected response code'),
    refusal(
        409,
        "Apply failed with 1 conflict",
        "Conflict",
        causes=[{"reason": "FieldManagerConflict", "message": 'conflict with "other"'}],
    ),
]
JOB = Job("urn", {}, "me", 600.0)


@pytest.mark.parametrize("problem", TRANSIENT, ids=lambda p: p.text[-40:])
def test_what_passes_is_tried_again(problem: ApiError) -> None:
    assert problem.transient
    assert patience(problem, JOB, declared=False) > 0


@pytest.mark.parametrize("problem", FINAL, ids=lambda p: p.text[-40:])
def test_what_does_not_pass_is_reported_at_once(problem: ApiError) -> None:
    assert not problem.transient
    assert patience(problem, JOB, declared=True) == 0


@pytest.mark.parametrize(
    "problem",
    [KindMissing("a/v1", "B"), refusal(404, 'namespaces "a" not found', kind="namespaces")],
)
def test_what_the_program_declares_is_waited_for_and_the_rest_not_long(
    problem: PluginError,
) -> None:
    assert patience(problem, JOB, declared=True) == JOB.timeout
    assert 0 < patience(problem, JOB, declared=False) < 60
    assert patience(Unreachable("gone"), JOB, declared=True) < 60
    assert patience(BeingDeleted("x"), JOB, declared=False) == JOB.timeout


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (422, "Invalid value: field is immutable"),
        (422, "Invalid value: may not change once set"),
        (422, "Forbidden: updates to parameters are forbidden."),
        (422, "Invalid value: cannot change roleRef"),
        (422, "Forbidden: pod updates may not change fields other than `image`"),
    ],
)
def test_immutable_fields_are_recognised(code: int, message: str) -> None:
    found = refusal(code, message, "Invalid", causes=[{"message": message, "field": "spec.x"}])
    assert found.immutable_fields == ["spec.x"]


def test_an_ordinary_mistake_is_no_immutable_field() -> None:
    cause = {"message": "Invalid value: must be positive", "field": "spec.replicas"}
    assert refusal(422, "x", "Invalid", causes=[cause]).immutable_fields == []


def test_the_other_owners_of_a_conflict_are_named() -> None:
    assert FINAL[-1].conflicts == ["other"]
    assert FINAL[-1].field_conflict
