"""The drill: take each generated protection away in turn; the probes must turn red, and green again afterwards."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from garrison import defaults as d
from garrison.derive.secrets import StoreObject, needs_store, store_objects
from garrison.prove.drill import keep
from garrison.prove.drill.cuts import POD_SECURITY, Cut, cuts
from garrison.prove.drill.findings import Finding
from garrison.prove.judge.report import sentence
from garrison.prove.look.execute import Runner
from garrison.prove.look.phases import settled
from garrison.prove.look.pods import LABEL
from garrison.prove.look.session import Session
from garrison.prove.model import Layer, Party, Probe, ProveError, Result
from garrison.words import Ref

NOTICE_SECONDS = 30.0
RECOVERY_SECONDS = 90.0
POLL_SECONDS = 0.5
DEPTH: tuple[Layer, ...] = (  # how far a refused probe got
    "workload",  # also what a pod that is being stopped looks like
    "network",
    "identity",
    "authorization",
    "store",
    "database",
    "rbac",
    "admission",
)
AT_ONCE = ("--grace-period=1", "--wait=false", "--ignore-not-found")


@dataclass(frozen=True)
class Drill:
    """One drill in a session whose pods are running."""

    session: Session
    runner: Runner
    admin: Ref

    @contextmanager
    def mended(self) -> Iterator[None]:
        """Put back what a killed drill had taken away: objects before the probe pods start, the store's part after."""
        graph, kubectl = self.session.graph, self.session.kubectl
        found = keep.restore(kubectl, graph.namespaces[0])
        if found:
            self.session.say(f"putting back what an interrupted drill had changed: {', '.join(found)}")
            self._restart([*graph.by_ref, *(database.ref for database in graph.databases)])
        yield
        keep.restore(kubectl, graph.namespaces[0], self.rewrite)

    def run(self, probes: Sequence[Probe], patterns: Sequence[str]) -> list[Finding]:
        """Every cut whose name matches one of the patterns, each of which must match something."""
        known = list(cuts(self.session.graph, self.session.kubectl))
        for pattern in patterns:
            if not any(fnmatch.fnmatchcase(cut.what, pattern) for cut in known):
                raise ProveError(f"no protection matches {pattern!r}; there is, for example, 'NetworkPolicy *'")
        chosen = [cut for cut in known if any(fnmatch.fnmatchcase(cut.what, pattern) for pattern in patterns)]
        findings: list[Finding] = []
        for i, cut in enumerate(chosen, 1):
            self.session.say(f"drill {i} of {len(chosen)}: {cut.what}")
            findings.append(self._one(cut, probes))
            if not findings[-1].ok:
                self.session.say(f"drill {i} of {len(chosen)}: {findings[-1].verdict}")
        return findings

    def _one(self, cut: Cut, probes: Sequence[Probe]) -> Finding:
        mine = [probe for probe in probes if cut.affected(probe)]
        with self.session.open_network() if cut.open_network else nullcontext():
            self.session.mislead_anew(cut.misled)  # the pods they are sent to may have been replaced since
            before = [result for result in settled(mine, self._run, patience=RECOVERY_SECONDS) if not result.ok]
            if before or not mine:
                raise ProveError(f"{cut.what}: {sentence(before[0]) if before else 'no probe concerns it'}")
            with self._made(cut):
                self.session.mislead_anew(cut.misled)
                seen = self._until_noticed(cut, mine)
            self.session.mislead_anew(cut.misled)
            back = settled(mine, self._run, patience=RECOVERY_SECONDS)
        wrong = [result for result in seen if gave_way(result)]
        missed = tuple(str(p) for p in cut.everyone if not any(r.probe.target == p for r in wrong))
        recovered = all(result.ok for result in back)
        return Finding(cut.what, cut.layer, sentence(wrong[0]) if wrong else "", missed, recovered)

    def _run(self, probes: Sequence[Probe]) -> list[Result]:
        return self.runner.run(probes, self.session.world(probes, self.admin))

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

    # --- cutting and mending -----------------------------------------------------------------------------------------

    @contextmanager
    def _made(self, cut: Cut) -> Iterator[None]:
        kubectl, home = self.session.kubectl, self.session.graph.namespaces[0]
        keep.save(kubectl, home, cut.originals, cut.store.path if cut.store else "")
        try:
            self._cut(cut)
            yield
        finally:
            keep.restore(kubectl, home, self.rewrite)
            self._restart(cut.restart)

    def _cut(self, cut: Cut) -> None:
        kubectl, instead = self.session.kubectl, {keep.name(item): item for item in cut.weaker}
        for original in cut.originals:
            if original["kind"] == "Namespace":
                self._unlabel(original["metadata"]["name"])
            elif keep.name(original) in instead:
                keep.replace(kubectl, instead[keep.name(original)])
            else:
                keep.remove(kubectl, original)
        if cut.store:
            self.write(cut.weaker_store or StoreObject(cut.store.path, {}), delete=cut.weaker_store is None)
        self._restart(cut.restart)

    def _unlabel(self, namespace: str) -> None:
        """As soon as the API server has noticed that the policy which guards the label is gone."""
        deadline = time.monotonic() + NOTICE_SECONDS
        command = ("label", "namespace", namespace, f"{POD_SECURITY}-")
        while self.session.kubectl.attempt(*command)[0]:
            if time.monotonic() > deadline:
                self.session.kubectl.run(*command)
            time.sleep(POLL_SECONDS)

    def _restart(self, refs: Sequence[Ref]) -> None:
        """Pods read their configuration when they start."""
        for namespace in sorted({ref.namespace for ref in refs}):
            names = ",".join(ref.name for ref in refs if ref.namespace == namespace)
            chosen = f"--selector={d.NAME} in ({names}),!{LABEL}"
            self.session.kubectl.run("delete", "pods", f"--namespace={namespace}", chosen, *AT_ONCE)
        services = self.session.graph.by_ref
        for ref in refs:
            kind = "deployment" if ref in services else "statefulset"
            self.session.kubectl.run("rollout", "status", f"{kind}/{ref.name}", f"--namespace={ref.namespace}")

    def rewrite(self, path: str) -> None:
        """An object of the secret store as the graph wants it."""
        self.write(next(item for item in store_objects(self.session.graph) if item.path == path))

    def write(self, item: StoreObject, *, delete: bool = False) -> None:
        """At the secret store, as its administrator, from a probe pod that can reach it."""
        graph = self.session.graph
        source = next(s for s in graph.services if needs_store(graph, s.ref))
        party = Party("service", source.namespace, source.name)
        self.runner.as_administrator(party, self.admin, "DELETE" if delete else "POST", item.path, dict(item.body))


def gave_way(result: Result) -> bool:
    """A probe that got further than it may, or not as far as it must; not one that met a pod on its way out."""
    probe, seen = result.probe, result.seen
    if result.ok or seen.verdict == "error":
        return False
    if probe.expected == "allowed" or seen.layer is None:
        return True
    return DEPTH.index(seen.layer) > max(DEPTH.index(layer) for layer in probe.layers)
