"""Who a pod is: to the API server (service accounts and their tokens) and on the node (user ids)."""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.expr import All, Between, Either, Is, Not, Predicate, Present
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import CONTAINERS, POD, SERVICE_ACCOUNTS
from garrison_policies.rules.conditions import USER_NAMESPACE, WINDOWS, inherited
from garrison_policies.rules.examples import pod

_MOUNT = "automountServiceAccountToken"
_ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: %s, namespace: shop}\n"


def _high(field: str) -> Predicate:
    """Above what distributions give to people and daemons of a node."""
    return Between(field, 10_000)


RULES = (
    Rule(
        id="token-automount",
        title="a pod says that it mounts no service account token",
        severity=Severity.MEDIUM,
        remedy="write automountServiceAccountToken: false; where the API is needed, project a token with an audience",
        controls=("sa.automount",),
        references=("CIS 5.1.6", "NSA authentication and authorization", "OWASP K01"),
        # Also when its service account says so: what a pod does not say, a change elsewhere can give it.
        checks=(Check(subject=POD, at=f"spec.{_MOUNT}", require=Is(f"spec.{_MOUNT}", (False,))),),
        good=pod(spec=f"{_MOUNT}: false"),
        bad=pod(),
    ),
    Rule(
        id="account-automount",
        title="a service account gives its token to no pod that does not ask for it",
        severity=Severity.LOW,
        remedy="write automountServiceAccountToken: false",
        controls=("sa.automount",),
        references=("CIS 5.1.6", "NSA authentication and authorization", "OWASP K01"),
        checks=(Check(subject=SERVICE_ACCOUNTS, at=_MOUNT, require=Is(_MOUNT, (False,))),),
        good=_ACCOUNT % "app" + f"{_MOUNT}: false\n",
        bad=_ACCOUNT % "app",
        admission=False,
        why_not_admission="the control plane makes service accounts too, and every pod has to say it itself",
    ),
    Rule(
        id="default-account",
        title="a pod has a service account of its own",
        severity=Severity.MEDIUM,
        remedy="make a ServiceAccount for the workload and name it in serviceAccountName",
        controls=("sa.default",),
        references=("CIS 5.1.5", "NSA authentication and authorization", "OWASP K03"),
        checks=(
            Check(
                subject=POD,
                at="spec.serviceAccountName",
                require=Either(
                    All(Present("spec.serviceAccountName"), Not(Is("spec.serviceAccountName", ("", "default")))),
                    All(  # its older name, which the API server still reads
                        Is("spec.serviceAccountName", ("",), absent=True),
                        Present("spec.serviceAccount"),
                        Not(Is("spec.serviceAccount", ("", "default"))),
                    ),
                ),
            ),
        ),
        good=pod(spec="serviceAccountName: app"),
        bad=pod(),
    ),
    Rule(
        id="high-user-id",
        title="a container runs as a user id from 10000, which no user of the node has",
        severity=Severity.LOW,
        remedy="write a securityContext.runAsUser of 10000 or more",
        controls=("user.high_uid",),
        references=("CIS 5.2.7", "NSA pod security", "OWASP K01"),
        checks=(
            Check(
                subject=CONTAINERS,
                at="securityContext.runAsUser",
                require=Either(WINDOWS, USER_NAMESPACE, inherited("runAsUser", _high)),
            ),
        ),
        good=pod(spec="securityContext: {runAsUser: 10001}"),
        bad=pod(spec="securityContext: {runAsUser: 1000}"),
        admission=False,
        why_not_admission="images of others bring their own user, and run-as-non-root is what protects",
    ),
)
