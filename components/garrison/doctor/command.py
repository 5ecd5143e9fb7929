"""The command line of `garrison doctor`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from garrison.declare import program
from garrison.doctor import advice, enforcement, verdict
from garrison.doctor.facts import Facts, read
from garrison.exits import Exit
from garrison.findings import Finding, Severity, ordered, tally
from garrison.prove.drill import consent
from garrison.prove.kubectl import Kubectl
from garrison.prove.model import ProveError
from garrison.report import Report, rows, show

DESCRIPTION = """What a cluster has, what a stack on it has to say, and what is in the way. Only reads, unless --live is
given, which measures whether the cluster enforces network policies, with pods in a namespace of its own. Ends with 0
where nothing is in the way, with 1 where something is, with 2 where it could not be looked at or measured."""


def parser() -> argparse.ArgumentParser:
    """Its options."""
    made = argparse.ArgumentParser(prog="garrison doctor", description=DESCRIPTION)
    add = made.add_argument
    forms = ("table", "settings", "json")
    add("--format", choices=forms, default="table", help="settings: nothing but those, for a stack's file")
    add("--live", action="store_true", help="measure: do network policies hold, both ways, and from when on")
    add("--image", help="with --live: the probe tool's image (default: the lock's entry `prober`)")
    text = "with --live: the program or graph whose images have it (default: %(default)s)"
    add("--app", type=Path, default=program.DEFAULT, help=text)
    add("--context", help="kubeconfig context")
    add("--kubeconfig", help="kubeconfig file (default: as kubectl finds it)")
    return made


def main(arguments: Sequence[str]) -> int:
    """Look or measure; raises a GarrisonError for what cannot be done."""
    options = parser().parse_args(arguments)
    kubectl = Kubectl(options.context, options.kubeconfig)
    if options.live:
        return _measure(kubectl, options)
    facts = read(kubectl)
    if options.format != "json":
        print("" if options.format == "settings" else table(facts), advice.block(facts), sep="", end="")
    found = ordered(advice.findings(facts))
    said = {one.key: one.value for one in advice.settings(facts)}
    fields = {"facts": asdict(facts), "settings": said}
    return _told(found, f"{tally(found)} on this cluster", fields, options.format)


def _measure(kubectl: Kubectl, options: argparse.Namespace) -> int:
    there, image = consent.named(kubectl), options.image or _image(options.app)
    _say(f"measuring on cluster {there.name} ({there.server}), between pods of a namespace that is removed afterwards")
    measured = enforcement.measure(kubectl, image, _say)
    found = ordered(verdict.findings(measured))
    if options.format == "table":
        print("".join(f"{line}\n" for line in verdict.lines(measured)), end="")
    fields = {"cluster": there.name, "verdict": verdict.word(measured), "measured": asdict(measured)}
    return _told(found, f"network policies on {there.name}: {verdict.sentence(measured)}", fields, options.format)


def _told(found: Sequence[Finding], summary: str, fields: Mapping[str, object], form: str) -> int:
    plain = Report(name="doctor", findings=found, summary=summary)
    if form == "settings":
        print(f"garrison doctor: {summary}", file=sys.stderr)
    else:
        show(replace(plain, fields={**fields, "findings": rows(plain)}), form)
    return Exit.FOUND if any(one.severity >= Severity.MEDIUM for one in found) else Exit.CLEAN


def _image(app: Path) -> str:
    image = dict(program.graph_of(app).images).get("prober", "") if app.exists() else ""
    if not image:
        raise ProveError(f"no image of the probe tool: give --image, or --app with one ({app} has none)")
    return image


def table(facts: Facts) -> str:
    """The facts, one line each."""
    found = list(_rows(facts))
    width = max(len(name) for name, _ in found)
    return "".join(f"{name:<{width}}  {value}\n" for name, value in found) + "\n"


def _rows(facts: Facts) -> Iterator[tuple[str, str]]:
    yield "Kubernetes", ".".join(map(str, facts.version))
    yield "nodes", _list(facts.nodes)
    yield "pods", _list(facts.pods, "not shown by nodes")
    yield "API server", _list(facts.api_server)
    if (found := facts.resolver) is not None:
        pods = f"pods {json.dumps(dict(found.labels))} port {found.port}" if found.labels else "no pods"
        caches = f", caches {_list(found.caches)}" if found.caches else ""
        yield "names", f"{found.namespace}/{found.service} at {_list(found.addresses)}, {pods}{caches}"
    yield "storage", f"{_list(facts.storage)}{' (the first by default)' if facts.default_storage else ''}"
    whose = " (Garrison's)" if facts.garrisons else ""
    yield (
        "cert-manager",
        f"{facts.cert_manager}{whose}; ready: {_list(facts.issuers)}" if facts.cert_manager else "none",
    )
    yield "trust-manager", facts.trust_manager or "none"
    yield "network", _list(facts.networks, "not known")
    yield "others", _list(facts.others)
    yield "you", facts.who[0] if facts.who else "not known"


def _list(values: Iterable[str], otherwise: str = "none") -> str:
    return ", ".join(values) or otherwise


def _say(message: str) -> None:
    print(f"garrison doctor: {message}", file=sys.stderr, flush=True)
