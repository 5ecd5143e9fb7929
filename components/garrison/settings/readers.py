"""One reader for each kind of setting: the text, or a ValueError that says what to write instead."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from garrison.cluster import EVERYBODY, SCOPES, Issuer, Store
from garrison.cluster import store as stores
from garrison.cluster.issuer import problems as issuer_problems
from garrison.cluster.ranges import (
    allowed_range_problems,
    closed_range_problems,
    issuer_range_problems,
    range_problems,
    resolver_range_problems,
)
from garrison.errors import Problem
from garrison.settings.authorities import authorities
from garrison.settings.charts import read_charts, read_values

T = TypeVar("T")


def _switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("write true or false")
    return text == "true"


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", text):
        raise ValueError("write a Kubernetes name: lower case letters, digits, '-' and '.'")
    return text


def _issuer(*, identities: bool) -> Callable[[str], str | Issuer]:
    """A name alone, or an object with the fields of an Issuer."""

    def read(text: str) -> str | Issuer:
        if not text.startswith("{"):
            return _name(text)
        try:
            said = json.loads(text)
        except ValueError:
            said = None
        known = {one.name for one in fields(Issuer)}
        if not isinstance(said, dict) or set(said) - known:
            raise ValueError(f"write a name, or an object of {', '.join(sorted(known))}")
        issuer = Issuer.read(said)
        for problem in issuer_problems("", issuer, identities=identities):
            raise ValueError(f"{problem.what}; {problem.remedy}")
        return issuer

    return read


def _quantity(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]*(Mi|Gi|Ti)", text):
        raise ValueError("write a size such as 1Gi")
    return text


def _address(text: str) -> str:
    if not re.fullmatch(r"https://[^/\s:]+(:[0-9]+)?", text):
        raise ValueError("write https://HOST:PORT and nothing behind it; plain http is refused")
    return text


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise ValueError("there is no such file")
    return Path(text)


def _person(text: str) -> str:
    if not re.fullmatch(r"(user|group):\S(.*\S)?", text):
        raise ValueError(f"{text!r} is not user:NAME or group:NAME, as `kubectl auth whoami` says them")
    if text.partition(":")[2] in EVERYBODY:
        raise ValueError(f"{text!r} is everybody; name who runs Pulumi")
    return text


def _each(reader: Callable[[str], T], example: str) -> Callable[[str], tuple[T, ...]]:
    def read_all(text: str) -> tuple[T, ...]:
        try:
            items = json.loads(text)
        except ValueError:
            raise ValueError(f"write a list such as {example}") from None
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise ValueError(f"write a list such as {example}")
        return tuple(reader(item) for item in items)

    return read_all


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,5}", text) or not least <= int(text) <= most:
            raise ValueError(f"write a whole number from {least} to {most}")
        return int(text)

    return read


def _entrance_service(text: str) -> str:
    if text not in ("LoadBalancer", "NodePort"):
        raise ValueError("write LoadBalancer or NodePort")
    return text


def _limits(text: str) -> str:
    if text not in ("local", "global"):
        raise ValueError("write local or global")
    return text


def _mode(text: str) -> str:
    if text not in ("deny", "warn"):
        raise ValueError("write deny or warn; there is no off")
    return text


def _scope(text: str) -> str:
    if text not in SCOPES:
        raise ValueError(f"write {', '.join(SCOPES)}")
    return text


def _labels(example: str, least: int = 0) -> Callable[[str], tuple[tuple[str, str], ...]]:
    def read(text: str) -> tuple[tuple[str, str], ...]:
        try:
            said = json.loads(text)
        except ValueError:
            said = None
        whole = isinstance(said, dict) and all(isinstance(value, str) and value and key for key, value in said.items())
        if not whole or len(said) < least:
            raise ValueError(f"write labels such as {example}")
        return tuple(sorted(said.items()))

    return read


def _issuer_range(text: str) -> str:
    for problem in issuer_range_problems("edgeIssuerRanges", text):
        raise ValueError(problem.remedy)
    return text


def _judged(problems: Callable[[str, str], Iterator[Problem]]) -> Callable[[str], str]:
    def read(text: str) -> str:
        for problem in problems("", text):
            raise ValueError(f"{problem.what}; {problem.remedy}")
        return str(ipaddress.ip_network(text))

    return read


def _authorities(text: str) -> tuple[tuple[str, Path], ...]:
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if not isinstance(said, dict) or not all(isinstance(file, str) for file in said.values()):
        raise ValueError('write hosts and files such as {"api.psp.example": "psp.pem"}')
    for file in said.values():
        if "-----BEGIN CERTIFICATE-----" not in _file(file).read_text(errors="replace"):
            raise ValueError(f"{file} has no certificate in PEM")
    return tuple(sorted((_name(host), Path(file)) for host, file in said.items()))


def _range(text: str) -> str:
    for problem in range_problems("apiServer", text):
        raise ValueError(f"{problem.what}; {problem.remedy}")
    return str(ipaddress.ip_network(text))


def _of_store(field: str, read: Callable[[str], Any] = str) -> Callable[[str], Any]:
    """A field of the store, judged as the cluster's description judges it."""

    def reader(text: str) -> Any:
        value = read(text)
        for problem in stores.problems(Store(**{field: value})):
            if problem.where == f"store.{field}":
                raise ValueError(f"{problem.what}; {problem.remedy}")
        return value

    return reader


