"""Making one cut and undoing it, come what may; and undoing what a killed drill had made."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from garrison import defaults as d
from garrison.derive.secrets import StoreObject, needs_store
from garrison.prove.drill import keep
from garrison.prove.drill.cuts import POD_SECURITY, Cut
from garrison.prove.drill.journal import Kept
from garrison.prove.drill.keep import Original
from garrison.prove.drill.safe import Safe
from garrison.prove.look.alone import undisturbed
from garrison.prove.look.execute import Runner
from garrison.prove.look.pods import LABEL
from garrison.prove.look.session import Session
from garrison.prove.model import Party, ProveError
from garrison.words import Ref

NOTICE_SECONDS = 30.0
POLL_SECONDS = 0.5
AT_ONCE = ("--grace-period=1", "--wait=false", "--ignore-not-found")


@dataclass(frozen=True)
class Change:
    """What a drill does to the estate of one session."""

    session: Session
    runner: Runner
    admin: Ref
    safe: Safe

    # --- an earlier drill --------------------------------------------------------------------------------------------

    def mend(self) -> Kept | None:
        """Put back the objects that a killed drill had changed; what it had changed in the store is still to do."""
        left = self.safe.left()
        if left is None:
            return None
        if left.names:
            self.session.say(f"putting back what an interrupted drill had changed: {', '.join(left.names)}")
        with undisturbed():
            self.safe.put_back(left, None)
        graph = self.session.graph
        if any(item.body["kind"] == "ConfigMap" for item in left.objects):
            self._restart([*graph.by_ref, d.EDGE, d.EGRESS, *(database.ref for database in graph.databases)])
        return Kept((), left.store) if left.store else None

    def finish(self, left: Kept | None) -> None:
        """The store's part, when there are pods that reach it."""
        if left is None:
            return
        if self.administrator is None:
            self.session.say(
                f"{', '.join(left.names)} is still as an interrupted drill left it: no service of this"
                " program reaches the secret store; deploy the program that does, and prove that"
            )
            return
        with undisturbed():
            self.safe.put_back(left, self.write)

    # --- this one ----------------------------------------------------------------------------------------------------

    @contextmanager
    def made(self, cut: Cut) -> Iterator[None]:
        """The estate without one protection, inside the `with` alone."""
        kept = Kept(tuple(map(Original.of, cut.originals)), cut.store)
        self.safe.save(kept)
        try:
            self._cut(cut)
            yield
        finally:
            with undisturbed():
                self.safe.put_back(kept, self.write)
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
        """Pods read their configuration when they start. What is not deployed has none to read."""
        kubectl = self.session.kubectl
        graph = self.session.graph
        kept = {*(service.ref for service in graph.services if service.stateful), *(x.ref for x in graph.databases)}
        kinds = {"deployment": {*graph.by_ref, d.EDGE, d.EGRESS} - kept, "statefulset": kept}
        chosen = [(kind, ref) for kind, known in kinds.items() for ref in refs if ref in known]
        there = [(kind, ref) for kind, ref in chosen if kubectl.find(kind, ref.name, ref.namespace)]
        for namespace in sorted({ref.namespace for _, ref in there}):
            names = ",".join(ref.name for _, ref in there if ref.namespace == namespace)
            which = f"--selector={d.NAME} in ({names}),!{LABEL}"
            kubectl.run("delete", "pods", f"--namespace={namespace}", which, *AT_ONCE)
        for kind, ref in there:
            kubectl.run("rollout", "status", f"{kind}/{ref.name}", f"--namespace={ref.namespace}")

    @property
    def administrator(self) -> Party | None:
        """A service whose probe pod reaches the secret store, as its administrator must."""
        graph = self.session.graph
        return next((Party("service", s.namespace, s.name) for s in graph.workloads if needs_store(graph, s.ref)), None)

    def write(self, item: StoreObject, *, delete: bool = False) -> None:
        """At the secret store, as its administrator."""
        if self.administrator is None:
            raise ProveError("no service of this program reaches the secret store")
        method = "DELETE" if delete else "POST"
        self.runner.as_administrator(self.administrator, self.admin, method, item.path, dict(item.body))
