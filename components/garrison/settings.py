"""The settings of a stack: what is different from cluster to cluster, as one checked, frozen value.

Pure: plain text in, every problem at once out. `deployment.configuration` reads them from the stack that Pulumi runs,
`cluster_of` from a stack's file, for everything that judges without Pulumi.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from garrison import defaults as d
from garrison import verified
from garrison.cluster import (
    EVERYBODY,
    Cluster,
    Egress,
    Entrance,
    allowed_range_problems,
    closed_range_problems,
    issuer_range_problems,
    range_problems,
)
from garrison.errors import GarrisonError, Problem, did_you_mean

T = TypeVar("T")
CHARTS = "GARRISON_CHARTS"
MACHINE = "GARRISON_SETTINGS"  # a JSON file of further settings
PREFIX = "garrison:"  # in a stack's file, whatever its project is called


class SettingsError(GarrisonError, ValueError):
    """The stack settings do not hold together. `problems` has all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems, "bad stack settings:")


@dataclass(frozen=True)
class Settings:
    """What a stack says about its cluster. Every field has a key of the same name in camelCase."""

    install_cert_manager: bool = True
    """False where the cluster has cert-manager already."""
    install_trust_manager: bool = True
    """False where the cluster has trust-manager already, with cert-manager as its trust namespace."""
    issuer: str | None = None
    """An existing ClusterIssuer to sign identities; without it a root CA is made."""
    install_openbao: bool = True
    """False where an OpenBao or Vault already serves `openbao.openbao.svc` in the cluster."""
    openbao_address: str | None = None
    """Where Pulumi reaches an existing store; without it, by port-forward to the cluster."""
    openbao_ca: Path | None = None
    """The CA of that address, a PEM file."""
    openbao_storage: str = "1Gi"
    storage_class: str | None = None
    """For the volumes of OpenBao and PostgreSQL; without it, the cluster's default."""
    api_server: tuple[str, ...] = ()
    """Address ranges of the API server as pods see it; without them the rules name private ranges."""
    charts: Path | None = None
    """The folder with the charts cert-manager/ and trust-manager/; by default from GARRISON_CHARTS."""
    generated_secrets: tuple[str, ...] = ()
    """Paths of the secret store to fill with random values if empty: for stacks that have no real ones."""
    admission: Literal["deny", "warn"] = "deny"
    """What the admission policies do with an object that breaks a rule: "deny" it, or let it in and "warn"."""
    deployers: tuple[str, ...] = d.DEPLOYERS
    """Who runs Pulumi and the proof, `user:NAME` or `group:NAME`: nobody else changes what stands in the estate."""
    signed_images: Path | None = None
    """A JSON list of the images whose signatures were verified; by default from GARRISON_SIGNED_IMAGES."""
    edge_port: int = 443
    """The port of the edge as clients see it."""
    edge_service: Literal["LoadBalancer", "NodePort"] = "LoadBalancer"
    """The kind of Service that leads to the edge; NodePort where the cluster has nobody who gives addresses."""
    edge_node_port: int | None = None
    """Which port of the nodes that is; without it the cluster chooses."""
    edge_issuer: str | None = None
    """The ClusterIssuer of the hosts' certificates; without it the one that signs identities."""
    edge_replicas: int = 2
    """How many pods the edge has. Local limits count in each."""
    edge_issuer_ranges: tuple[str, ...] = ()
    """Address ranges of issuers in private networks, to which the edge is let out."""
    edge_limits: Literal["local", "global"] = "local"
    """Where requests are counted: "local" in each pod alone, "global" once for all of them, too."""
    egress_allowed: tuple[str, ...] = ()
    """Private address ranges that the egress gateway may reach: a provider in a network that is not the internet."""
    egress_closed: tuple[str, ...] = ()
    """Public address ranges that are the cluster's own, to which the egress gateway is not let out."""
    egress_authorities: tuple[tuple[str, Path], ...] = ()
    """Who vouches for a host outside, a PEM file by the host's name; without it, what the image's system trusts."""
    egress_replicas: int = 2
    """How many pods the egress gateway has."""
    keep_data: bool = True
    """Whether what holds data is protected: databases, stores, their namespaces, the root's key. False where `pulumi
    destroy` may take all of it."""
    system_namespaces: tuple[str, ...] = ()
    """Namespaces the admission policies leave alone, beside Kubernetes' own kube-*: what the cluster itself runs."""

    @property
    def cluster(self) -> Cluster:
        """What these settings say of the cluster itself; what is installed, and how Pulumi reaches it, is not part."""
        return Cluster(
            issuer=self.issuer or d.ISSUER,
            api_server=self.api_server,
            storage_class=self.storage_class,
            entrance=Entrance(
                port=self.edge_port,
                service=self.edge_service,
                node_port=self.edge_node_port,
                issuer=self.edge_issuer,
                replicas=self.edge_replicas,
                issuer_ranges=self.edge_issuer_ranges,
                limits=self.edge_limits,
            ),
            egress=Egress(
                allowed=self.egress_allowed,
                closed=self.egress_closed,
                authorities=tuple((host, file.read_text()) for host, file in self.egress_authorities),
                replicas=self.egress_replicas,
            ),
            system_namespaces=self.system_namespaces,
            admission=self.admission,
            deployers=self.deployers,
            signed_images=verified.images(self.signed_images) if self.signed_images else (),
        )


