"""Admission policies on a real API server, from when it keeps to all of them until it keeps to none.

The server learns of policies and of bindings one after the other, in the order in which they were made, and reads them
anew about once a second. That one of them refuses says nothing of the next: a policy of our own, made last, does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from garrison.manifest import Manifest
from harness.plugin.errors import ApiError
from harness.plugin.testing.apiserver import ControlPlane
from servers.proxies import eventually

PATIENCE = 60  # seconds; it takes about one
_API = "admissionregistration.k8s.io/v1"
_NAME = "made-last.test"
# Of a kind that no policy of the project reads.
_ASKED: Manifest = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": _NAME}, "handler": "x"}
_LAST: tuple[Manifest, Manifest] = (
    {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": _NAME},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["node.k8s.io"],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["runtimeclasses"],
                        "resourceNames": [_NAME],
                    }
                ]
            },
            "validations": [{"expression": "false", "message": "made last"}],
        },
    },
    {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": _NAME},
        "spec": {"policyName": _NAME, "validationActions": ["Deny"]},
    },
)


@contextmanager
def in_force(plane: ControlPlane, made: Iterable[Manifest]) -> Iterator[None]:
    """Everything that is made, known to the server; gone again afterwards, and known to be."""
    every = (*made, *_LAST)
    for item in every:
        plane.api.apply(item, "test")
    eventually(lambda: _refused(plane), "the policies are in force", PATIENCE)
    yield
    for item in every:
        plane.api.delete(item, "Background")
    eventually(lambda: not _refused(plane), "the policies are gone", PATIENCE)


def _refused(plane: ControlPlane) -> bool:
    try:
        plane.api.apply(_ASKED, "test", dry_run=True)
    except ApiError as refusal:
        return "made last" in str(refusal)
    return False
