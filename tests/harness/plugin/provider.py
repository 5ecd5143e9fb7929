"""The operations on one resource, between the protocol (servicer) and the cluster.

Each takes and returns plain Python values; secrets and unknowns are marked as in `values`.
"""

# ruff: noqa: N818 - named for what happened; every one is a PluginError

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.plugin import drift, naming, plan, remove, tokens, wait, write
from harness.plugin.errors import ApiError, KindMissing, NotReady, PluginError, Unreachable
from harness.plugin.objects import (
    DEFAULT_MANAGER,
    FIRST_VERSION,
    INPUTS,
    MANAGER,
    SERVER_FIELDS,
    Obj,
    annotation,
    from_properties,
    from_state,
    identity,
    split_identity,
    to_state,
)
from harness.plugin.retry import Job
from harness.plugin.session import Session
from harness.plugin.values import mark_secrets

Properties = dict[str, Any]


class InitFailed(PluginError):
    """The object exists but is not ready: the engine keeps its state and tries again next time."""

    def __init__(self, identifier: str, state: Properties, reasons: Sequence[str]) -> None:
        super().__init__(reasons[0])
        self.identifier, self.state, self.reasons = identifier, state, list(reasons)
        self.inputs: Properties = state[INPUTS]


@dataclass(frozen=True)
class Autonaming:
    """What the engine says about automatic names."""

    seed: bytes = b""
    proposed: str = ""
    off: bool = False


def check(session: Session, urn: str, old: Properties, new: Properties, names: Autonaming) -> Obj:
    """The inputs to use from here on: with kind, name and namespace filled in, secrets marked."""
    inputs = from_properties(new)
    token = tokens.of_urn(urn, inputs)
    inputs = tokens.completed(inputs, token)
    if token.patch and not naming.is_named(inputs):
        raise PluginError("patch resources require the `.metadata.name` field to be set")
    inputs = naming.complete(inputs, from_properties(old), token.name, names.seed, names.proposed, off=names.off)
    try:
        api = session.api()
        inputs = api.placed(inputs) if api.namespaced(inputs) else inputs
    except PluginError:
        pass  # the namespace is filled in when the object is written
    session.declare(inputs)
    return mark_secrets(inputs, new)


def diff(session: Session, urn: str, state: Properties, new: Properties, ignore: Sequence[str]) -> plan.Plan:
    """What an update would change."""
    old_inputs, live = from_state(state)
    inputs = from_properties(new)
    token = tokens.of_urn(urn, inputs)
    manager = _manager(token, inputs, state)
    return plan.plan(session, plan.Request(old_inputs, live, inputs, manager, tuple(ignore), token.patch))


def _manager(token: tokens.Token, inputs: Obj, state: Mapping[str, Any]) -> str:
    """One field manager for everything, except that a patch must not share it with its object."""
    own = f"{DEFAULT_MANAGER}-{token.name}"[:128] if token.patch else DEFAULT_MANAGER
    return annotation(inputs, "patchFieldManager") or str(state.get(MANAGER) or own)


def create(session: Session, urn: str, new: Properties, seconds: float, *, preview: bool) -> tuple[str, Properties]:
    """Make the object and wait until it is ready; the id and the state."""
    job, version = _job(urn, new, {}, seconds)
    if preview:
        return "", _previewed(write.preview(session, job, None), job, new, version)
    made = write.create(session, job)
    if job.inputs.get("kind") == "CustomResourceDefinition":
        session.api().discovery.forget(str(job.inputs["spec"]["group"]))
    return identity(made), _awaited(session, job, made, new, version)


def update(
    session: Session,
    urn: str,
    state: Properties,
    new: Properties,
    seconds: float,
    ignore: Sequence[str],
    *,
    preview: bool,
) -> Properties:
    """Change the object in place and wait until it is ready; the new state."""
    _, live = from_state(state)
    job, _ = _job(urn, new, state, seconds)
    version = str(state.get(FIRST_VERSION) or job.inputs["apiVersion"])
    if preview:
        return _previewed(write.preview(session, job, live), job, new, version)
    return _awaited(session, job, write.update(session, job, live, ignore), new, version)


