"""The command `garrison check`: files, what a program derives, or the live cluster, against the rules."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from garrison.findings import Severity, count, ordered, tally
from garrison.report import FORMATS, Report, show
from garrison_policies.exceptions.apply import Outcome, apply
from garrison_policies.exceptions.file import DEFAULT_FILE, PolicyException, load_exceptions
from garrison_policies.language import own
from garrison_policies.language.evaluate import evaluate
from garrison_policies.language.rule import Finding, Rule
from garrison_policies.places.checked import (
    Checked,
    against,
    cluster,
    counted,
    files,
    of_the_cluster,
    program,
    read_cluster,
    read_graph,
)
from garrison_policies.read.files import CheckError
from garrison_policies.rules import RULES, catalogue

if TYPE_CHECKING:
    from garrison.cluster import Cluster
    from garrison.model.graph import Graph

# What Pod Security, CIS and the NSA guide ask for is medium at least; low is advice, on which good manifests differ.
FAIL_ON = "medium"
DESCRIPTION = """Check files, what a program derives, or the live cluster against the rules. Ends with 0 where nothing
is found, with 1 for findings at or above --fail-on, with 2 where the check could not be done, whole or in part."""
LEVELS = {"baseline": {"baseline"}, "restricted": {"baseline", "restricted"}}
ALWAYS = (own.UNREADABLE.id, own.EXPIRED.id)  # whatever is selected: neither is about one rule


def main(arguments: Sequence[str]) -> int:
    """Run `garrison check`; returns its exit code."""
    options = parser().parse_args(arguments)
    return _list(options.format) if options.list else _check(options)


def parser() -> argparse.ArgumentParser:
    """Its options."""
    made = argparse.ArgumentParser(prog="garrison check", description=DESCRIPTION)
    add = made.add_argument
    add(
        "paths",
        nargs="*",
        metavar="PATH",
        help="YAML or JSON, a folder, a kustomization or chart, - for standard input",
    )
    add(
        "--app",
        type=Path,
        help="the program or graph: check what it derives, or that PATHs or the cluster are just that",
    )
    add("--live", action="store_true", help="check the live cluster")
    add("--context", help="with --live: the kubeconfig context")
    add("--kubeconfig", help="with --live: the kubeconfig file (default: as kubectl finds it)")
    add("--system", action="store_true", help="with --live: count findings in the control plane's own objects, too")
    add("--everywhere", action="store_true", help="with --live: count namespaces that Garrison does not manage, too")
    add(
        "--cluster",
        type=Path,
        metavar="FILE",
        help="the stack's file: whose issuer the rules speak of, and with --app whose cluster is derived for",
    )
    add(
        "--fail-on",
        choices=list(map(str, Severity)),
        default=FAIL_ON,
        help="exit 1 from here (default: %(default)s)",
    )
    add("--rules", type=lambda text: text.split(","), metavar="ID,ID", help="these rules only")
    add("--level", choices=LEVELS, help="the rules of this Pod Security level only")
    add("--exceptions", type=Path, metavar="FILE", help=f"default: {DEFAULT_FILE}, where there is one")
    add("--show-excepted", action="store_true", help="also show what exceptions cover")
    add("--format", choices=FORMATS, default="table", help="default: %(default)s")
    add("--list", action="store_true", help="list the rules")
    return made


def _list(form: str) -> int:
    if form != "table":
        rows = [_listed(rule) for rule in (*RULES, *own.RULES)]
        print(json.dumps(rows, indent=2))
        return 0
    for rule in (*RULES, *own.RULES):
        print(f"{rule.severity.name:<9} {rule.id:<34} {rule.title}")
    return 0


def _listed(rule: Rule) -> dict[str, Any]:
    return {
        "rule": rule.id,
        "severity": str(rule.severity),
        "title": rule.title,
        "remedy": rule.remedy,
        "tags": sorted(rule.tags),
        "controls": list(rule.controls),
        "references": list(rule.references),
    }


def _check(options: argparse.Namespace) -> int:
    there = read_cluster(options.cluster)
    rules, today = _chosen(options, there), datetime.datetime.now(tz=datetime.UTC).date()
    exceptions = _exceptions(options.exceptions, {rule.id for rule in rules})
    here, found = _findings(options, rules, there)
    outcome = apply(found, exceptions, here.inventory, today)
    left = list(outcome.open)
    if options.live:  # after the exceptions, so that those for objects that are not counted are not called unused
        left = counted(left, here, system=options.system, everywhere=options.everywhere)
    covered = f", {len(outcome.covered)} covered by exceptions" if outcome.covered else ""
    report = Report(
        name="check",
        findings=ordered(left),
        covered=outcome.covered,
        show_covered=options.show_excepted,
        summary=f"{tally(left)} in {count(len(here.inventory.objects), 'object')}{covered}",
        today=today,
    )
    show(report, options.format, rules=(*RULES, *own.RULES))
    for remark in (*here.remarks, *_remarks(outcome)):
        print(f"garrison: {remark}", file=sys.stderr)
    return int(any(one.severity >= Severity[options.fail_on.upper()] for one in report.findings))


def _findings(
    options: argparse.Namespace, rules: Sequence[Rule], there: Cluster | None
) -> tuple[Checked, list[Finding]]:
    """What is checked, and everything the chosen rules find in it."""
    graph = read_graph(options.app) if options.app else None
    here = _checked(options, graph, there)
    found = [*here.findings, *evaluate(rules, here.inventory)]
    if graph is not None and (options.live or options.paths):
        other = against(graph, there, options.app, here)
        found += other
        if not other:
            here.remarks.append(f"{'the cluster is' if options.live else 'the files are'} what {options.app} derives")
    chosen = {*(rule.id for rule in rules), *ALWAYS}
    found = [one for one in found if one.rule in chosen]
    return here, of_the_cluster(found, here) if options.live else found


def _checked(options: argparse.Namespace, graph: Graph | None, there: Cluster | None) -> Checked:
    if options.live and options.paths:
        raise CheckError("--live and PATHs are two checks; run them one after the other")
    if not options.live and (options.context or options.kubeconfig):
        raise CheckError("--context and --kubeconfig say which cluster; add --live to check one")
    if options.live:
        return cluster(options.context, options.kubeconfig)
    if options.paths:
        return files(options.paths)
    if graph is not None:
        return program(options.app, graph, there)
    raise CheckError("nothing to check; name PATHs, a program with --app, or the cluster with --live")


def _chosen(options: argparse.Namespace, there: Cluster | None) -> tuple[Rule, ...]:
    """The rules that --rules and --level leave, of the issuer that this cluster has."""
    rules = RULES if there is None else catalogue(there.issuer)
    known = {rule.id: rule for rule in (*rules, *own.ESTATE)}
    unknown = [name for name in options.rules or () if name not in known]
    if unknown:
        raise CheckError(f"there is no rule {name!r}; `garrison check --list` has them" for name in unknown)
    chosen = [known[name] for name in options.rules] if options.rules else known.values()
    tags = LEVELS.get(options.level or "")
    return tuple(rule for rule in chosen if tags is None or rule.tags & tags)


def _exceptions(path: Path | None, chosen: set[str]) -> tuple[PolicyException, ...]:
    """The exceptions of the file; those from rules that do not run can be neither used nor unused."""
    if path is None and not DEFAULT_FILE.exists():
        return ()
    return tuple(one for one in load_exceptions(path or DEFAULT_FILE) if one.rule in chosen)


def _remarks(outcome: Outcome) -> list[str]:
    """Exceptions nobody needs any more are found here and nowhere else."""
    remarks = [f"unused exception: {one}; {one.owner} can remove it" for one in outcome.unused]
    if outcome.absent:
        remarks.append(f"{count(len(outcome.absent), 'exception')} for objects that are not in this check")
    return remarks
