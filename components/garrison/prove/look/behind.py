"""The same tokens straight at the sidecars, from a pod that has the edge's identity and place in the network.

The pod has the labels, service account and certificate of the edge, no proxy and no token of the API server, and a
readiness gate that nobody opens: no Service leads to it, and it is gone when the run ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from garrison import defaults as d
from garrison.manifest import Manifest
from garrison.prove.expect.messages import Message
from garrison.prove.judge import classify
from garrison.prove.judge import entry as judge
from garrison.prove.judge.verdict import worst
from garrison.prove.look import pods
from garrison.prove.look.tickets import Tokens
from garrison.prove.look.trying import ripe
from garrison.prove.look.world import CERTIFICATE, KEY, Place, Spec
from garrison.prove.model import EDGE, Party, Probe, ProveError, Request, Seen
from garrison.prove.trials import Answer, Trial
from garrison.words import Ref

Tool = Callable[[Sequence[Spec]], list[dict[str, Any]]]
PROXY: Final = "proxy"


def pod(edge: Manifest, ref: Ref, *, run: str, image: str) -> Manifest:
    """The pod, from the live Deployment of the edge."""
    template = deepcopy(edge["spec"]["template"])
    spec = template["spec"]
    proxy = next((c for c in (*spec["containers"], *spec.get("initContainers", ())) if c["name"] == PROXY), None)
    if proxy is None:
        raise ProveError(f"Deployment {d.EDGE} has no proxy: run `pulumi up` again")
    made = pods.stand_in(EDGE, ref, run=run, image=image, owner=edge)
    mounts = [mount for mount in proxy["volumeMounts"] if mount["mountPath"] in (d.IDENTITY_DIR, d.TRUST_DIR)]
    named = {mount["name"] for mount in mounts}
    made["spec"]["volumes"] = [volume for volume in spec["volumes"] if volume["name"] in named]
    made["spec"]["containers"][0]["volumeMounts"] = mounts
    return made


@dataclass(eq=False)
class Behind:
    """Tries at every replica of a service, all in one batch of the probe tool."""

    tokens: Tokens
    places: Callable[[Party, bool], Sequence[Place]]
    """Where a service is: its replicas, or the run's copy of it that is led astray."""
    tool: Tool

    def __call__(self, probes: Sequence[Probe]) -> list[Seen]:
        """What came of each."""
        there = {which: self.places(*which) for which in {(probe.target, astray(probe)) for probe in probes}}
        attempts = [(probe, place) for probe in probes for place in there[probe.target, astray(probe)]]
        observations = self.tool([self._spec(probe, place.address) for probe, place in attempts])
        seen: dict[Probe, list[Seen]] = {}
        for (probe, _), observation in zip(attempts, observations, strict=True):
            seen.setdefault(probe, []).append(read(probe, observation))
        unreached = [Seen("error", None, "it has no ready pod")]
        return [worst(probe, seen.get(probe, unreached)) for probe in probes]

    def _spec(self, probe: Probe, address: str) -> Spec:
        if isinstance(probe.attempt, Trial):
            return spec(ripe(probe.attempt, self.tokens), address)
        return bare(probe, address)


def astray(probe: Probe) -> bool:
    """Whether it goes to the copy of its target for which the edge is somebody else."""
    return isinstance(probe.attempt, Trial) and probe.attempt.place == "misled"


def spec(message: Message, address: str) -> Spec:
    """A request in the probe tool's words, with the edge's own certificate."""
    headers: dict[str, str] = {"host": message.host}
    for name, value in message.headers:  # names in another letter case are other keys, and the same header
        headers[name.title() if name in headers else name] = value
    found: Spec = {"action": "http", "host": address, "port": d.MTLS_PORT, "headers": headers}
    found |= {"method": message.method, "path": message.target, "body": message.body.decode()}
    return found | {"tls": {"maximum": "1.3", "certificate": CERTIFICATE, "key": KEY}}


def bare(probe: Probe, address: str) -> Spec:
    """What needs no token: a connection, or a request with the edge's certificate or with none."""
    if not isinstance(probe.attempt, Request):
        return {"action": "connect", "host": address, "port": probe.port}
    request = probe.attempt
    found: Spec = {"action": "http", "host": address, "port": probe.port, "headers": {}}
    found |= {"method": request.operation.method, "path": request.operation.path}
    if request.tls:
        own = {"certificate": CERTIFICATE, "key": KEY} if request.credential == "own" else {}
        found["tls"] = {"maximum": "1.2" if request.tls12 else "1.3", **own}
    return found


def read(probe: Probe, observation: dict[str, Any]) -> Seen:
    """What a sidecar said; that it was reached at all is read as for every other probe."""
    if not isinstance(probe.attempt, Trial):
        return classify.read(probe.attempt, observation)
    if observation["stage"] == "http":
        return judge.read(probe.attempt, Answer(int(observation["status"]), body=str(observation["body"])))
    seen = classify.read(Request(probe.attempt.route.operation, credential="own"), observation)
    return Seen("refused" if seen.verdict == "refused" else "error", seen.layer, seen.reason)
