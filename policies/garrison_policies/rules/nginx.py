r"""ingress-nginx: annotations and paths that it writes into its configuration, and with which one leaves it.

Who may write an Ingress has more than once become who reads every secret of the cluster: by snippets (CVE-2021-25742,
CVE-2023-5044), paths (CVE-2021-25745, CVE-2022-4886), values (CVE-2021-25746, CVE-2023-5043, CVE-2024-7646) and in
2025 by URLs and names in auth-url, auth-tls-match-cn and the mirror annotations (CVE-2025-24514, CVE-2025-1097,
CVE-2025-1098; with CVE-2025-1974, IngressNightmare). Later controllers refuse these; the rules do not depend on it.
"""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.expr import All, Either, Entries, Every, Is, Matches, Not
from garrison_policies.language.rule import Check, Rule, Subject
from garrison_policies.language.subjects import CONFIG_MAPS, INGRESSES

_PREFIX = r"^nginx\.(ingress\.kubernetes\.io|org)/"
_INGRESS_NGINX = r"^nginx\.ingress\.kubernetes\.io/"
# What ends a directive, a quoted word or the line of one does not stand in a value; a variable of nginx (${host}) does.
_VALUE = r"^([^{};\"'\x60]|\$\{[A-Za-z0-9_]*\})*$"
# Addresses over several lines, and whatever else is made of such characters.
_ADDRESSES = r"^[0-9A-Fa-f.:/,\s]*$"
_COMMENT = r"(^|\s)#|\\$"
# What ingress-nginx' own inspector and its recommended word list refuse: directives, and places that matter.
_WORDS = (
    r"_by_lua|lua_package|load_module|proxy_pass|serviceaccount|/run/secrets|/etc/(passwd|shadow|group|nginx)"
    r"|(^|[\s;])(alias|root|location|include)\s"
)
# F5's controller separates its own words by `;`.
_F5 = r"^nginx\.org/"
_DIRECTIVES = r"[{}]|[\r\n]\s*[^\s]|" + _WORDS
# The prefix of the annotations is a flag of the controller, so under any other they may not hold a directive either.
_ANYWHERE = r"_by_lua|lua_package|load_module|(^|[\s;{])(alias|root|proxy_pass)\s[^;]{0,500};"
# RFC 3986 without what ends a word or a directive in nginx, with the variables of nginx ($host). No fragment: `#`
# starts a comment.
_URL = r"^[A-Za-z0-9._~:/?@!\x24&()*+,=%\[\]-]*$"
_COMMON_NAME = r"^CN=[A-Za-z0-9/._~:*-]*$"
# Places in the controller's own file system, and words that break out of `location`.
_PLACES = (
    r"^/(etc|root|proc)(/|$)|/run/(secrets|kubernetes)|serviceaccount|/etc/kubernetes|\.\./"
    r"|(alias|root|_by_lua)\s"
)
# The controller quotes paths: braces after something are a number of repetitions, and nothing else.
_PATH = r"^([^\s;\"'\x60{}#]|[^\s;\"'\x60{}#(|]\{[0-9]+(,[0-9]*)?\})*$"