def _job(urn: str, new: Properties, state: Properties, seconds: float) -> tuple[Job, str]:
    inputs = from_properties(new)
    token = tokens.of_urn(urn, inputs)
    manager = _manager(token, inputs, state)
    job = Job.of(urn, inputs, manager, seconds, patch=token.patch)
    return job, str(inputs.get("apiVersion"))


def _previewed(shown: Obj | None, job: Job, new: Properties, version: str) -> Properties:
    if shown is None:
        return new
    shown.pop("status", None)  # a dry run has none worth reading
    return to_state(job.inputs, shown, new, version, job.manager)


def _awaited(session: Session, job: Job, made: Obj, new: Properties, version: str) -> Properties:
    try:
        live = wait.until_ready(session, job, made)
    except NotReady as problem:
        state = to_state(job.inputs, problem.live, new, version, job.manager)
        raise InitFailed(identity(made), state, problem.reasons) from problem
    return to_state(job.inputs, live, new, version, job.manager)


def read(session: Session, urn: str, identifier: str, state: Properties, inputs: Properties) -> Properties | None:
    """The live state for refresh and import; None where the object is gone."""
    old, known = from_state(state)
    old = from_properties(inputs) or old
    token = tokens.of_urn(urn, old)
    live = _found(session, identifier, known, token)
    if live is None:
        return None
    manager = _manager(token, old, state)
    shape = drift.observed_inputs(session, live, old, manager) if old else _importable(live)
    version = str(state.get(FIRST_VERSION) or shape.get("apiVersion"))
    result = to_state(shape, live, inputs, version, manager)
    try:
        if old:
            wait.check_once(session, shape, live)
    except NotReady as problem:
        raise InitFailed(identifier, result, problem.reasons) from problem
    return result


def _found(session: Session, identifier: str, known: Obj, token: tokens.Token) -> Obj | None:
    """The live object of an id, under the version it was last seen with."""
    namespace, name = split_identity(identifier)
    stated: Obj = {key: known[key] for key in ("apiVersion", "kind") if key in known}
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    try:
        return session.api().find({**tokens.completed(stated, token), "metadata": metadata})
    except KindMissing:
        return None


def _importable(live: Obj) -> Obj:
    """The inputs of an object that nobody has inputs for: all but what the server writes."""
    inputs = {key: value for key, value in live.items() if key != "status"}
    hidden = (
        "deployment.kubernetes.io/revision",
        "kubectl.kubernetes.io/last-applied-configuration",
    )
    metadata = {k: v for k, v in live["metadata"].items() if k not in SERVER_FIELDS}
    notes = {k: v for k, v in metadata.pop("annotations", {}).items() if k not in hidden}
    return {**inputs, "metadata": {**metadata, **({"annotations": notes} if notes else {})}}


def delete(session: Session, urn: str, state: Properties, seconds: float) -> None:
    """Delete the object and wait until it is gone."""
    inputs, live = from_state(state)
    token = tokens.of_urn(urn, inputs)
    job = Job.of(urn, inputs, _manager(token, inputs, state), seconds, patch=token.patch)
    try:
        remove.remove(session, job, live)
    except Unreachable as problem:
        if not session.settings.delete_unreachable:
            raise Unreachable(
                f"{problem}. If the cluster was deleted, run the same command again with "
                "PULUMI_K8S_DELETE_UNREACHABLE=true to drop the resource from Pulumi's state"
            ) from problem
        session.host.warning("cluster unreachable: dropped from the state only", urn)
    except NotReady as problem:
        result = to_state(inputs, problem.live, state, inputs["apiVersion"], job.manager)
        raise InitFailed(identity(live), result, problem.reasons) from problem


__all__ = [
    "ApiError",
    "Autonaming",
    "InitFailed",
    "check",
    "create",
    "delete",
    "diff",
    "read",
    "update",
]
