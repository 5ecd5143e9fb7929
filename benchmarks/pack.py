"""What the policy pack adds to a preview of the estate: both in one run, by turns, on a running stack.

Run it in the environment of a stack (`source $(make -s env)`): python benchmarks/pack.py [--runs 5]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from pathlib import Path

REPO = Path(__file__).parents[1]
PACK = ["--policy-pack", str(REPO / "policies" / "pack")]


def preview(*more: str) -> float:
    command = ["pulumi", "preview", "--non-interactive", "--stack", "kind", *more]
    start = time.perf_counter()
    subprocess.run(command, cwd=REPO, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--config-file", type=Path, help="the stack's settings, if not stacks/Pulumi.kind.yaml")
    options = parser.parse_args()
    config = ["--config-file", str(options.config_file)] if options.config_file else []
    preview(*config)  # the first one pays for cold files
    pairs = [(preview(*config), preview(*config, *PACK)) for _ in range(options.runs)]
    plain, packed = (statistics.median(times) for times in zip(*pairs, strict=True))
    print("| preview of the estate | s |\n|---|---|")
    print(f"| without the pack | {plain:.1f} |\n| with it | {packed:.1f} |")
    print(
        f"| added | {packed - plain:.1f} ({(packed - plain) / plain:.0%}); allowed 5 % + 2 s = {plain * 0.05 + 2:.1f} |"
    )


if __name__ == "__main__":
    main()
