"""What follows from the facts of a cluster: settings, and what is in the way. Pure."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from garrison import kube
from garrison.cluster import Dns
from garrison.cluster.ranges import resolver_range_problems
from garrison.defaults import DEPLOYERS, ISSUER, ISSUER_NAMESPACE, TRUST_BUNDLE
from garrison.doctor.facts import Facts, public
from garrison.findings import Finding, Severity
from garrison.settings import PREFIX

MEASURE = "run `garrison doctor --live`, which measures it"


@dataclass(frozen=True)
class Setting:
    """One setting that is not its default here, and why."""

    key: str
    value: Any
    why: str


def settings(facts: Facts) -> Iterator[Setting]:
    """What a stack on this cluster has to say, in the order of docs/settings.md."""
    yield from _platform(facts)
    if facts.api_server:
        why = "what default/kubernetes leads to, and its own address; a managed control plane moves within its subnets"
        yield Setting("apiServer", [str(ipaddress.ip_network(one)) for one in facts.api_server], why)
    if facts.storage and not facts.default_storage:
        why = f"no class is the default; there {'is' if len(facts.storage) == 1 else 'are'} {', '.join(facts.storage)}"
        yield Setting("storageClass", facts.storage[0], why)
    if facts.others and not facts.garrisons:  # where it is ours already, nothing narrower is proposed
        yield Setting("admissionScope", "estate", f"other things live here: {', '.join(facts.others)}")
    if facts.who and not {*facts.who} & {*DEPLOYERS}:
        yield Setting("deployers", [facts.who[0]], "who asks here; better a group")
    yield from _names(facts)
    if closed := public([*facts.nodes, *facts.pods]):
        why = "public addresses of nodes and pods, which a host outside must never lead to"
        yield Setting("egressClosed", [str(ipaddress.ip_network(one)) for one in closed], why)
    if facts.systems:
        yield Setting("systemNamespaces", list(facts.systems), "what the cluster itself runs")


def _platform(facts: Facts) -> Iterator[Setting]:
    if facts.cert_manager and not facts.garrisons:
        yield Setting("installCertManager", False, f"cert-manager is in {facts.cert_manager}")
        others = [one for one in facts.issuers if one != ISSUER]
        if others:
            more = f"; also ready: {', '.join(others[1:])}" if others[1:] else ""
            yield Setting("issuer", others[0], f"a ClusterIssuer that is ready{more}")
    if facts.trust_manager and not facts.garrisons:
        yield Setting("installTrustManager", False, f"trust-manager is in {facts.trust_manager}")


def _names(facts: Facts) -> Iterator[Setting]:
    if (found := facts.resolver) is None:
        return
    where = f"{found.namespace}/{found.service}"
    if found.labels and found.namespace != Dns.namespace:
        yield Setting("dnsNamespace", found.namespace, f"the pods behind {where}")
    if found.labels != Dns.labels:
        said = f"the pods behind {where}" if found.labels else f"no pods answer for {where}"
        yield Setting("dnsLabels", dict(found.labels), said)
    if ranges := [one for one in found.ranges if not [*resolver_range_problems("", one)]]:
        said = "a cache on each node, and the Service it answers for" if found.caches else f"what answers for {where}"
        yield Setting("dnsRanges", ranges, said)
    if found.port != Dns.port:
        yield Setting("dnsPort", found.port, f"where the pods behind {where} listen")


def block(facts: Facts) -> str:
    """The settings as lines of a stack's file, each with its reason."""
    lines = ["config:"]
    for one in settings(facts):
        value = one.value if isinstance(one.value, str) else json.dumps(one.value)
        lines += [f"  # {one.why}", f"  {PREFIX}{one.key}: {value}"]
    return "\n".join(lines if lines[1:] else ["config: {}  # the defaults fit"]) + "\n"


def findings(facts: Facts) -> Iterator[Finding]:
    """What is missing, or not known."""
    if old := kube.too_old(facts.version):
        what, _, remedy = old.partition("; ")
        yield _found("kubernetes-version", Severity.CRITICAL, what, remedy)
    if facts.resolver is None:
        what = "no Service of the cluster answers names by a name that is known here"
        yield _found("resolver-unknown", Severity.MEDIUM, what, "set dnsNamespace and dnsLabels, or dnsRanges")
    for cidr in facts.resolver.ranges if facts.resolver else ():
        for problem in resolver_range_problems("dnsRanges", cidr):
            what = f"names are answered at {problem.what}, and no pod may be let out there"
            yield _found("resolver-refused", Severity.MEDIUM, what, "use a resolver with an address of its own")
    if not facts.storage:
        what = "there is no storage class, so databases and the secret store get no volume"
        yield _found("storage-class-missing", Severity.MEDIUM, what, "install a volume provisioner")
    yield from _of_issuing(facts)
    for name in facts.networks or ("a network that is not known here",):
        how = f"{name}; whether network policies are enforced is not known from this"
        yield _found("enforcement-unmeasured", Severity.LOW, how, MEASURE)
    for one in facts.unread:
        yield _found("unread", Severity.MEDIUM, one, "ask as somebody who may list it")


def _of_issuing(facts: Facts) -> Iterator[Finding]:
    if not facts.cert_manager or facts.garrisons:
        return
    if facts.cert_manager != ISSUER_NAMESPACE:
        what = f"cert-manager is in {facts.cert_manager}, and admission expects its account in {ISSUER_NAMESPACE}"
        yield _found("cert-manager-elsewhere", Severity.HIGH, what, f"move it to {ISSUER_NAMESPACE}")
    if not facts.issuers:
        what = "cert-manager is there, and no ClusterIssuer of it is ready"
        yield _found("issuer-missing", Severity.MEDIUM, what, "make one, and name it with `issuer`")
    if not facts.bundle:
        what = f"there is no Bundle {TRUST_BUNDLE}: pods would not know whom to trust"
        yield _found("trust-bundle-missing", Severity.MEDIUM, what, "make it as docs/settings.md says at `issuer`")


def _found(rule: str, severity: Severity, message: str, remedy: str) -> Finding:
    return Finding(rule=rule, severity=severity, file="", message=message, remedy=remedy)
