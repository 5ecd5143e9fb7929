"""`garrison check` beside checkov and the Kyverno CLI: the same files, in one run, with time and verdicts.

    PYTHONPATH=components:policies:tests python benchmarks/check.py

Prints a Markdown table of times and one of verdicts, and the cases in which tools differ. checkov is installed into an
environment of its own and the Kyverno CLI is built from its module, both into Garrison's cache at the first run; one
that cannot be had is left out and said so. Every time is the best of three runs of the whole program, start-up and all,
which is what a user waits for; CPU time is what is left to compare on a busy machine. They do different amounts:
garrison with all its rules, checkov with all its Kubernetes checks, Kyverno with the two levels of Pod Security only.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from check_tools import CHECKS, KYVERNO_KINDS, Tool, Verdicts, checkov, garrison, kyverno
from lowering import estate

from garrison import render
from garrison_policies.language.objects import Object
from garrison_policies.read.load import load
from policies.shared import CORPORA

SERVICES = 65  # about 500 objects
RUNS = 3


def timed(tool: Tool, paths: list[str]) -> tuple[float, float, str]:
    """The best of the runs, as time and as CPU time, and the output. Findings are no failure; saying nothing is."""
    runs, out = [], ""
    for _ in range(RUNS):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(tool.command(paths), capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        runs.append((time.perf_counter() - start, cpu))
        out = done.stdout
        if not out.strip():
            raise SystemExit(f"{tool.name}: {done.stderr.strip()[-500:]}")
    return min(run[0] for run in runs), min(run[1] for run in runs), out


def write(folder: Path) -> None:
    """What all read: generated manifests, one a file, and the corpora."""
    (folder / "generated").mkdir(parents=True)
    for number, item in enumerate(render(estate(SERVICES).graph())):
        (folder / "generated" / f"{number:04}.yaml").write_text(yaml.safe_dump(item))
    for name in sorted({case["file"] for case in cases()}):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CORPORA / name, target)


def rename(objects: Sequence[Object], folder: Path) -> None:
    """The same objects under names of their own, one a file.

    Kyverno's CLI ends with a panic when two have the same name, reads nothing when one document holds only comments,
    and its report names no files.
    """
    folder.mkdir()
    for number, item in enumerate(objects):
        named = {**item.body, "metadata": {**item.metadata, "name": f"o{number}"}}
        (folder / f"o{number}.yaml").write_text(yaml.safe_dump(named))


def cases() -> list[dict[str, str]]:
    with (CORPORA / "CASES.tsv").open() as table:
        return list(csv.DictReader(table, delimiter="\t"))


def verdict(case: dict[str, str], verdicts: Verdicts) -> str:
    broken = verdicts.get(case["canonical"], set())
    file = "/".join(Path(case["file"]).parts[-2:])
    hit = any(k[0] == file for k in broken) if case["unit"] == "file" else (file, case["kind"], case["name"]) in broken
    return "fail" if hit else "pass"


def times(tools: Iterable[Tool], files: Path, renamed: Path, objects: int) -> None:
    print(f"\n{objects} objects, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start\n")
    print("| tool | time | CPU time | objects per CPU second | start-up (one object) | its CPU time |")
    print("|---|---|---|---|---|---|")
    for tool in tools:
        wall, cpu, out = timed(tool, [str(renamed if tool.own_names else files)])
        tool.verdicts = tool.read(out)
        start, start_cpu, _ = timed(tool, [str(renamed / "o0.yaml")])
        row = f"{wall:.2f} s | {cpu:.2f} s | {objects / cpu:.0f} | {start:.2f} s | {start_cpu:.2f} s"
        print(f"| {tool.name} | {row} |", flush=True)


def compare(tools: list[Tool]) -> None:
    """Right verdicts on the corpora, of the controls both have."""
    by_name = {tool.name.split()[0]: tool for tool in tools}
    if "checkov" not in by_name:
        return
    shared = [case for case in cases() if case["canonical"] in CHECKS]
    print("\n| control | cases | garrison right | checkov right |\n|---|---|---|---|")
    for control in sorted({case["canonical"] for case in shared}):
        these = [case for case in shared if case["canonical"] == control]
        right = [sum(verdict(c, by_name[n].verdicts) == c["verdict"] for c in these) for n in ("garrison", "checkov")]
        print(f"| {control} | {len(these)} | {right[0]} | {right[1]} |")
    for case in shared:
        ours, theirs = (verdict(case, by_name[name].verdicts) for name in ("garrison", "checkov"))
        if ours != theirs:
            what = f"{case['case_id']} ({case['name'] or 'file'}): expected {case['verdict']}"
            print(f"- {what}, garrison {ours}, checkov {theirs}")


def levels(ours: Tool, theirs: Tool, renamed: Path) -> None:
    """Which workloads break a level of Pod Security, by garrison and by Kyverno; of the kinds both know."""
    print("\n| level | broken by both | by garrison alone | by Kyverno alone |\n|---|---|---|---|")
    alone: list[str] = []
    for level in ("baseline", "restricted"):
        rows: list[dict[str, Any]] = json.loads(run([*ours.command([str(renamed)]), "--level", level]))
        found = [row["object"] for row in rows if row["rule"] != "unreadable-document"]
        mine = {("", item["kind"], item["name"]) for item in found if item["kind"] in KYVERNO_KINDS}
        yours = theirs.verdicts.get(level, set())
        print(f"| {level} | {len(mine & yours)} | {len(mine - yours)} | {len(yours - mine)} |")
        for name, sets in (("garrison", mine - yours), ("Kyverno", yours - mine)):
            alone += [f"- {level}, {name} alone: {kind} {number}" for _, kind, number in sorted(sets)]
    print("\n".join(["", *alone]))


def run(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def main() -> None:
    if not CORPORA.is_dir():
        raise SystemExit(
            f"{CORPORA}: the corpora to compare on are not here; put them there, see tests/policies/shared.py"
        )
    tools = [tool for tool in (garrison(), checkov(), kyverno()) if tool is not None]
    with tempfile.TemporaryDirectory() as scratch:
        files, renamed = Path(scratch, "files"), Path(scratch, "renamed")
        write(files)
        objects = load([str(files)]).objects
        rename(objects, renamed)
        times(tools, files, renamed, len(objects))
        compare(tools)
        if tools[-1].own_names:
            levels(tools[0], tools[-1], renamed)


if __name__ == "__main__":
    main()
