"""Create and update, for real and as a server-side dry run."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy

from harness.plugin import diff, managers
from harness.plugin.api import Api, being_deleted
from harness.plugin.errors import ApiError, KindMissing, PluginError, Unreachable
from harness.plugin.objects import Obj, annotation, dig, identity, name_of, namespace_of
from harness.plugin.retry import BeingDeleted, Job, persist
from harness.plugin.session import Session
from harness.plugin.values import has_unknown


def forced(session: Session, inputs: Obj) -> bool:
    """Whether the user asked to take fields from other managers."""
    return annotation(inputs, "patchForce") == "true" or session.settings.patch_force


def create(session: Session, job: Job) -> Obj:
    """Apply a new object. One that exists already is an error, unless upserting was asked for."""
    api, sent = session.api(), False

    def attempt() -> Obj:
        nonlocal sent
        if not (sent or job.patch or session.settings.upsert):
            _refuse_existing(api, job.inputs)
        sent = True  # from here on a retry may meet the object that we made ourselves
        return api.apply(job.inputs, job.manager, force=forced(session, job.inputs))

    return persist(session, job, attempt)


def _refuse_existing(api: Api, inputs: Obj) -> None:
    existing = api.find(inputs)
    if existing is None:
        return
    if being_deleted(existing):
        raise BeingDeleted(f'"{name_of(existing)}" of an earlier run is still being deleted')
    plural = api.resource(inputs).plural
    raise PluginError(
        f'{plural} "{identity(existing)}" already exists: import it, or set the provider option '
        "upsertExistingObjects to take it over"
    )


def update(session: Session, job: Job, live: Obj, ignore: Iterable[str]) -> Obj:
    """Bring an existing object to the new inputs."""
    api = session.api()

    def attempt() -> Obj:
        current = api.get(live)
        if job.inputs.get("kind") == "CustomResourceDefinition":
            return api.replace(_versioned(job.inputs, current), job.manager)
        if not job.patch and (patch := managers.takeover(current, job.manager)):
            current = api.edit(current, patch)
        wanted = without_ignored(job.inputs, current, job.manager, ignore)
        return api.apply(wanted, job.manager, force=forced(session, job.inputs))

    return persist(session, job, attempt)


def _versioned(inputs: Obj, live: Obj) -> Obj:
    copy = deepcopy(inputs)
    copy["metadata"]["resourceVersion"] = dig(live, "metadata", "resourceVersion")
    return copy


def without_ignored(inputs: Obj, live: Obj, manager: str, ignore: Iterable[str]) -> Obj:
    """The inputs with ignored fields as they are live, or left out where they are not ours."""
    wanted = deepcopy(inputs)
    for path in map(diff.parsed, ignore):
        keys = [part for part in path if isinstance(part, str)]
        parent = dig(wanted, *keys[:-1])
        if len(keys) != len(path) or not isinstance(parent, dict) or keys[-1] not in parent:
            continue
        current = dig(live, *keys)
        if current is not None and managers.owns(live, manager, path):
            parent[keys[-1]] = current
        elif current is not None:
            del parent[keys[-1]]
    return wanted


def preview(session: Session, job: Job, live: Obj | None) -> Obj | None:
    """The object as the server would make it; None where the server cannot say yet."""
    if has_unknown(job.inputs):
        return None
    try:
        return _dry_run(session, job, live)
    except PluginError as problem:
        if reason := _offline(problem, job.inputs):
            session.host.once(f"previewed from the program alone: {reason}")
            return None
        raise


def _dry_run(session: Session, job: Job, live: Obj | None) -> Obj:
    api = session.api()
    if live is not None and job.inputs.get("kind") == "CustomResourceDefinition":
        return api.replace(_versioned(job.inputs, api.get(live)), job.manager, dry_run=True)
    force = live is None or forced(session, job.inputs)
    try:
        return api.apply(job.inputs, job.manager, force=force, dry_run=True)
    except ApiError as problem:
        if problem.conflicts and all(map(managers.ours_to_take, problem.conflicts)):
            return api.apply(job.inputs, job.manager, force=True, dry_run=True)
        if live is None and problem.immutable_fields:
            return _under_another_name(api, job)
        raise


def _under_another_name(api: Api, job: Job) -> Obj:
    """A replacement meets the object it replaces; the server can only judge it beside that one."""
    name = name_of(job.inputs)
    aside = deepcopy(job.inputs)
    aside["metadata"]["name"] = f"{name[:50]}-preview"
    made = api.apply(aside, job.manager, force=True, dry_run=True)
    made["metadata"]["name"] = name
    return made


def _offline(problem: PluginError, inputs: Obj) -> str:
    """Why a dry run was not possible, or an empty string where it was and said no."""
    if isinstance(problem, Unreachable):
        return f"the cluster cannot be reached ({problem})"
    if isinstance(problem, KindMissing):
        return f"{inputs.get('apiVersion')} {inputs.get('kind')} is not served yet"
    if not isinstance(problem, ApiError):
        return ""
    if problem.missing_namespace:
        return f'namespace "{namespace_of(inputs)}" is not there yet'
    if problem.code == 403 and problem.reason == "Forbidden" and not problem.causes:
        return f"the API server does not allow a dry run ({problem})"
    if problem.webhook or "does not support dry run" in problem.text:
        return f"an admission webhook cannot take part in a dry run ({problem})"
    return ""
