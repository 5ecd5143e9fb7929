"""Trials at the edge, one after the other: what is counted there is counted in their order."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final

from garrison.errors import GarrisonError
from garrison.prove.expect.messages import CannotFitError, Message, compose
from garrison.prove.judge import entry as judge
from garrison.prove.look.entry import Entry, unthrottled
from garrison.prove.look.tickets import NotHadError, Tokens
from garrison.prove.model import Probe, Result, Seen
from garrison.prove.trials import CLOSED, Answer, Trial, Try, Untried

READS: Final = ("GET", "HEAD")
LIMIT_MOST: Final = 300  # requests of one trial of a limit, in each replica
SIDE_BY_SIDE: Final = 16  # requests of one trial of a limit
MORE: Final = 1.5  # times a limit, so that what is filled up meanwhile does not hide that there is none


@dataclass(frozen=True)
class Sent:
    """One request as the edge called it, and whether its answer was a refusal."""

    request_id: str
    trial: Trial
    refused: bool
    at: float = field(default_factory=time.monotonic)
    """When it was answered, of `time.monotonic`."""


@dataclass(eq=False)
class Trying:
    """Tries at one edge."""

    entry: Entry
    tokens: Tokens
    replicas: int = 1
    sent: list[Sent] = field(default_factory=list)

    def __call__(self, probes: Sequence[Probe]) -> list[Seen]:
        """What came of each."""
        return [self._safely(_trial(probe)) for probe in probes]

    def _safely(self, trial: Trial) -> Seen:
        try:
            return self.one(trial)
        except (GarrisonError, ValueError, KeyError) as error:
            return Seen("error", None, f"the probe could not be run: {error}")

    def one(self, trial: Trial) -> Seen:
        message = ripe(trial, self.tokens, self.entry.port_in_urls)
        if trial.kind == Try.LIMIT:
            started = time.monotonic()
            answer = self._until_limited(trial, message)
            return judge.over_limit(trial, answer, self.replicas, time.monotonic() - started)
        return judge.read(trial, unthrottled(lambda: self._send(trial, message)))

    def _send(self, trial: Trial, message: Message) -> Answer:
        answer = self.entry.send(message, trusting=CLOSED in trial.statuses)
        if answer.request_id:
            self.sent.append(Sent(answer.request_id, trial, answer.status in trial.statuses))
        return answer

    def _until_limited(self, trial: Trial, message: Message) -> Answer:
        """Side by side: one after the other a handshake takes longer than a limit a second takes to fill again."""
        assert trial.rate
        left, passed = int(trial.rate.requests * self.replicas * MORE) + 2, 0
        with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
            while left > 0:
                wave = [*pool.map(lambda _: self._send(trial, message), range(min(left, SIDE_BY_SIDE)))]
                stopped = [answer for answer in wave if answer.status in (429, CLOSED)]
                passed, left = passed + len(wave) - len(stopped), left - len(wave)
                if stopped:
                    return replace(stopped[0], passed=passed)
        return replace(wave[-1], passed=passed)


def written(trial: Trial, tokens: Tokens, port: int = 443) -> Message:
    """The request of a trial with a token of whom it takes; raises NotHadError or CannotFitError."""
    return compose(trial, tokens.give(trial.want) if trial.want else None, port)


def ripe(trial: Trial, tokens: Tokens, port: int = 443) -> Message:
    """The same, as soon as its token is what the trial wants: all were asked for long before, so this rarely waits."""
    if trial.want:
        time.sleep(max(0.0, tokens.give(trial.want).since - time.time()))
    return written(trial, tokens, port)


def possible(trials: Iterable[Trial], tokens: Tokens, *, reads_only: bool = False) -> tuple[list[Trial], list[Untried]]:
    """What can be tried, and why the rest cannot. Every token is asked for now: what cannot be had is known before.

    With `reads_only`, nothing that could change anything even if no protection were there (RFC 9110 section 9.2.1).
    """
    can: list[Trial] = []
    cannot: list[Untried] = []
    for trial in trials:
        if reads_only and trial.shape.method not in READS:
            cannot.append(Untried(trial, "it is no read, and --reads-only was given"))
            continue
        if trial.rate and trial.rate.requests > LIMIT_MOST:
            cannot.append(Untried(trial, f"it would take more than {LIMIT_MOST} requests"))
            continue
        try:
            written(trial, tokens)
        except (NotHadError, CannotFitError) as error:
            cannot.append(Untried(trial, str(error)))
        else:
            can.append(trial)
    return can, cannot


def distrusted(results: Iterable[Result]) -> tuple[list[Result], list[Untried]]:
    """A refusal at a route whose well-formed request was not seen to pass shows nothing: it is as good as not tried."""
    found = list(results)
    throttled = [r for r in found if _is_trial(r) and r.seen.throttled]
    over = {_place(_trial(r.probe)): r.seen.reason for r in throttled}
    good = {_place(_trial(r.probe)) for r in found if r.ok and _is_trial(r) and not r.probe.layers}
    hollow = [r for r in found if _is_trial(r) and r.ok and r.probe.layers and _place(_trial(r.probe)) not in good]
    left = {id(result) for result in (*hollow, *throttled)}
    why = "its well-formed request was not seen to pass"
    kept = [result for result in found if id(result) not in left]
    asked = [_trial(result.probe) for result in found if id(result) in left]
    return kept, [Untried(trial, over.get(_place(trial), why)) for trial in asked]


def _is_trial(result: Result) -> bool:
    return isinstance(result.probe.attempt, Trial)


def _trial(probe: Probe) -> Trial:
    assert isinstance(probe.attempt, Trial)
    return probe.attempt


def _place(trial: Trial) -> tuple[str, str, str]:
    """Where its well-formed request goes: for a copy that gets no keys, which lets nothing pass, to what it copies."""
    return trial.host, str(trial.route.operation), "sidecar" if trial.place == "misled" else trial.place
