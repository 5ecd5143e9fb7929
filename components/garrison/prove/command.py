"""The command line of `garrison prove`: options, one run, its report and its exit code."""

from __future__ import annotations

import argparse
import fnmatch
import importlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from garrison.cluster import Cluster
from garrison.declare import program
from garrison.exits import Exit
from garrison.model.graph import Graph
from garrison.prove.drill import consent
from garrison.prove.drill import findings as drilled
from garrison.prove.drill.change import Change
from garrison.prove.drill.drill import Drill, concerned
from garrison.prove.drill.findings import Finding
from garrison.prove.drill.journal import Journal
from garrison.prove.drill.safe import Safe
from garrison.prove.expect.edge import trials
from garrison.prove.expect.elsewhere import callers
from garrison.prove.expect.expected import expected
from garrison.prove.judge import report
from garrison.prove.judge.entry import probe_of, source_of, target_of
from garrison.prove.judge.picture import as_svg
from garrison.prove.kubectl import HOME, Kubectl
from garrison.prove.look.alone import alone, cluster_uid
from garrison.prove.look.entrance import (
    Entrance,
    acting,
    at_cluster,
    edge_probes,
    entry_of,
    from_outside,
    in_force,
)
from garrison.prove.look.entrance import run as run_edge
from garrison.prove.look.entry import Entry
from garrison.prove.look.execute import Runner
from garrison.prove.look.lease import Holder, held
from garrison.prove.look.phases import controls_of, prove
from garrison.prove.look.pods import short
from garrison.prove.look.session import Session, cleaned
from garrison.prove.look.tickets import Both, Embedded, FromFile, Tokens
from garrison.prove.look.trying import distrusted
from garrison.prove.look.world import ADMIN
from garrison.prove.model import Party, Probe, ProveError, Result
from garrison.prove.trials import Trial, Untried
from garrison.settings import cluster_of
from garrison.words import Ref

ANSWER_SECONDS = 5.0  # for an answer of the edge, which asks others for some of them
# Whoever makes people at the issuer needs hvac: imported when it is asked for, so that no proof without users needs it.
PEOPLE = "garrison.deployment.vault.probing"
DESCRIPTION = """Probe the live cluster with each workload's own identity: what is declared must work, everything else
must be refused, by the layer that should refuse it. Only the probes' own pods are made, and removed again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `garrison prove`."""
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: %(default)s")
    parser.add_argument("--picture", type=Path, metavar="FILE.svg", help="also draw the matrix")
    parser.add_argument("--source", metavar="PATTERN", help="only probes from there, such as 'shop/*' or outside")
    parser.add_argument("--target", metavar="PATTERN", help="only probes to there, such as bank/payments")
    layers = "also show that each layer is enough alone (default: yes)"
    parser.add_argument("--layers", action=argparse.BooleanOptionalAction, default=True, help=layers)
    drill = "on a cluster for tests: take away each protection (or those that match) in turn; probes must notice"
    parser.add_argument("--drill", nargs="*", metavar="PATTERN", help=drill)
    yes = "the cluster that --drill may open, by its name in the kubeconfig: instead of the question"
    parser.add_argument("--yes-open", metavar="CLUSTER", help=yes)
    label = f"let --drill open a cluster without the label {consent.LABEL}={consent.ALLOWED} on {HOME}"
    parser.add_argument("--unlabelled", action="store_true", help=label)
    parser.add_argument("--timeout", type=_seconds, default=2.0, metavar="SECONDS", help="for each connection")
    parser.add_argument("--image", help="the probe tool's image (default: the lock's entry `prober`)")
    parser.add_argument("--context", help="kubeconfig context")
    parser.add_argument(
        "--cluster", type=Path, metavar="FILE", help="the stack's file: names and addresses of a cluster"
    )
    parser.add_argument("--kubeconfig", help="kubeconfig file (default: as kubectl finds it)")
    edge = "probe the edge at this address alone, without a cluster: https://ADDRESS[:PORT]"
    parser.add_argument("--edge", metavar="URL", help=edge)
    parser.add_argument("--ca", type=Path, metavar="FILE", help="the authority of the edge's certificates, PEM")
    tokens = "tokens that were got from the issuers (docs/prove.md): for those that are not the estate's own"
    parser.add_argument("--tokens", type=Path, metavar="FILE", help=tokens)
    reads = "at the edge and behind it, try reads alone (GET and HEAD); the rest is listed as not tried"
    parser.add_argument("--reads-only", action="store_true", help=reads)
    admin = f"the secret store's administrator, a service account (default: storeDeployer of --cluster, or {ADMIN})"
    parser.add_argument("--store-admin", type=Ref.parse, metavar="NAMESPACE/NAME", help=admin)