def _certificate(text: str) -> Path:
    said = _file(text).read_text(errors="replace")
    if "-----BEGIN CERTIFICATE-----" not in said or "PRIVATE KEY" in said:
        raise ValueError(f"{text} is no certificate in PEM, or has a private key beside it")
    return Path(text)


def _secret_path(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][-a-z0-9_]*(/[a-z0-9][-a-z0-9_]*)*", text):
        raise ValueError(f"{text!r} is not a path such as psp/api-key")
    return text


READERS: dict[str, Callable[[str], Any]] = {
    "install_cert_manager": _switch,
    "install_trust_manager": _switch,
    "issuer": _issuer(identities=True),
    "trust_ca": authorities,
    "install_openbao": _switch,
    "install_admission": _switch,
    "keep_data": _switch,
    "openbao_address": _address,
    "openbao_ca": _file,
    "store_address": _of_store("address"),
    "store_ca": _certificate,
    "store_labels": _of_store("labels", _labels('{"app.kubernetes.io/name": "vault"}', least=1)),
    "store_ranges": _each(_judged(allowed_range_problems), '["10.1.2.3/32"]'),
    "store_kv": _of_store("kv"),
    "store_database": _of_store("database"),
    "store_auth": _of_store("auth"),
    "store_prefix": _of_store("prefix", lambda text: text.removesuffix("/")),
    "store_namespace": _of_store("tenant"),
    "store_audience": _of_store("audience"),
    "store_deployer": _of_store("deployer"),
    "store_database_client": _of_store("database_client"),
    "store_database_ca": _certificate,
    "openbao_storage": _quantity,
    "storage_class": _name,
    "api_server": _each(_range, '["10.0.0.0/24"]'),
    "charts": read_charts,
    "chart_values": read_values,
    "generated_secrets": _each(_secret_path, '["psp/api-key"]'),
    "admission": _mode,
    "admission_scope": _scope,
    "deployers": _each(_person, '["group:platform"]'),
    "signed_images": _file,
    "dns_namespace": _name,
    "dns_labels": _labels('{"k8s-app": "kube-dns"}'),
    "dns_port": _whole(1, 65535),
    "dns_ranges": _each(_judged(resolver_range_problems), '["169.254.20.10/32"]'),
    "edge_port": _whole(1, 65535),
    "edge_service": _entrance_service,
    "edge_node_port": _whole(30000, 32767),
    "edge_issuer": _issuer(identities=False),
    "edge_replicas": _whole(1, 100),
    "edge_issuer_ranges": _each(_issuer_range, '["10.1.2.0/24"]'),
    "edge_limits": _limits,
    "egress_allowed": _each(_judged(allowed_range_problems), '["10.1.2.3/32"]'),
    "egress_closed": _each(_judged(closed_range_problems), '["203.0.113.0/24"]'),
    "egress_authorities": _authorities,
    "egress_replicas": _whole(1, 100),
    "system_namespaces": _each(_name, '["local-path-storage"]'),
}