def parse(values: Mapping[str, str], environment: Mapping[str, str]) -> Settings:
    """Read the settings from the text of the stack file; raises SettingsError with every problem."""
    found, problems = _readings({**_of_machine(environment), **values})
    if environment.get(CHARTS):
        found.setdefault("charts", Path(environment[CHARTS]))
    if environment.get(verified.VARIABLE):
        found.setdefault("signed_images", Path(environment[verified.VARIABLE]))
    settings = Settings(**found)
    names = {_key(field.name): field.name for field in fields(Settings)}
    problems += _combined(settings, sound={*names.values()} - _failed(problems, names))
    if problems:
        raise SettingsError(sorted(problems))
    return settings


def _of_machine(environment: Mapping[str, str]) -> dict[str, str]:
    """What only this machine can say of its cluster, such as an address that changes. The stack's word counts more."""
    if not (place := environment.get(MACHINE)):
        return {}
    try:
        said = json.loads(Path(place).read_text())
    except (OSError, ValueError):
        said = None
    if not isinstance(said, dict):
        what = f"{place} has no settings in JSON"
        raise SettingsError([Problem(MACHINE, what, "name such a file, or unset the variable")])
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in said.items()}


def _readings(values: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    """Each setting alone: its value, or what is wrong with it."""
    readers: dict[str, Callable[[str], Any]] = {_key(name): reader for name, reader in _READERS.items()}
    names = {_key(field.name): field.name for field in fields(Settings)}
    problems: list[Problem] = []
    found: dict[str, Any] = {}
    for key in sorted(values):
        if key not in readers:
            problems.append(Problem(key, "no such setting", did_you_mean(key, readers, f"known: {', '.join(readers)}")))
            continue
        try:
            found[names[key]] = readers[key](values[key])
        except ValueError as error:
            problems.append(Problem(key, f"{values[key]!r} is not usable", str(error)))
    return found, problems


def cluster_of(path: Path) -> Cluster:
    """The cluster that a file describes: a stack's settings (YAML), or JSON as `Cluster.to_json` writes it.

    Raises SettingsError, VerifiedError for its list of images, or IntentError for JSON that does not hold together.
    """
    text = _text(path)
    if path.suffix == ".json":
        return Cluster.from_json(text)
    found, problems = _readings(_of_stack(path, text))
    if problems:
        raise SettingsError(sorted(problems))
    return Settings(**found).cluster


def settings_of(path: Path, environment: Mapping[str, str]) -> Settings:
    """All settings of a stack's file, for who deploys without Pulumi; raises SettingsError with every problem."""
    return parse(_of_stack(path, _text(path)), environment)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise SettingsError([Problem(str(path), error.strerror or "cannot be read", "name a stack's file")]) from None


def _of_stack(path: Path, text: str) -> dict[str, str]:
    """The settings in a stack's file, as the text that Pulumi would hand over."""
    import yaml  # here alone: a program without a stack's file starts without it

    try:
        config = (yaml.safe_load(text) or {}).get("config") or {}
        said = {key.removeprefix(PREFIX): value for key, value in config.items() if key.startswith(PREFIX)}
    except (yaml.YAMLError, AttributeError, TypeError):
        raise SettingsError([Problem(str(path), "is not a stack's file", "name stacks/Pulumi.STACK.yaml")]) from None
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in said.items()}


