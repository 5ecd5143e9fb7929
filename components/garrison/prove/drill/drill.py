"""The drill: take each generated protection away in turn; the probes must turn red, and green again afterwards."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from garrison.prove.drill import edge
from garrison.prove.drill.change import NOTICE_SECONDS, Change
from garrison.prove.drill.cuts import Cut, cuts
from garrison.prove.drill.findings import NOTICED, Finding
from garrison.prove.judge.report import sentence
from garrison.prove.judge.verdict import gave_way
from garrison.prove.look.phases import settled
from garrison.prove.look.session import Session
from garrison.prove.model import Party, Probe, ProveError, Result

RECOVERY_SECONDS = 90.0
FOREIGN = " without trust domain"


@dataclass(frozen=True)
class Drill:
    """One drill in a session whose pods are running."""

    change: Change

    @property
    def session(self) -> Session:
        return self.change.session

    def choose(self, patterns: Sequence[str]) -> list[Cut]:
        """Every cut whose name matches one of the patterns, each of which must match something."""
        graph, kubectl = self.session.graph, self.session.kubectl
        known = (*cuts(graph, kubectl, self.session.cluster.store), *edge.cuts(graph, kubectl))
        for pattern in patterns:
            if not any(fnmatch.fnmatchcase(cut.what, pattern) for cut in known):
                raise ProveError(f"no protection matches {pattern!r}; there is, for example, 'NetworkPolicy *'")
        return [cut for cut in known if any(fnmatch.fnmatchcase(cut.what, pattern) for pattern in patterns)]

    def run(self, probes: Sequence[Probe], selected: Sequence[Cut]) -> list[Finding]:
        """Make each cut and look whether the probes notice; what is not as declared before a cut ends the drill."""
        chosen = [cut for cut in selected if self._can_be_noticed(cut)]
        findings: list[Finding] = []
        for i, cut in enumerate(chosen, 1):
            self.session.say(f"drill {i} of {len(chosen)}: {cut.what}")
            findings.append(self._one(cut, probes))
            if findings[-1].verdict != NOTICED:
                self.session.say(f"drill {i} of {len(chosen)}: {findings[-1].verdict}")
            if findings[-1].error:
                break
        if not any(finding.tried for finding in findings):
            raise ProveError("no probe of this run can notice any of it: there is nothing to drill")
        return findings

    def _can_be_noticed(self, cut: Cut) -> bool:
        """No certificate can show that a check of the domain is gone where the authority signs for one domain only."""
        return self.session.issues_foreign or not cut.what.endswith(FOREIGN)

    def _one(self, cut: Cut, probes: Sequence[Probe]) -> Finding:
        if not (mine := [probe for probe in probes if cut.affected(probe)]):
            return Finding(cut.what, cut.layer, "", (), recovered=True, tried=False)
        with self.session.open_network() if cut.open_network else nullcontext():
            self.session.anew(cut.copies, cut.variant)  # the pods they are sent to may have been replaced since
            before = [result for result in settled(mine, self._run, patience=RECOVERY_SECONDS) if not result.ok]
            if before:
                return Finding(cut.what, cut.layer, "", (), recovered=True, error=sentence(before[0]))
            with self.change.made(cut):
                self.session.anew(cut.copies, cut.variant)
                seen = self._until_noticed(cut, mine)
            self.session.anew(cut.copies, cut.variant)
            back = settled(mine, self._run, patience=RECOVERY_SECONDS)
        wrong = [result for result in seen if gave_way(result)]
        missed = tuple(str(p) for p in cut.everyone if not any(r.probe.target == p for r in wrong))
        recovered = all(result.ok for result in back)
        return Finding(cut.what, cut.layer, sentence(wrong[0]) if wrong else "", missed, recovered)

    def _run(self, probes: Sequence[Probe]) -> list[Result]:
        return self.change.runner.run(probes, self.session.world(probes, self.change.admin))

    def _until_noticed(self, cut: Cut, probes: Sequence[Probe]) -> list[Result]:
        """Red at every place the cut concerns; one red probe there is enough, and the rest need not be repeated."""
        red: set[Party | None] = set()

        def run(some: Sequence[Probe]) -> list[Result]:
            found = self._run(some)
            red.update(result.probe.target if cut.everyone else None for result in found if gave_way(result))
            return found

        def done(result: Result) -> bool:
            return (result.probe.target if cut.everyone else None) in red

        return settled(probes, run, patience=NOTICE_SECONDS, done=done)


def concerned(probes: Sequence[Probe], selected: Sequence[Cut]) -> list[Probe]:
    """The probes that one of the cuts can turn red: a drill needs the pods of these alone."""
    return [probe for probe in probes if any(cut.affected(probe) for cut in selected)]
