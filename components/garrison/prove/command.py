"""The command line of `garrison prove`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from garrison import program, prove


def main(arguments: Sequence[str]) -> int:
    """Probe the cluster; 0 as declared, 1 a deviation, 2 a probe could not be run."""
    parser = argparse.ArgumentParser(prog="garrison prove", description=prove.__doc__)
    parser.add_argument("--app", type=Path, default=program.DEFAULT, help="the program or graph (default: %(default)s)")
    prove.add_arguments(parser)
    options = parser.parse_args(arguments)
    return prove.run(program.graph_of(options.app), options)