def _failed(problems: Sequence[Problem], names: Mapping[str, str]) -> set[str]:
    return {names[p.where] for p in problems if p.where in names}


def _combined(settings: Settings, *, sound: set[str]) -> list[Problem]:
    """What is wrong between settings; only where each one is fine alone."""
    problems = []
    charts = settings.charts
    if {"charts", "install_cert_manager", "install_trust_manager"} <= sound:
        wanted = {"cert-manager": settings.install_cert_manager, "trust-manager": settings.install_trust_manager}
        for chart in (name for name, wished in wanted.items() if wished):
            if charts is None or not (charts / chart / "Chart.yaml").is_file():
                place = charts / chart if charts else "nowhere"
                problems.append(Problem("charts", f"no chart {chart} ({place})", f"name its folder, or set {CHARTS}"))
    if settings.issuer is None and not settings.install_cert_manager and "issuer" in sound:
        problems.append(Problem("issuer", "missing", "name the ClusterIssuer of the existing cert-manager"))
    if settings.install_openbao and settings.openbao_address:
        problems.append(Problem("openbaoAddress", "set, but OpenBao is to be installed", "set installOpenbao: false"))
    if (settings.openbao_address is None) != (settings.openbao_ca is None):
        problems.append(Problem("openbaoCa", "openbaoAddress and openbaoCa belong together", "give both or neither"))
    return problems


# --- one reader per kind of value: the text, or a ValueError that says what to write instead ------------------------


def _switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("write true or false")
    return text == "true"


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", text):
        raise ValueError("write a Kubernetes name: lower case letters, digits, '-' and '.'")
    return text


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


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise ValueError("there is no such folder")
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


def _secret_path(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][-a-z0-9_]*(/[a-z0-9][-a-z0-9_]*)*", text):
        raise ValueError(f"{text!r} is not a path such as psp/api-key")
    return text


def _key(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


_READERS: dict[str, Callable[[str], Any]] = {
    "install_cert_manager": _switch,
    "install_trust_manager": _switch,
    "issuer": _name,
    "install_openbao": _switch,
    "keep_data": _switch,
    "openbao_address": _address,
    "openbao_ca": _file,
    "openbao_storage": _quantity,
    "storage_class": _name,
    "api_server": _each(_range, '["10.0.0.0/24"]'),
    "charts": _folder,
    "generated_secrets": _each(_secret_path, '["psp/api-key"]'),
    "admission": _mode,
    "deployers": _each(_person, '["group:platform"]'),
    "signed_images": _file,
    "edge_port": _whole(1, 65535),
    "edge_service": _entrance_service,
    "edge_node_port": _whole(30000, 32767),
    "edge_issuer": _name,
    "edge_replicas": _whole(1, 100),
    "edge_issuer_ranges": _each(_issuer_range, '["10.1.2.0/24"]'),
    "edge_limits": _limits,
    "egress_allowed": _each(_judged(allowed_range_problems), '["10.1.2.3/32"]'),
    "egress_closed": _each(_judged(closed_range_problems), '["203.0.113.0/24"]'),
    "egress_authorities": _authorities,
    "egress_replicas": _whole(1, 100),
    "system_namespaces": _each(_name, '["local-path-storage"]'),
}
