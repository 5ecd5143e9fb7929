"""`garrison render`: the estate's manifests as one stream, or all that a cluster needs as a folder for GitOps."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from garrison.declare import program
from garrison.derive import render
from garrison.exits import Exit
from garrison.settings import Settings, cluster_of, parse, settings_of
from garrison_stack import files
from garrison_stack.whole import whole


def parser() -> argparse.ArgumentParser:
    """Its options."""
    made = argparse.ArgumentParser(
        prog="garrison render",
        description="Write the estate's manifests as YAML, or with -o everything that a cluster needs as a folder: "
        "admission, platform and estate in their order, for Argo CD and Flux, and what the secret store has to hold.",
    )
    text = "the program or graph (default: %(default)s)"
    made.add_argument("--app", type=Path, default=program.DEFAULT, help=text)
    text = "the stack's file: names and addresses of a cluster, and with -o all its settings"
    made.add_argument("--cluster", type=Path, metavar="FILE", help=text)
    made.add_argument("-o", "--output", type=Path, metavar="DIR", help="write all of it there; docs/gitops.md")
    text = "with -o: where DIR is in the repository that Flux reads (default: DIR)"
    made.add_argument("--path", metavar="PATH", help=text)
    text = "with -o: exceptions to policy rules (default: GARRISON_EXCEPTIONS, or those of this installation)"
    made.add_argument("--exceptions", type=Path, metavar="FILE", help=text)
    return made


def main(arguments: Sequence[str]) -> int:
    """Write; raises a GarrisonError for what cannot be derived or rendered, and has then written nothing."""
    options = parser().parse_args(arguments)
    graph = program.graph_of(options.app)
    if options.output is None:
        there = cluster_of(options.cluster) if options.cluster else None
        print(files.stream(render(graph, there)), end="")
        return Exit.CLEAN
    what = whole(graph, _settings(options.cluster), exceptions=options.exceptions)
    files.write(what, options.output, options.path or _in_repository(options.output))
    print(f"{options.output}: {len(what.steps())} steps, and store.json", file=sys.stderr)
    return Exit.CLEAN


def _in_repository(folder: Path) -> str:
    """Where somebody who names a folder from the root of a repository means it to be."""
    return folder.name if folder.is_absolute() else str(folder)


def _settings(file: Path | None) -> Settings:
    return settings_of(file, os.environ) if file else parse({}, os.environ)
