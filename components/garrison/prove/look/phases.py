"""The run itself: the estate as it is, then each layer alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace

from garrison.manifest import Manifest
from garrison.prove.judge.verdict import leaked
from garrison.prove.look.execute import Runner
from garrison.prove.look.session import Session
from garrison.prove.model import FREE, Kind, Party, Phase, Probe, Result, Seen
from garrison.words import Ref

PHASES: tuple[Phase, ...] = ("closed", "identity open", "network open")
PATIENCE = 40.0  # how long network rules may take to reach every node, and a restarted pod to come back
PAUSE = 0.5
ROUNDS = 3  # however slow a machine is


def prove(
    session: Session, runner: Runner, probes: Sequence[Probe], controls: Sequence[Probe], admin: Ref
) -> list[Result]:
    """Every probe's result. A target that changed under the probes makes its refusals worthless, so they are errors."""
    before = session.finder.targets()
    found: list[Result] = []
    for phase in PHASES:
        mine = [probe for probe in probes if probe.phase == phase]
        if mine:
            session.say(f"{len(mine)} probes, {_title(phase)}")
            with session.open_network() if phase == "network open" else nullcontext():
                found += believed(
                    mine,
                    [probe for probe in controls if probe.phase == phase],
                    lambda some: runner.run(some, session.world(some, admin)),
                )
    after = session.finder.targets()
    moved = {party for party, pods in before.items() if _which(after.get(party, ())) != _which(pods)}
    return [_distrust(result) if result.probe.target in moved else result for result in found]


def controls_of(everything: Sequence[Probe], chosen: Sequence[Probe]) -> list[Probe]:
    """What tells that rules are in force: whatever has to pass, and refusals between pods of the run's own.

    The latter because a new pod may be open before its policies have come to its node. They are asked again with the
    rest, when the answer counts; nothing that the estate itself refuses is ever asked twice.
    """
    sources, targets = ({p.source for p in chosen}, {p.target for p in chosen})
    found = dict.fromkeys(probe for probe in chosen if not probe.layers)
    copies: set[Party] = set()
    for probe in everything:
        if probe.kind in (Kind.UNDECLARED_DESTINATION, Kind.CONTROL) and (
            probe.source in sources if probe.source != FREE else probe.target in targets
        ):
            found[probe] = None
    for probe in chosen:
        if probe.phase == "identity open" and probe.layers and probe.target not in copies:
            copies.add(probe.target)
            found[probe] = None
    return list(found)


def believed(
    probes: Sequence[Probe],
    controls: Sequence[Probe],
    run: Callable[[Sequence[Probe]], list[Result]],
    *,
    patience: float = PATIENCE,
) -> list[Result]:
    """Wait once, for the controls; from then on a probe that gets further than it may has done so for good.

    What was not carried out, or not stopped where it should have been but before, is looked at again until patience
    ends: a second look can only add to what is known, and never take a leak back.
    """
    settled(controls, run, patience=patience, done=lambda result: result.ok or result.seen.throttled)
    return settled(
        probes, run, patience=patience, done=lambda result: result.ok or result.seen.throttled or leaked(result)
    )


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


def _which(pods: Sequence[Manifest]) -> set[tuple[str, str]]:
    return {(pod["metadata"]["uid"], pod["status"]["podIP"]) for pod in pods}


def _distrust(result: Result) -> Result:
    if result.seen.verdict != "refused" or result.probe.phase == "identity open":  # those go to the run's own copies
        return result
    reason = f"{result.probe.target} was replaced during the run: run it again ({result.seen.reason})"
    return replace(result, seen=Seen("error", None, reason))
