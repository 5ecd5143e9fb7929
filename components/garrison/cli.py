"""The command `garrison`: render and graph here, the other verbs in modules of their own.

Bad input ends in one clear line and a non-zero exit code. A verb of `ELSEWHERE` is imported when it is
asked for, so that `garrison check` starts without the probes and the other way round.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from garrison.declare import program
from garrison.derive import render
from garrison.errors import IntentError
from garrison.explain import diagram
from garrison.model.graph import Graph
from garrison.settings import SettingsError, cluster_of
from garrison.version import VERSION

DRAWINGS: dict[str, Callable[[Graph], str]] = {
    "table": diagram.table,
    "mermaid": diagram.mermaid,
    "svg": diagram.svg,
    "json": Graph.to_json,
}
# verb -> the module whose `main(arguments)` runs it and returns the exit code, and what it is for
ELSEWHERE: dict[str, tuple[str, str]] = {
    "prove": ("garrison.prove.command", "probe the live cluster: what is declared, and the rest"),
    "check": (
        "garrison_policies.commands.check",
        "policy rules on files, on rendered manifests or on the live cluster",
    ),
    "changes": ("garrison.explain.command", "what a change means: who may newly do what, who no longer"),
    "exceptions": (
        "garrison_policies.commands.exceptions",
        "the exceptions to policy rules, with days left",
    ),
    "files": ("garrison.places", "where the policy pack, the exceptions and the probe tool of this installation are"),
    "scan": (
        "garrison_supply.scan.command",
        "vulnerabilities, secrets, misconfiguration, licences, signatures",
    ),
    "outdated": ("garrison_supply.outdated.command", "what is behind: dependencies, base packages, charts and tools"),
    "ci": ("garrison_supply.pipelines.command", "check workflows of CI systems"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 0 done, 1 refused, 2 could not be done."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given and given[0] in ELSEWHERE:
            verb: int = importlib.import_module(ELSEWHERE[given[0]][0]).main(given[1:])
            return verb
        options = _parser().parse_args(given)
        graph = program.graph_of(options.app)
        code: int = options.run(graph, options)
        return code
    except (IntentError, SettingsError, program.ProgramError) as error:
        print(f"garrison: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        print("garrison: interrupted; run the same command again", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="garrison", description="Zero-trust Kubernetes from one declared call graph.")
    parser.add_argument("--version", action="version", version=f"garrison {VERSION}")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--app", type=Path, default=program.DEFAULT, help="the program or graph (default: %(default)s)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    draw = commands.add_parser("graph", parents=[shared], help="show the declared graph as a table, picture or JSON")
    draw.add_argument("--format", choices=DRAWINGS, default="table", help="default: %(default)s")
    draw.set_defaults(run=_draw)

    manifests = commands.add_parser("render", parents=[shared], help="write every Kubernetes manifest as YAML")
    manifests.add_argument(
        "--cluster", type=Path, metavar="FILE", help="the stack's file: names and addresses of a cluster"
    )
    manifests.set_defaults(run=_render)

    for name, (_, text) in ELSEWHERE.items():
        commands.add_parser(name, help=text)
    return parser


def _draw(graph: Graph, options: argparse.Namespace) -> int:
    print(DRAWINGS[options.format](graph), end="")
    return 0


def _render(graph: Graph, options: argparse.Namespace) -> int:
    import yaml  # here alone: the other commands start without it

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    there = cluster_of(options.cluster) if options.cluster else None
    yaml.dump_all(render(graph, there), sys.stdout, Dumper=dumper, sort_keys=False, explicit_start=True, width=1000)
    return 0