RULES = (
    Rule(
        id="nginx-snippet",
        title="an Ingress brings no nginx configuration of its own",
        severity=Severity.CRITICAL,
        remedy="remove the snippet annotations; set allow-snippet-annotations to false in the controller's ConfigMap",
        controls=("ingress.nginx_injection",),
        references=("CVE-2021-25742", "CVE-2023-5044", "NSA network separation", "OWASP K01"),
        checks=(
            Check(
                subject=INGRESSES,
                at="metadata.annotations",
                require=Entries("metadata.annotations", _PREFIX + "[a-z-]*snippets?$"),
            ),
            Check(
                subject=CONFIG_MAPS,
                at="data.allow-snippet-annotations",
                require=Not(Is(("data", "allow-snippet-annotations"), ("true",))),
            ),
        ),
        good="""
            apiVersion: networking.k8s.io/v1
            kind: Ingress
            metadata: {name: orders, annotations: {nginx.ingress.kubernetes.io/proxy-body-size: 1m}}
            spec: {defaultBackend: {service: {name: orders, port: {number: 8080}}}}
        """,
        bad="""
            apiVersion: networking.k8s.io/v1
            kind: Ingress
            metadata: {name: orders, annotations: {nginx.ingress.kubernetes.io/server-snippet: "return 200;"}}
            spec: {defaultBackend: {service: {name: orders, port: {number: 8080}}}}
        """,
    ),
    Rule(
        id="nginx-annotation",
        title="an annotation for nginx holds a value, not configuration",
        severity=Severity.CRITICAL,
        remedy="remove braces, line ends and directives; URLs and names hold only what such a name may hold",
        controls=("ingress.nginx_injection",),
        references=("CVE-2021-25746", "CVE-2025-1097", "CVE-2025-1098", "CVE-2025-24514", "CVE-2025-1974", "OWASP K01"),
        checks=tuple(
            Check(subject=INGRESSES, at="metadata.annotations", require=require)
            for require in (
                Entries(
                    "metadata.annotations",
                    _INGRESS_NGINX,
                    Either(Matches("", _ADDRESSES), All(Matches("", _VALUE), Not(Matches("", f"{_COMMENT}|{_WORDS}")))),
                ),
                Entries("metadata.annotations", _F5, Not(Matches("", _DIRECTIVES))),
                Entries("metadata.annotations", "", Not(Matches("", _ANYWHERE))),
                Entries(
                    "metadata.annotations", _PREFIX + "(auth-url|auth-signin|mirror-(target|host))$", Matches("", _URL)
                ),
                Entries("metadata.annotations", _PREFIX + "auth-tls-match-cn$", Matches("", _COMMON_NAME)),
            )
        ),
        good="""
            apiVersion: networking.k8s.io/v1
            kind: Ingress
            metadata: {name: orders, annotations: {nginx.ingress.kubernetes.io/auth-url: "https://login.example/auth"}}
            spec: {defaultBackend: {service: {name: orders, port: {number: 8080}}}}
        """,
        bad="""
            apiVersion: networking.k8s.io/v1
            kind: Ingress
            metadata: {name: orders, annotations: {nginx.ingress.kubernetes.io/auth-url: "https://login.example/#;x"}}
            spec: {defaultBackend: {service: {name: orders, port: {number: 8080}}}}
        """,
    ),
    Rule(
        id="ingress-path",
        title="the paths of an Ingress are paths of an application",
        severity=Severity.HIGH,
        remedy="remove blanks, quotes, braces and `;` from the path, and places of the controller's own file system",
        controls=("ingress.nginx_injection",),
        references=("CVE-2021-25745", "CVE-2022-4886", "OWASP K01"),
        checks=(
            Check(
                subject=Subject(kinds=INGRESSES.kinds, each=("spec.rules",)),
                at="http.paths",
                require=Every("http.paths", All(Matches("path", _PATH, absent=True), Not(Matches("path", _PLACES)))),
            ),
        ),
        good="""
            apiVersion: networking.k8s.io/v1
            kind: Ingress
            metadata: {name: orders}
            spec:
              defaultBackend: &b {service: {name: orders, port: {number: 8080}}}
              rules:
              - host: orders.example
                http: {paths: [{path: "/orders(/|$)(.*)", pathType: ImplementationSpecific, backend: *b}]}
        """,
        bad="""
            apiVersion: networking.k8s.io/v1
            kind: Ingress
            metadata: {name: orders}
            spec:
              defaultBackend: &b {service: {name: orders, port: {number: 8080}}}
              rules:
              - host: orders.example
                http: {paths: [{path: /var/run/secrets/kubernetes.io, pathType: Prefix, backend: *b}]}
        """,
    ),
)
