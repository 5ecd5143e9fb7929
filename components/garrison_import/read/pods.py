"""A pod template as containers: what each gets in its environment and its files, and what it is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from garrison.words import Ref
from garrison_import.read.parts import Container, Mount, Probe, Variable, Volume
from garrison_import.read.shapes import Json, mapping, mappings, number, within, word, words

_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z_.-][A-Za-z0-9_.-]*)\))")
_LABEL = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
_PERIOD, _FAILURES = 10, 3  # Kubernetes' own, where a probe says nothing
ConfigMaps = Mapping[Ref, Mapping[str, str]]


class Pod:
    """One template: where it stands, and the objects that it may speak of."""

    def __init__(
        self, template: Json, home: Ref, configmaps: ConfigMaps, secrets: Mapping[Ref, tuple[str, ...]]
    ) -> None:
        self.template, self.home = template, home
        self.spec = mapping(template.get("spec"))
        self.metadata = mapping(template.get("metadata"))
        self._configmaps, self._secrets = configmaps, secrets

    def containers(self, kind: str, claims: Mapping[str, str]) -> list[Container]:
        """Those of `containers` or `initContainers`, in their order; `claims` are volumes of claims with their size."""
        volumes = {word(one.get("name")): _volumes(one, claims) for one in mappings(self.spec.get("volumes"))}
        volumes |= {name: [Volume("claim", name, size=size)] for name, size in claims.items() if name not in volumes}
        return [self._container(one, volumes) for one in mappings(self.spec.get(kind))]

    def _container(self, body: Json, volumes: Mapping[str, Sequence[Volume]]) -> Container:
        ports = tuple((number(one.get("containerPort")), word(one.get("name"))) for one in mappings(body.get("ports")))
        variables: dict[str, Variable] = {}
        for one in (*self._imported(body), *self._written(body)):
            variables[one.name] = self._filled(one, variables)
        user = within(body, "securityContext", "runAsUser")
        user = within(self.spec, "securityContext", "runAsUser") if user is None else user
        named = {name: port for port, name in ports if name}
        return Container(
            name=word(body.get("name")),
            image=word(body.get("image")),
            command=words(body.get("command")),
            args=words(body.get("args")),
            variables=tuple(variables.values()),
            ports=tuple(port for port in ports if port[0]),
            probes=tuple(_probes(body, named)),
            mounts=tuple(
                Mount(word(one.get("mountPath")), volume, _sub(one))
                for one in mappings(body.get("volumeMounts"))
                for volume in volumes.get(word(one.get("name")), [Volume("other")])
            ),
            uid=None if user is None else number(user, -1),
            body=body,
        )

    def _imported(self, body: Json) -> Iterator[Variable]:
        """What envFrom brings. Of a Secret the names only; of one that is not among the documents, not even those."""
        for one in mappings(body.get("envFrom")):
            prefix = word(one.get("prefix"))
            if name := word(within(one, "configMapRef", "name")):
                for key, text in self._configmaps.get(Ref(self.home.namespace, name), {}).items():
                    yield Variable(prefix + key, text, f"ConfigMap {name}", whole=name, config=(name, key))
            elif name := word(within(one, "secretRef", "name")):
                for key in self._secrets.get(Ref(self.home.namespace, name), ()):
                    yield Variable(prefix + key, None, f"Secret {name}", secret=(name, key))

    def _written(self, body: Json) -> Iterator[Variable]:
        for one in mappings(body.get("env")):
            name, source = word(one.get("name")), mapping(one.get("valueFrom"))
            if not name:
                continue
            if "secretKeyRef" in source:
                secret = word(within(source, "secretKeyRef", "name")), word(within(source, "secretKeyRef", "key"))
                yield Variable(name, None, f"Secret {secret[0]}", secret=secret)
            elif "configMapKeyRef" in source:
                called, key = (word(within(source, "configMapKeyRef", part)) for part in ("name", "key"))
                found = self._configmaps.get(Ref(self.home.namespace, called), {}).get(key)
                if found is not None or within(source, "configMapKeyRef", "optional") is not True:
                    yield Variable(name, found, f"ConfigMap {called}, {key}", config=(called, key))
            elif source:
                yield Variable(name, self._field(source), f"field {word(within(source, 'fieldRef', 'fieldPath'))}")
            else:
                yield Variable(name, word(one.get("value")), "env")

    def _field(self, source: Json) -> str | None:
        """What the downward API gives, as far as it is the same in every pod."""
        path = word(within(source, "fieldRef", "fieldPath"))
        if path == "metadata.namespace":
            return self.home.namespace
        if path == "spec.serviceAccountName":
            return word(self.spec.get("serviceAccountName")) or "default"
        if match := _LABEL.fullmatch(path):
            found = mapping(self.metadata.get(match[1])).get(match[2])
            return None if found is None else word(found)
        return None

    def _filled(self, one: Variable, before: Mapping[str, Variable]) -> Variable:
        """With $(OTHER) filled in, as the kubelet does: from what stands before it, else it stays as it is."""
        if one.value is None or one.where != "env":
            return one
        composed = own = False

        def put(match: re.Match[str]) -> str:
            nonlocal composed, own
            if match[1] == "$":
                return "$"
            other = before.get(match[2])
            if other is None:
                return match[0]
            composed |= other.secret is not None or other.composed
            own |= other.value is None and other.secret is None
            return match[0] if other.value is None else other.value

        value = _REFERENCE.sub(put, one.value)
        return Variable(one.name, None if own and not composed else value, one.where, composed=composed)


def _sub(mount: Json) -> str:
    return word(mount.get("subPath"))


_PROJECTED: tuple[tuple[str, Literal["configmap", "secret"]], ...] = (("configMap", "configmap"), ("secret", "secret"))


def _volumes(one: Json, claims: Mapping[str, str]) -> list[Volume]:
    """What a volume is made of: of several parts where it is projected. A token of the pod's own is Garrison's."""
    if "projected" not in one:
        return [_volume(one, claims)]
    parts = mappings(within(one, "projected", "sources"))
    known = [
        Volume(kind, word(within(part, field, "name")), _items(part[field]))
        for part in parts
        for field, kind in _PROJECTED
        if field in part
    ]
    return known or [Volume("other", "projected")] * all("serviceAccountToken" not in part for part in parts)


def _volume(one: Json, claims: Mapping[str, str]) -> Volume:
    if "emptyDir" in one:
        return Volume("scratch", size=word(within(one, "emptyDir", "sizeLimit")))
    if "configMap" in one:
        return Volume("configmap", word(within(one, "configMap", "name")), _items(one["configMap"]))
    if "secret" in one:
        return Volume("secret", word(within(one, "secret", "secretName")), _items(one["secret"]))
    if "persistentVolumeClaim" in one:
        claim = word(within(one, "persistentVolumeClaim", "claimName"))
        return Volume("claim", claim, size=claims.get(claim, ""))
    if "hostPath" in one:
        return Volume("host", word(within(one, "hostPath", "path")))
    return Volume("other", next((key for key in one if key != "name"), ""))


def _items(source: Any) -> tuple[tuple[str, str], ...]:
    return tuple((word(one.get("key")), word(one.get("path"))) for one in mappings(mapping(source).get("items")))


def _probes(body: Json, named: Mapping[str, int]) -> Iterator[tuple[str, Probe]]:
    for name in ("readiness", "liveness", "startup"):
        probe = mapping(body.get(f"{name}Probe"))
        for field, kind in _KINDS.items():
            if field in probe:
                said = mapping(probe[field])
                port = word(said.get("port"))
                failures = number(probe.get("failureThreshold"), _FAILURES)
                yield (
                    name,
                    Probe(
                        kind,
                        named.get(port, number(port)),
                        (word(said.get("path")) or "/") if kind == "http" else "",
                        word(said.get("scheme")).upper() == "HTTPS",
                        words(said.get("command")),
                        number(probe.get("initialDelaySeconds"))
                        + number(probe.get("periodSeconds"), _PERIOD) * failures,
                    ),
                )
                break


_KINDS: dict[str, Literal["http", "grpc", "tcp", "exec"]] = {
    "httpGet": "http",
    "grpc": "grpc",
    "tcpSocket": "tcp",
    "exec": "exec",
}
