"""How long a graph takes to become manifests, beside `kubectl kustomize` producing the same objects from plain files.

    PYTHONPATH=components:tests python benchmarks/lowering.py [--kubectl PATH | --mixed]

Prints a table: one row per size with the best of three runs, and how the time grows when the size doubles. The ratio
is between two programs on the same machine in the same run; neither column means much without the other. Then
one with routes as well, and CPU seconds of one `render` alone; and estates of mixed protocols with jobs and hosts
outside, as CPU seconds of both steps (`--mixed`: these alone).
"""

from __future__ import annotations

import argparse
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from garrison import App, Rate, claim, path, render
from unit.mixed import mixed

IMAGE = "registry.example/service@sha256:" + "0" * 64
SIZES = (125, 250, 500, 1000)
CALLS_PER_SERVICE = 5
ROUTES = 100  # for users, with a condition and a limit: some 120 fill the ConfigMap of the edge (1 MiB)


def estate(services: int, routes: int = 0) -> App:
    """A random graph of the size, the same at every run; those with routes forward tokens to whom they call."""
    app = App("estate", trust_domain="estate.example", images={"edge": IMAGE, "envoy": IMAGE, "openbao": IMAGE})
    homes = app.namespaces(*(f"n{i}" for i in range(max(1, services // 20))))
    made = [homes[i % len(homes)].service(f"s{i}", image=IMAGE, port=8080) for i in range(services)]
    chance = random.Random(services)
    pairs = {tuple(chance.sample(range(services), 2)) for _ in range(2 * CALLS_PER_SERVICE * services)}
    for caller, callee in chance.sample(sorted(pairs), CALLS_PER_SERVICE * services):
        made[caller].calls(made[callee], "GET /items/{id}", token="forward" if caller < routes else "none")
    if routes:
        users = app.users()
        api, limit = app.host("api.estate.example"), Rate.per_minute(30, per="user")
        for service in made[:routes]:
            own, to = f"GET /{service.ref.name}/{{id}}", users.group("customers")
            service.serves(own, at=api, to=to, where=claim("customer") == path("id"), rate=limit)
    return app


def best_of_three(action: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def cpu_of(action: Callable[[], object]) -> float:
    """The least of five, in seconds of the processor: what is stable while others work on the machine."""
    times = []
    for _ in range(5):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return min(times)


def of_mixed_protocols() -> None:
    print("workloads  calls  objects  to a graph  to objects  together  growth (CPU)")
    before = 0.0
    for size in SIZES:
        app = mixed(size)
        graph = app.graph()
        both, frozen = cpu_of(lambda: render(app.graph())), cpu_of(app.graph)  # noqa: B023 used at once
        growth = f"x{both / before:.2f}" if before else ""
        numbers = f"{size:9d} {len(graph.calls):6d} {len(render(graph)):8d}"
        print(f"{numbers} {frozen:10.2f}s {both - frozen:10.2f}s {both:8.2f}s  {growth}", flush=True)
        before = both


def write_files(app: App, folder: Path) -> None:
    names = []
    for number, item in enumerate(render(app.graph())):
        names.append(f"{number}.yaml")
        (folder / names[-1]).write_text(yaml.dump(item, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"resources": names}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--mixed", action="store_true")
    chosen = parser.parse_args()
    if not chosen.mixed:
        beside_kustomize(chosen.kubectl)
    of_mixed_protocols()


def beside_kustomize(kubectl: str) -> None:
    print("services   calls  objects  garrison  kustomize   ratio  growth")
    before = 0.0
    for size in SIZES:
        app = estate(size)
        graph = app.graph()
        ours = best_of_three(lambda: render(app.graph()))  # noqa: B023 used at once
        with tempfile.TemporaryDirectory() as folder:
            write_files(app, Path(folder))
            command = [kubectl, "kustomize", folder]
            theirs = best_of_three(lambda: subprocess.run(command, check=True, capture_output=True))  # noqa: B023
        growth = f"x{ours / before:.2f}" if before else ""
        row = f"{size:8d} {len(graph.calls):7d} {len(render(graph)):8d} {ours:8.2f}s {theirs:9.2f}s"
        print(f"{row} {ours / theirs:7.3f}  {growth}", flush=True)
        before = ours
    graph, started = estate(SIZES[-1], ROUTES).graph(), time.process_time()
    objects = len(render(graph))
    print(
        f"{SIZES[-1]:8d} {len(graph.calls):7d} {objects:8d} {time.process_time() - started:8.2f}s with {ROUTES} routes"
    )


if __name__ == "__main__":
    main()
