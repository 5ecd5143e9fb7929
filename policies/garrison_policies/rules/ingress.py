"""Ingresses: TLS for every host, and every host by its name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from garrison.findings import Severity
from garrison_policies.language.expr import All, Is, Matches, Not, Path, Predicate, Present, get, literal, regex
from garrison_policies.language.rule import Check, Rule, Subject
from garrison_policies.language.subjects import INGRESSES
from garrison_policies.rules.network import empty

_WILDCARD = r"^[*]\.[A-Za-z0-9.-]+$"


@dataclass(frozen=True)
class HasCertificate:
    """The host of a rule (`it`) stands in a TLS section of the Ingress (`whole`); a section without hosts is for all.

    A wildcard stands for one label: `^[^.]` before `*.shop.example` makes the regular expression that says so.
    """

    def holds(self, it: Any, whole: Any) -> bool:
        host = get(it, "host")
        return any(
            not section.get("hosts") or any(self._covers(one, host) for one in section["hosts"])
            for section in self._sections(whole)
        )

    def _covers(self, one: Any, host: Any) -> bool:
        if not isinstance(host, str) or not isinstance(one, str):
            return False
        return one == host or bool(regex(_WILDCARD).search(one) and regex(f"^[^.]{one}$").search(host))

    def _sections(self, whole: Any) -> Iterator[Any]:
        found = get(whole, "spec.tls")
        yield from (one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        section, one = f"s{depth}", f"h{depth}"
        wildcard = f'{one}.matches({literal(_WILDCARD)}) && {it}.host.matches("^[^.]" + {one} + "$")'
        covers = f"has({it}.host) && {section}.hosts.exists({one}, {one} == {it}.host || ({wildcard}))"
        any_host = f"!has({section}.hosts) || size({section}.hosts) == 0"
        return f"(has({whole}.spec.tls) && {whole}.spec.tls.exists({section}, {any_host} || ({covers})))"


def annotated(name: str, *values: str) -> Predicate:
    path: Path = ("metadata", "annotations", name)
    return Is(path, values)


_RULES = Subject(kinds=INGRESSES.kinds, each=("spec.rules",))


def _ingress(rule: str, tls: str = "", more: str = "") -> str:
    return f"""
            apiVersion: networking.k8s.io/v1
            kind: Ingress
            metadata: {{name: orders, namespace: shop}}
            spec:
              rules: [{{{rule}http: {{paths: [{{path: /, pathType: Prefix,
                backend: {{service: {{name: orders, port: {{number: 443}}}}}}}}]}}}}]{tls}{more}
    """


_HOST = "host: orders.example, "
_TLS = "\n              tls: [{hosts: [orders.example], secretName: orders-tls}]"

RULES = (
    Rule(
        id="ingress-tls",
        title="an Ingress serves every host over TLS, and only so",
        severity=Severity.HIGH,
        remedy="name every host in spec.tls; remove annotations that allow plain HTTP",
        controls=("ingress.tls",),
        references=("NSA network separation", "OWASP K07"),
        checks=(
            Check(subject=INGRESSES, at="spec.tls", require=Not(empty("spec.tls"))),
            Check(subject=_RULES, at="host", require=HasCertificate()),
            Check(
                subject=INGRESSES,
                at="metadata.annotations",
                require=All(
                    Not(annotated("kubernetes.io/ingress.allow-http", "true")),
                    Not(annotated("nginx.ingress.kubernetes.io/ssl-redirect", "false")),
                ),
            ),
        ),
        good=_ingress(_HOST, _TLS),
        bad=_ingress(_HOST),
    ),
    Rule(
        id="ingress-host",
        title="an Ingress names its hosts: no wildcard, no catch-all",
        severity=Severity.MEDIUM,
        remedy="write every host out, and no defaultBackend: else it answers for names that are somebody else's",
        controls=("ingress.wildcard_host",),
        references=("NSA network separation", "OWASP K07"),
        checks=(
            Check(subject=_RULES, at="host", require=Matches("host", "^[^*]+$")),
            Check(subject=INGRESSES, at="spec.defaultBackend", require=Not(Present("spec.defaultBackend"))),
            Check(subject=INGRESSES, at="spec.backend", require=Not(Present("spec.backend"))),
        ),
        good=_ingress(_HOST, _TLS),
        bad=_ingress("host: '*.example', ", "\n              tls: [{hosts: ['*.example'], secretName: all-tls}]"),
    ),
    Rule(
        id="virtual-service-host",
        title="a VirtualService names its hosts: no wildcard",
        severity=Severity.MEDIUM,
        remedy="write every host out: else it answers for names that are somebody else's",
        controls=("ingress.wildcard_host",),
        references=("NSA network separation", "OWASP K07"),
        checks=(
            Check(
                subject=Subject(kinds=("VirtualService",), each=("spec.hosts",), words=True),
                require=Not(Matches("", r"\*")),
            ),
        ),
        admission=False,
        why_not_admission="an opinion on another product's objects",
        good="""
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: orders, namespace: shop}
            spec: {hosts: [orders.example]}
        """,
        bad="""
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: orders, namespace: shop}
            spec: {hosts: ["*"]}
        """,
    ),
)
