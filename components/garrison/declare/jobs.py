"""Saying which jobs there are. A job says what it may do by the verbs of services; nobody calls one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from garrison import defaults
from garrison.declare.calls import Calls
from garrison.declare.containers import container
from garrison.declare.databases import Uses
from garrison.declare.namespaces import Home
from garrison.declare.permissions import Rights
from garrison.declare.secrets import Reads
from garrison.declare.statements import Statement, verb, where
from garrison.model import jobs as model
from garrison.model.containers import Container
from garrison.words import Ref, Resources

TIME = re.compile(r"([0-9]{1,6})([smh])")
UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class JobStatement(Statement):
    row = "jobs"
    ref: Ref
    image: str
    resources: Resources
    schedule: str
    within: int
    retries: int
    container: Container

    def value(self) -> model.Job:
        return model.Job(self.ref, self.image, self.resources, self.schedule, self.within, self.retries, self.container)


class Job(Calls, Uses, Reads, Rights):
    """A declared job. Its verbs say what it may do; nobody can call it."""


class Jobs(Home):
    @verb
    def job(
        self,
        name: str,
        *,
        image: str,
        schedule: str | None = None,
        within: str | int = defaults.JOB_SECONDS,
        retries: int = 0,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = (),
        args: Sequence[str] = (),
        files: Mapping[str, str | Path] | None = None,
        scratch: Sequence[str] | Mapping[str, str] = (),
        uid: int = defaults.APP_UID,
        resources: Resources = defaults.APP_RESOURCES,
    ) -> Job:
        """Declare a job: it runs once for each state of its declaration, or whenever `schedule` says.

        `schedule` has the five fields of cron (`"30 2 * * *"`), in UTC; a run that still goes on when the next is due
        keeps that from starting. `within` is the time for one run, `"90s"`, `"10m"`, `"2h"` or seconds: after that it
        is ended. `retries` is how often a pod that failed is replaced, so what it does must bear being done twice.
        The rest is as with `service`. The pod ends when the application ends, with its proxy and its agent.
        """
        ref, pen = self.place(name)
        given = container(env, command, args, files, scratch, uid=uid)
        unsaid = "" if schedule is None else schedule or " "
        pen.add(JobStatement(where(), ref, image, resources, unsaid, _seconds(within), retries, given))
        return Job(ref, pen)


def _seconds(said: Any) -> Any:
    """A time in seconds; a text that is none gives 0, which is refused with its line."""
    if not isinstance(said, str):
        return said
    found = TIME.fullmatch(said)
    return int(found[1]) * UNITS[found[2]] if found else 0
