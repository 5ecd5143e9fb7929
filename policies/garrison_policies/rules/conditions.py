"""How rules speak of security contexts, which a pod has and each of its containers, and where they mean nothing."""

from __future__ import annotations

from collections.abc import Callable

from garrison_policies.language.expr import All, Either, Is, Not, Predicate, Present, Whole
from garrison_policies.language.rule import Check
from garrison_policies.language.subjects import CONTAINERS, POD

# Linux settings are refused by the API on a Windows pod; Pod Security has not asked for them there since 1.25.
WINDOWS = Whole(Is("spec.os.name", ("windows",)))
# Root in a user namespace is nobody on the node. Pod Security has honoured it since 1.35 (KEP-127).
USER_NAMESPACE = Whole(Is("spec.hostUsers", (False,)))

Test = Callable[[str], Predicate]  # of the setting's path


def everywhere(setting: str, test: Test, at: str = "") -> tuple[Check, Check]:
    """`test` of a setting in the pod's security context and in each container's. A finding points at it, or at `at`."""
    context, field = "securityContext", f"securityContext.{at or setting}"
    return (
        Check(subject=POD, at=f"spec.{field}", require=test(f"spec.{context}.{setting}")),
        Check(subject=CONTAINERS, at=field, require=test(f"{context}.{setting}")),
    )


def inherited(setting: str, test: Test) -> Predicate:
    """`test` of a setting of the security context, which a container takes from its pod where it has none itself."""
    own = f"securityContext.{setting}"
    return Either(test(own), All(Not(Present(own)), Whole(test(f"spec.{own}"))))
