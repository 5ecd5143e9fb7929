"""Settings from text: every problem at once, of each setting alone and of those that belong together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from garrison import verified
from garrison.cluster import Cluster
from garrison.cluster import store as stores
from garrison.errors import Problem, did_you_mean
from garrison.settings.charts import Charts
from garrison.settings.readers import READERS
from garrison.settings.value import STORE_FIELDS, STORE_FILES, Settings, SettingsError

CHARTS = "GARRISON_CHARTS"
MACHINE = "GARRISON_SETTINGS"  # a JSON file of further settings
PREFIX = "garrison:"  # in a stack's file, whatever its project is called


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
    readers: dict[str, Callable[[str], Any]] = {_key(name): reader for name, reader in READERS.items()}
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
    problems: list[Problem] = []
    if {"charts", "install_cert_manager", "install_trust_manager"} <= sound:
        problems += _charts(settings)
    if settings.issuer is None and not settings.install_cert_manager and "issuer" in sound:
        problems.append(Problem("issuer", "missing", "name the ClusterIssuer of the existing cert-manager"))
    if not settings.dns_labels and not settings.dns_ranges and {"dns_labels", "dns_ranges"} <= sound:
        problems.append(Problem("dnsLabels", "empty, and no dnsRanges: nobody would answer names", "give one of them"))
    if settings.issuer is None and settings.trust_ca and "issuer" in sound:
        remedy = "name the issuer that this CA is of, or leave trustCa out: a root is made here, and trusted"
        problems.append(Problem("trustCa", "set, but no issuer is", remedy))
    if settings.install_openbao and settings.openbao_address:
        problems.append(Problem("openbaoAddress", "set, but OpenBao is to be installed", "set installOpenbao: false"))
    if (settings.openbao_address is None) != (settings.openbao_ca is None):
        problems.append(Problem("openbaoCa", "openbaoAddress and openbaoCa belong together", "give both or neither"))
    return [*problems, *_store(settings, sound)]


def _store(settings: Settings, sound: set[str]) -> Iterator[Problem]:
    """What is wrong with a store of one's own, once each of its settings is fine alone."""
    said = [one.name for one in fields(Settings) if one.name.startswith("store_") and getattr(settings, one.name)]
    if settings.install_openbao:
        for name in said:
            yield Problem(_key(name), "set, but OpenBao is to be installed", "set installOpenbao: false")
    elif {*STORE_FIELDS, *STORE_FILES} <= sound:
        keys = {f"store.{field}": _key(name) for name, field in (STORE_FIELDS | STORE_FILES).items()}
        for problem in stores.problems(settings.store):
            yield Problem(keys[problem.where], problem.what, problem.remedy)


def _charts(settings: Settings) -> Iterator[Problem]:
    """A chart that is wanted and nowhere; values for one that nobody wants."""
    wanted = {"cert-manager": settings.install_cert_manager, "trust-manager": settings.install_trust_manager}
    said = settings.charts
    charts = Charts.within(said) if isinstance(said, Path) else said or Charts(())
    for name in (name for name, wished in wanted.items() if wished):
        place = charts.of(name)
        if place is None or (isinstance(place, Path) and not (place / "Chart.yaml").is_file()):
            yield Problem("charts", f"no chart {name} ({place or 'nowhere'})", f"name its folder, or set {CHARTS}")
    for name, file in settings.chart_values:
        if not wanted[name]:
            yield Problem("chartValues", f"{file} is for {name}, which is not installed here", "leave it out")


def _key(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
