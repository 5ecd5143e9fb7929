"""Ingresses, namespaces, meshes and ConfigMaps."""

from __future__ import annotations

from policies.written import APP, HTTP, TLS, Pair, config, host, ingress, nginx, written

PAIRS: list[Pair] = [
    ("ingress.tls", "none", ingress(f"{host('a.example')}, {TLS}"), ingress(host("a.example"))),
    (
        "ingress.tls",
        "another host",
        ingress(f"{host('a.example')}, tls: [{{secretName: all}}]"),
        ingress(f"{host('b.example')}, {TLS}"),
    ),
    (
        "ingress.tls",
        "wildcard",
        ingress(f"{host('a.b.example')}, tls: [{{hosts: ['*.b.example']}}]"),
        ingress(f"{host('a.c.b.example')}, tls: [{{hosts: ['*.b.example']}}]"),
    ),
    (
        "ingress.tls",
        "plain HTTP as well",
        ingress(f"{host('a.example')}, {TLS}", "kubernetes.io/ingress.allow-http: 'false'"),
        ingress(f"{host('a.example')}, {TLS}", "kubernetes.io/ingress.allow-http: 'true'"),
    ),
    ("ingress.wildcard_host", "wildcard", ingress(host("a.example")), ingress(host("*.example"))),
    ("ingress.wildcard_host", "no host", ingress(host("a.example")), ingress(f"rules: [{{{HTTP}}}]")),
    ("ingress.wildcard_host", "empty host", ingress(host("a.example")), ingress(host(""))),
    (
        "ingress.wildcard_host",
        "everything else",
        ingress(host("a.example")),
        ingress("defaultBackend: {service: {name: service}}"),
    ),
    (
        "ingress.nginx_injection",
        "snippet",
        nginx("proxy-body-size", "1m"),
        nginx("configuration-snippet", "return 200;"),
    ),
    (
        "ingress.nginx_injection",
        "lua",
        nginx("rewrite-target", "/$1"),
        nginx("rewrite-target", "/x; content_by_lua_block"),
    ),
    ("ingress.nginx_injection", "directive", nginx("app-root", "/root"), nginx("app-root", "/x; root /etc")),
    (
        "ingress.nginx_injection",
        "variables",
        nginx("auth-signin", "https://$host/oauth2/start?rd=$escaped_request_uri"),
        nginx("auth-signin", "https://$host/;load_module x"),
    ),
    (
        "ingress.nginx_injection",
        "common name",
        nginx("auth-tls-match-cn", "CN=orders.example"),
        nginx("auth-tls-match-cn", "CN=x #(\\n){}"),
    ),
    (
        "ingress.nginx_injection",
        "path",
        ingress(host("a.example", "/items/[0-9]+(/|$)(.*)")),
        ingress(host("a.example", "/x; return 200")),
    ),
    (
        "ingress.nginx_injection",
        "the controller's files",
        ingress(host("a.example", "/etcetera")),
        ingress(host("a.example", "/etc/passwd")),
    ),
    (
        "ingress.nginx_injection",
        "allowed to all",
        config("allow-snippet-annotations: 'false'"),
        config("allow-snippet-annotations: 'true'"),
    ),
    (
        "psa.namespace_label",
        "level",
        written("Namespace", "a: b", more=", labels: {pod-security.kubernetes.io/enforce: baseline}"),
        written("Namespace", "a: b", more=", labels: {pod-security.kubernetes.io/enforce: privileged}"),
    ),
    (
        "psa.namespace_label",
        "warning only",
        written("Namespace", "a: b", more=", labels: {pod-security.kubernetes.io/enforce: restricted}"),
        written("Namespace", "a: b", more=", labels: {pod-security.kubernetes.io/warn: restricted}"),
    ),
    (
        "mesh.injection",
        "none",
        written("Namespace", "a: b", more=", labels: {istio-injection: enabled}"),
        written("Namespace", "a: b"),
    ),
    (
        "mesh.injection",
        "linkerd",
        written("Namespace", "a: b", more=", annotations: {linkerd.io/inject: enabled}"),
        written("Namespace", "a: b", more=", annotations: {linkerd.io/inject: disabled}"),
    ),
    (
        "mesh.injection",
        "pod",
        written("Pod", f"spec: {APP}", more=", annotations: {sidecar.istio.io/inject: 'true'}"),
        written("Pod", f"spec: {APP}", more=", annotations: {sidecar.istio.io/inject: 'false'}"),
    ),
    (
        "mesh.mtls_strict",
        "mode",
        written("PeerAuthentication", "spec: {mtls: {mode: UNSET}}"),
        written("PeerAuthentication", "spec: {mtls: {mode: DISABLE}}"),
    ),
    (
        "mesh.mtls_strict",
        "port",
        written("PeerAuthentication", "spec: {mtls: {mode: STRICT}}"),
        written("PeerAuthentication", "spec: {mtls: {mode: STRICT}, portLevelMtls: {'8080': {mode: PERMISSIVE}}}"),
    ),
    ("secret.configmap_plaintext", "value", config("password: ''"), config("password: hunter2")),
    (
        "secret.configmap_plaintext",
        "variable",
        config("env: 'DB_PASSWORD=${DB_PASSWORD}'"),
        config("env: 'DB_PASSWORD=hunter2'"),
    ),
    (
        "secret.configmap_plaintext",
        "about a secret",
        config("PASSWORD_FILE: /run/secrets/password"),
        config("PASSWORD: swordfish"),
    ),
    (
        "secret.configmap_plaintext",
        "YAML inside",
        config('c: "database:\\n  passwordFile: /run/x\\n  token_ttl: 3600\\n"'),
        config('c: "database:\\n  password: hunter2\\n"'),
    ),
    (
        "secret.configmap_plaintext",
        "JSON inside",
        config('c: \'{"url": "https://a.example"}\''),
        config('c: \'{"api_key": "0123456789"}\''),
    ),
    (
        "secret.configmap_plaintext",
        "key",
        config("k: '-----BEGIN CERTIFICATE-----'"),
        config("k: '-----BEGIN RSA PRIVATE KEY-----'"),
    ),
    (
        "secret.configmap_plaintext",
        "address",
        config("url: postgres://db.example/shop"),
        config("url: postgres://shop:hunter2@db.example/shop"),
    ),
    (
        "ingress.nginx_injection",
        "another prefix",
        ingress("ingressClassName: nginx", "my.example/config: '{a: [root]}'"),
        ingress("ingressClassName: nginx", "my.example/rewrite-target: '/x; alias /data/;'"),
    ),
    ("ingress.nginx_injection", "braces", nginx("server-alias", "a.example"), nginx("server-alias", "a.example {")),
    ("secret.configmap_plaintext", "how long it lives", config("TOKEN_TTL: 15m"), config("TOKEN: 15m")),
]
