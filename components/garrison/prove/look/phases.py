"""The run itself: the estate as it is, then each layer alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace

from garrison.manifest import Manifest
from garrison.prove.look.execute import Runner
from garrison.prove.look.session import Session
from garrison.prove.model import Phase, Probe, Result, Seen
from garrison.words import Ref

PHASES: tuple[Phase, ...] = ("closed", "identity open", "network open")
PATIENCE = 20.0  # how long network rules may take to reach every node, and a restarted pod to come back
PAUSE = 0.5
ROUNDS = 3  # however slow a machine is


def prove(session: Session, runner: Runner, probes: Sequence[Probe], admin: Ref) -> list[Result]:
    """Every probe's result. A target that changed under the probes makes its refusals worthless, so they are errors."""
    before = session.finder.targets()
    found: list[Result] = []
    for phase in PHASES:
        mine = [probe for probe in probes if probe.phase == phase]
        if mine:
            session.say(f"{len(mine)} probes, {_title(phase)}")
            with session.open_network() if phase == "network open" else nullcontext():
                found += settled(mine, lambda some: runner.run(some, session.world(some, admin)))
    after = session.finder.targets()
    moved = {party for party, pod in before.items() if _what(after.get(party)) != _what(pod)}
    return [_distrust(result) if result.probe.target in moved else result for result in found]


def settled(
    probes: Sequence[Probe],
    run: Callable[[Sequence[Probe]], list[Result]],
    *,
    patience: float = PATIENCE,
    done: Callable[[Result], bool] = lambda result: result.ok,
) -> list[Result]:
    """Run until every result is as it should be or patience ends: rules and pods take a moment to be in force."""
    deadline = time.monotonic() + patience
    results = {result.probe: result for result in run(probes)}
    rounds = 1
    while waiting := [probe for probe in probes if not done(results[probe])]:
        if time.monotonic() > deadline and rounds >= ROUNDS:
            break
        rounds += 1
        time.sleep(PAUSE)  # between two looks at the condition
        results |= {result.probe: result for result in run(waiting)}
    return [results[probe] for probe in probes]


def _title(phase: Phase) -> str:
    titles = {
        "closed": "every layer in place",
        "identity open": "the network alone (at copies that accept every identity)",
        "network open": "identity alone (with the network opened for the probe pods)",
    }
    return titles[phase]


def _what(pod: Manifest | None) -> tuple[str, str] | None:
    return (pod["metadata"]["uid"], pod["status"]["podIP"]) if pod else None


def _distrust(result: Result) -> Result:
    if result.seen.verdict != "refused" or result.probe.phase == "identity open":  # those go to the run's own copies
        return result
    reason = f"{result.probe.target} was replaced during the run: run it again ({result.seen.reason})"
    return replace(result, seen=Seen("error", None, reason))