def run(graph: Graph, options: argparse.Namespace) -> int:
    """Probe and report; 0 as declared, 1 a deviation, 2 a probe could not be run."""
    if options.edge:
        return _from_outside(graph, options)
    cluster = cluster_of(options.cluster) if options.cluster else Cluster()
    admin: Ref = options.store_admin or Ref.parse(cluster.store.deployer)
    everything = expected(graph, layers=options.layers, store=cluster.store)
    select([*everything, *edge_probes(graph)], options.source, options.target)
    image: str = options.image or dict(graph.images).get("prober", "")
    _check(graph, image, options.picture)
    started = time.monotonic()
    kubectl = Kubectl(options.context, options.kubeconfig)
    uid, session = cluster_uid(kubectl), Session(kubectl, graph, image, _say, cluster)
    known = short(session.run)
    _consent(kubectl, graph, options)
    for other in (one for one in graph.elsewhere if {*callers(graph)} & one.refs):
        _say(f"what App {other.name} calls here is tried by its own proof: no pod is started where it lives")
    with (
        alone(uid, known) as before,
        held(Holder(kubectl, known, _say, before)),
        cleaned(session),
        _entrance(session, options) as entrance,
    ):
        everything = (*everything, *(entrance.probes if entrance else ()))
        probes = select(everything, options.source, options.target)
        if done := _warned(probes):
            _say(f"{len(probes)} probes{done}")
        controls = controls_of(everything, probes)
        runner = Runner(session, options.timeout, entrance)
        change = Change(session, runner, admin, Safe(kubectl, graph, Journal(uid), _say, cluster))
        left, also = change.mend(), change.administrator
        drill, wanted = Drill(change), options.drill
        chosen = drill.choose(wanted or ["*"]) if wanted is not None else []
        needed = [*probes, *controls] if wanted is None else concerned(probes, chosen)
        session.start(needed, [also] if also and (left or wanted is not None) else [])
        change.finish(left)
        if wanted is not None:
            findings = drill.run(needed, chosen)
            return _drilled(findings, options.format, known, time.monotonic() - started)
        results = prove(session, runner, probes, controls, admin)
        results, untried = _judged(entrance, results)
    _show(graph, options, results, known, time.monotonic() - started, untried)
    return report.exit_code(results)


# --- the edge --------------------------------------------------------------------------------------------------------


def _from_outside(graph: Graph, options: argparse.Namespace) -> int:
    """The edge alone, as anybody reaches it: no cluster is asked for anything."""
    if not graph.hosts:
        raise ProveError("the program declares no host: there is no edge to prove")
    if options.drill is not None:
        raise ProveError("--drill changes a cluster: leave --edge out")
    started, there = time.monotonic(), cluster_of(options.cluster) if options.cluster else Cluster()
    entry = Entry.parse(options.edge, options.ca, max(options.timeout, ANSWER_SECONDS)).reached()
    if options.cluster:  # the port that clients write may be another than that of this address
        entry = replace(entry, port_in_urls=there.entrance.port)
    there = replace(there, entrance=replace(there.entrance, port=entry.port_in_urls))
    tokens = FromFile.read(graph, there, options.tokens) if options.tokens else FromFile(graph, there)
    select([probe_of(trial, entry.port) for trial in trials(graph)], options.source, options.target)
    asked = partial(_asked, options)
    found = from_outside(graph, entry, tokens, there.entrance.replicas, chosen=asked, reads_only=options.reads_only)
    _say(f"{len(found.probes)} probes at {entry.address}:{entry.port}{_warned(found.probes)}")
    results, untried = _judged(found, run_edge(found))
    _show(graph, options, results, "edge", time.monotonic() - started, untried)
    return report.exit_code(results)


def _warned(probes: Sequence[Probe]) -> str:
    """What is not only asked but done, as an end of the first line."""
    done = acting(probes)
    return f"; really done, for people of this run: {', '.join(done)} (--reads-only leaves it out)" if done else ""


