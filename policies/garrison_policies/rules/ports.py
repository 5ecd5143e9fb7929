"""Ports that say something about what listens there."""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.expr import All, Between, Either, Every, Is, Not
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import CONTAINERS, SERVICES
from garrison_policies.rules.examples import pod

_TCP = Is("protocol", ("TCP",), absent=True)
_SSH_SERVICE = Either(Is("port", (22,)), Is("targetPort", (22,)))

RULES = (
    Rule(
        id="ssh-port",
        title="nothing serves SSH: the API server is the way into a container, as it authorises and logs",
        severity=Severity.MEDIUM,
        remedy="remove the port and the SSH server",
        controls=("ports.ssh",),
        references=("NSA pod security", "OWASP K01"),
        checks=(
            Check(subject=CONTAINERS, at="ports", require=Every("ports", Not(All(Is("containerPort", (22,)), _TCP)))),
            Check(subject=SERVICES, at="spec.ports", require=Every("spec.ports", Not(All(_SSH_SERVICE, _TCP)))),
        ),
        good=pod(container="ports: [{containerPort: 8080}]"),
        bad=pod(container="ports: [{containerPort: 22}]"),
    ),
    Rule(
        id="privileged-port",
        title="a container listens on ports from 1024, so that it needs neither root nor a capability",
        severity=Severity.LOW,
        remedy="listen on a port of 1024 or more; the Service keeps the well-known one",
        controls=("ports.privileged",),
        references=("NSA pod security", "OWASP K01"),
        checks=(Check(subject=CONTAINERS, at="ports", require=Every("ports", Not(Between("containerPort", 1, 1023)))),),
        good=pod(container="ports: [{containerPort: 8443}]"),
        bad=pod(container="ports: [{containerPort: 443}]"),
        admission=False,
        why_not_admission="the runtimes let every user bind low ports (net.ipv4.ip_unprivileged_port_start is 0)",
    ),
)
