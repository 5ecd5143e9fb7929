"""Whether a cluster enforces network policies, measured: between pods of one namespace, made for it and removed again.

Each refusal stands between two controls: the same connection, answered before the policy was there and after it went.
Only then is a new pod looked at, which starts under a policy that is there already: from its first instruction on it
tries what it may not, and what counts is when it was last answered. That it would be answered has a control, too.
"""

from __future__ import annotations

import inspect
import json
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from garrison import defaults as d
from garrison.derive.names import APP
from garrison.doctor import watch
from garrison.manifest import Manifest
from garrison.prove.kubectl import Kubectl
from garrison.prove.look import pods
from garrison.prove.look.alone import undisturbed
from garrison.prove.look.execute import tool
from garrison.prove.model import FREE, FREE_PORT, ProveError
from garrison.words import Ref

LABEL: Final = "garrison.dev/doctor"  # on the namespace, and on its pods with what they are for
TRY_SECONDS: Final = 1.0  # for a connection between two pods
TRIES: Final = 3  # at once, which have to agree
TURN_SECONDS: Final = 30.0  # for a policy to hold, or to be gone
WATCH_SECONDS: Final = 10.0  # how long a new pod tries
CONTROL_SECONDS: Final = 1.0  # and where nothing refuses it
READY_SECONDS: Final = 120.0  # for an image to be there
ASK_SECONDS: Final = 10
STALE: Final = timedelta(hours=1)  # a run takes minutes: a namespace this old is of one that was killed
CALL_PORT: Final = 8081


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Milliseconds. None: it was not refused within `TURN_SECONDS`, or for a new pod: it was not looked at."""

    ingress_ms: int | None
    egress_ms: int | None
    new_egress_ms: int | None = None
    """For how long a new pod was answered where it may not go; 0 is never."""
    new_ingress_ms: int | None = None
    """For how long a new pod was reached by whom it may not be."""
    nodes: tuple[str, ...] = ()
    """Where the first two pods ran: on one node, or between two."""


def measure(kubectl: Kubectl, image: str, say: Callable[[str], None]) -> Measured:
    """Raises ProveError where it cannot be measured: pods that do not start, or that do not reach one another."""
    bench = Bench(kubectl, image, say)
    with _removed(bench):
        bench.start()
        ingress = bench.turn("Ingress")
        egress = bench.turn("Egress")
        new_egress = bench.new_pod_out() if egress is not None else None
        new_ingress = bench.new_pod_in() if ingress is not None else None
        return Measured(
            ingress_ms=ingress,
            egress_ms=egress,
            new_egress_ms=new_egress,
            new_ingress_ms=new_ingress,
            nodes=bench.nodes,
        )


@dataclass
class Bench:
    """The namespace of one measurement."""

    kubectl: Kubectl
    image: str
    say: Callable[[str], None]
    run: str = field(default_factory=lambda: secrets.token_hex(3))
    nodes: tuple[str, ...] = ()
    host: str = ""
    """The address of the pod that answers."""

    @property
    def space(self) -> str:
        return f"garrison-doctor-{self.run}"

    def start(self) -> None:
        """Two pods, one of which reaches the other: the control of all that follows."""
        labels = {LABEL: self.run, pods.LABEL: self.run, "pod-security.kubernetes.io/enforce": d.POD_SECURITY}
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.space, "labels": labels}}
        self.kubectl.apply([space, pods.account(self.space, self.run)])
        self.kubectl.apply([self._pod("answers"), self._pod("asks")])
        self.say("waiting for two pods")
        found = [self._until(name, "condition=ContainersReady") for name in ("answers", "asks")]
        self.host = found[0]["status"]["podIP"]
        self.nodes = tuple(sorted({pod["spec"]["nodeName"] for pod in found}))
        if self._turned(answered=True) is None:
            raise ProveError("two pods do not reach one another before any policy: nothing can be measured")

    def turn(self, direction: str) -> int | None:
        """How long until a policy of that direction refuses what was answered; None where it never does."""
        self.say(f"default deny, {direction.lower()}")
        with self._denied(direction, {}):
            refused = self._turned(answered=False)
        if self._turned(answered=True) is None:
            raise ProveError(f"a pod is not reached again {TURN_SECONDS:.0f} s after its policy went: nothing is known")
        return refused

    def new_pod_out(self) -> int:
        """A pod that starts under a policy, and tries at once what the policy refuses."""
        self.say("a new pod under default deny, egress")
        self.kubectl.apply([self._watching("control", "dial", self.host, FREE_PORT, CONTROL_SECONDS)])
        if not self._said("control")["answered"]:
            raise ProveError("a new pod is not answered before any policy: nothing can be measured")
        with self._denied("Egress", {}):
            self._hold(answered=False)
            self.kubectl.apply([self._watching("new-out", "dial", self.host, FREE_PORT, WATCH_SECONDS)])
            found = self._said("new-out")
        self._hold(answered=True)
        return int(found["open_ms"])

    def new_pod_in(self) -> int:
        """A pod that starts under a policy, and is tried as soon as it has called who tries it."""
        self.say("a new pod under default deny, ingress")
        with self._denied("Ingress", {LABEL: "new-in"}):
            self.kubectl.apply([self._watching("awaits", "await", CALL_PORT, FREE_PORT, WATCH_SECONDS)])
            awaiting = self._until("awaits", "condition=ContainersReady")["status"]["podIP"]
            self.kubectl.apply([self._watching("new-in", "call", awaiting, CALL_PORT, FREE_PORT)])
            found = self._said("awaits")
        self.host = self._until("new-in", "condition=ContainersReady")["status"]["podIP"]
        self._hold(answered=True)
        return int(found["open_ms"])

    # --- policies ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _denied(self, direction: str, which: dict[str, str]) -> Iterator[None]:
        name = f"deny-{direction.lower()}"
        spec = {"podSelector": {"matchLabels": which} if which else {}, "policyTypes": [direction]}
        meta = {"name": name, "namespace": self.space}
        self.kubectl.apply(
            [{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}]
        )
        try:
            yield
        finally:
            self.kubectl.delete("networkpolicy", name, f"--namespace={self.space}")

    def _turned(self, *, answered: bool) -> int | None:
        """Milliseconds until it is so; each try is a connection that takes its time."""
        start = time.monotonic()
        while time.monotonic() - start < TURN_SECONDS:
            if self._answered() is answered:
                return round((time.monotonic() - start) * 1000)
        return None

    def _hold(self, *, answered: bool) -> None:
        if self._turned(answered=answered) is None:
            raise ProveError(f"what was {'answered' if answered else 'refused'} before is not any more: try again")

    def _answered(self) -> bool | None:
        """What several connections at once agree on: one that got lost is no refusal."""
        attempt: dict[str, Any] = {"action": "connect", "host": self.host, "port": FREE_PORT}
        seen = tool(self.kubectl, Ref(self.space, "asks"), [attempt] * TRIES, TRY_SECONDS)
        if crashed := [one["error"] for one in seen if str(one["error"]).startswith("crash")]:
            raise ProveError(f"the probe tool failed: {crashed[0]}")
        said = {one["stage"] == "tcp" for one in seen}
        return said.pop() if len(said) == 1 else None

    # --- pods --------------------------------------------------------------------------------------------------------

    def _pod(self, name: str) -> Manifest:
        made = pods.stand_in(FREE, Ref(self.space, name), run=self.run, image=self.image)
        made["metadata"]["labels"][LABEL] = name
        return made

    def _watching(self, name: str, *words: object) -> Manifest:
        """A pod whose first process is `watch`."""
        made = self._pod(name)
        (container,) = made["spec"]["containers"]
        container["command"] = ["python3", "-c", inspect.getsource(watch), *map(str, words)]
        made["spec"]["restartPolicy"] = "Never"
        return made

    def _said(self, name: str) -> dict[str, int]:
        """What a watching pod has found when it is done."""
        self._until(name, "jsonpath={.status.phase}=Succeeded")
        found: dict[str, int] = json.loads(
            self.kubectl.run("logs", name, f"--namespace={self.space}", f"--container={APP}")
        )
        return found

    def _until(self, name: str, condition: str) -> Manifest:
        """The pod when the condition holds; one that can never get there ends the wait early."""
        deadline = time.monotonic() + READY_SECONDS
        flags = (f"--namespace={self.space}", f"--for={condition}", f"--timeout={ASK_SECONDS}s")
        while True:
            code, _, error = self.kubectl.attempt("wait", f"pod/{name}", *flags)
            pod = self.kubectl.get("pod", name, self.space)
            if not code:
                return pod
            reasons = pods.complaints(pod)
            hopeless = any(word in reason for reason in reasons for word in pods.HOPELESS)
            if time.monotonic() > deadline or hopeless or pod["status"].get("phase") == "Failed":
                raise ProveError(f"pod {name} does not get there: {'; '.join(reasons) or ' '.join(error.split())}")

    def sweep(self) -> None:
        """Namespaces of runs that were killed."""
        for space in self.kubectl.items("namespaces", selector=LABEL):
            meta = space["metadata"]
            if datetime.now(UTC) - datetime.fromisoformat(meta["creationTimestamp"]) > STALE:
                self.say(f"removing {meta['name']}, which a killed run left")
                self.kubectl.delete("namespaces", meta["name"], "--wait=false")


@contextmanager
def _removed(bench: Bench) -> Iterator[None]:
    """With nothing left at the end, also after an error, Ctrl-C or SIGTERM."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        bench.sweep()
        yield
    finally:
        with undisturbed():
            bench.kubectl.delete("namespaces", bench.space)
        signal.signal(signal.SIGTERM, before)