@contextmanager
def _entrance(session: Session, options: argparse.Namespace) -> Iterator[Entrance | None]:
    """What is tried at the edge of a cluster, with people who are removed at the end."""
    graph, there = session.graph, session.cluster
    if not graph.hosts:
        yield None
        return
    timeout = max(options.timeout, ANSWER_SECONDS)
    in_force(session.kubectl, _say)
    with entry_of(session.kubectl, there, options.ca, timeout) as entry, ExitStack() as stack:
        entry.reached()
        tokens: Tokens = FromFile.read(graph, there, options.tokens) if options.tokens else FromFile(graph, there)
        if graph.embedded_issuer:
            _say("people for the probes, at the embedded issuer")
            people = importlib.import_module(PEOPLE).probing(short(session.run))
            tokens = Both(Embedded(graph, there, stack.enter_context(people), entry), tokens)
        chosen = partial(_asked, options)
        yield at_cluster(session, entry, tokens, options.timeout, chosen=chosen, reads_only=options.reads_only)


def _judged(entrance: Entrance | None, results: list[Result]) -> tuple[list[Result], list[Untried]]:
    """With what the logs say, without what shows nothing, and what was asked for and not tried."""
    if entrance is None:
        return results, []
    kept, hollow = distrusted(entrance.checked(results))
    return kept, [*entrance.untried, *hollow]


def _asked(options: argparse.Namespace, trial: Trial) -> bool:
    return _matches(source_of(trial), options.source) and _matches(target_of(trial), options.target)


def _consent(kubectl: Kubectl, graph: Graph, options: argparse.Namespace) -> None:
    if options.drill is not None:
        read = sys.stdin.readline if sys.stdin.isatty() else None
        consent.ask(kubectl, graph.name, options.yes_open, unlabelled=options.unlabelled, read=read)


def _check(graph: Graph, image: str, picture: Path | None) -> None:
    """What can be known to fail fails before anything is made on the cluster."""
    if not graph.services:
        raise ProveError("the program declares no service: there is nothing to prove")
    if not image:
        raise ProveError("no image of the probe tool: give --image, or an entry `prober` in the image lock")
    if picture and not picture.parent.is_dir():
        raise ProveError(f"--picture {picture}: there is no folder {picture.parent}")


def select(probes: Sequence[Probe], source: str | None, target: str | None) -> list[Probe]:
    """The probes whose ends match the patterns; a word that matches nothing is a mistake, not an empty proof."""
    for word, ends in ((source, {p.source for p in probes}), (target, {p.target for p in probes})):
        if word and not any(_matches(end, word) for end in ends):
            raise ProveError(f"{word!r} matches nothing; there is {', '.join(sorted(map(str, ends)))}")
    found = [p for p in probes if _matches(p.source, source) and _matches(p.target, target)]
    if not found:
        raise ProveError("no probe has that source and that target")
    return found


def _matches(party: Party, pattern: str | None) -> bool:
    return pattern is None or fnmatch.fnmatchcase(str(party), pattern) or party.name == pattern


def _drilled(findings: list[Finding], form: str, run_id: str, seconds: float) -> int:
    show = drilled.as_json if form == "json" else drilled.as_table
    print(show(findings, run=run_id, seconds=seconds), end="")
    if any(finding.error for finding in findings):
        return Exit.COULD_NOT
    return Exit.CLEAN if all(finding.ok for finding in findings) else Exit.FOUND


def _show(
    graph: Graph,
    options: argparse.Namespace,
    results: list[Result],
    run_id: str,
    seconds: float,
    untried: Sequence[Untried] = (),
) -> None:
    if options.picture:
        options.picture.write_text(as_svg(results, f"{graph.name}: who may call whom, as seen by the probes"))
    if options.format == "json":
        print(report.as_json(results, run=run_id, seconds=seconds, untried=untried), end="")
    else:
        told = report.as_table(
            results, seconds=seconds, colour=report.coloured(sys.stdout, os.environ), untried=untried
        )
        print(told, end="")


def _say(message: str) -> None:
    print(f"garrison prove: {message}", file=sys.stderr, flush=True)


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0.1 <= float(text) <= 60:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds between 0.1 and 60")


def parser() -> argparse.ArgumentParser:
    """The options, with the program."""
    made = argparse.ArgumentParser(prog="garrison prove", description=DESCRIPTION)
    made.add_argument("--app", type=Path, default=program.DEFAULT, help="the program or graph (default: %(default)s)")
    add_arguments(made)
    return made


def main(arguments: Sequence[str]) -> int:
    """Probe the cluster; 0 as declared, 1 a deviation, 2 a probe could not be run."""
    options = parser().parse_args(arguments)
    return run(program.graph_of(options.app), options)
