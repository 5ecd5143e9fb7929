"""Trying again while the cluster is still on its way: missing namespaces and kinds, starting
webhooks, concurrent writers.

How long depends on the cause. What the program itself declares gets the resource's whole timeout,
because it is coming; what nobody declared is given up on soon.
"""

# ruff: noqa: N818 - named for what happened; every one is a PluginError

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from harness.plugin.errors import ApiError, KindMissing, PluginError, Unreachable
from harness.plugin.objects import Obj, annotation
from harness.plugin.session import Session

T = TypeVar("T")
DEFAULT_TIMEOUT: Final = 600.0
UNDECLARED_SECONDS: Final = 30.0
TRANSIENT_SECONDS: Final = 180.0
UNREACHABLE_SECONDS: Final = 30.0


class BeingDeleted(PluginError):
    """An object of this name is still going away."""


@dataclass(frozen=True)
class Job:
    """One write: what, by whom, and until when."""

    urn: str
    inputs: Obj
    manager: str
    timeout: float
    patch: bool = False

    @classmethod
    def of(cls, urn: str, inputs: Obj, manager: str, seconds: float, *, patch: bool) -> Job:
        """A job with its timeout: the resource option, the annotation, or ten minutes."""
        noted = annotation(inputs, "timeoutSeconds")
        timeout = seconds or (float(noted) if noted.isdigit() else 0) or DEFAULT_TIMEOUT
        return cls(urn, inputs, manager, timeout, patch)


def patience(problem: PluginError, job: Job, *, declared: bool) -> float:
    """How many seconds this problem is worth waiting for."""
    if isinstance(problem, BeingDeleted):
        return job.timeout
    if isinstance(problem, KindMissing) or (isinstance(problem, ApiError) and problem.not_found):
        return job.timeout if declared else min(UNDECLARED_SECONDS, job.timeout)
    if isinstance(problem, Unreachable):
        return min(UNREACHABLE_SECONDS, job.timeout)
    if isinstance(problem, ApiError) and problem.transient:
        return min(TRANSIENT_SECONDS, job.timeout)
    return 0.0


def persist(session: Session, job: Job, attempt: Callable[[], T]) -> T:
    """The result of `attempt`, retried as long as its problem is worth waiting for."""
    started, interval = time.monotonic(), 0.2
    while True:
        try:
            result = attempt()
        except PluginError as problem:
            waited = time.monotonic() - started
            if waited >= patience(problem, job, declared=session.brings(job.inputs)):
                raise
            session.host.status(f"retrying: {problem}", job.urn)
        else:
            session.host.status("", job.urn)
            return result
        session.pause(interval)
        interval = min(interval * 1.5, 3.0)
