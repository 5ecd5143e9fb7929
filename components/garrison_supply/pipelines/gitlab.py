"""GitLab CI files as rules see them: `extends`, `default` and `!reference` followed within the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from garrison_supply.pipelines.conditions import reviewed
from garrison_supply.pipelines.document import Reference, Where, strings
from garrison_supply.pipelines.rule import File, Hit
from garrison_supply.pipelines.shell import scanners

# Top-level keys that are no jobs.
SCRIPTS = ("before_script", "script", "after_script")
RESERVED = frozenset(
    {*SCRIPTS, "cache", "default", "image", "include", "services", "spec", "stages", "variables", "workflow"}
)


@dataclass(frozen=True)
class Job:
    """One job: `own` as written, `body` with what it inherits."""

    name: str
    own: Mapping[str, Any]
    body: Mapping[str, Any]
    pipeline: Pipeline = field(repr=False)

    @property
    def where(self) -> Where:
        return (self.name,)

    @property
    def hidden(self) -> bool:
        """A template for others; it never runs by itself."""
        return self.name.startswith(".")

    @cached_property
    def script(self) -> str:
        """All its scripts, inherited ones too."""
        return "\n".join(text for key in SCRIPTS for _, text in self.pipeline.script(self.body.get(key), ()))

    @cached_property
    def foreign(self) -> tuple[str, ...]:
        """The scanners it starts, in its script or as its image."""
        image = " ".join(text for _, text in strings(self.body.get("image")))
        return tuple(dict.fromkeys(scanners(f"{self.script}\n{image}")))

    @cached_property
    def credentials(self) -> tuple[str, ...]:
        """The keys through which it is given credentials of its own."""
        return tuple(key for key in ("id_tokens", "secrets") if self.body.get(key))

    @cached_property
    def privileged(self) -> bool:
        """Whether what runs here can change something outside of the pipeline."""
        return bool(self.credentials or self.body.get("environment"))

    @cached_property
    def on_merge_requests(self) -> bool:
        """Whether code that nobody has reviewed may run in it: neither it nor the workflow keeps to protected ones."""
        workflow = self.pipeline.body.get("workflow")
        return not (reviewed(self.body) or (isinstance(workflow, Mapping) and reviewed(workflow)))


@dataclass(frozen=True)
class Pipeline(File):
    """A .gitlab-ci.yml, or a file that is included in one."""

    @property
    def body(self) -> Mapping[str, Any]:
        return self.document.body

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """Everything that runs, and the templates it is made from."""
        rows = (
            (str(name), row) for name, row in self.body.items() if name not in RESERVED and isinstance(row, Mapping)
        )
        return tuple(Job(name, row, {**self._defaults, **self._whole(name, ())}, self) for name, row in rows)

    @property
    def running(self) -> Iterator[Job]:
        """The jobs without the templates."""
        return (job for job in self.jobs if not job.hidden)

    @cached_property
    def _defaults(self) -> Mapping[str, Any]:
        old = {key: self.body[key] for key in ("image", "services", "cache", *SCRIPTS) if key in self.body}
        found = self.body.get("default")
        return {**old, **found} if isinstance(found, Mapping) else old

    def _whole(self, name: str, seen: tuple[str, ...]) -> dict[str, Any]:
        """A job with what it extends; a job of another file adds nothing that could be read here."""
        own = self.body.get(name)
        if not isinstance(own, Mapping) or name in seen:
            return {}
        extends = own.get("extends", [])
        whole: dict[str, Any] = {}
        for parent in [extends] if isinstance(extends, str) else extends:
            whole |= self._whole(str(parent), (*seen, name))
        return whole | dict(own)

    def script(self, value: Any, where: Where, depth: int = 0) -> Iterator[Hit]:
        """The commands of a script, references followed."""
        if isinstance(value, Reference) and depth < 10:  # GitLab's own limit for nested references
            found: Any = self.body
            for key in value.path:
                found = found.get(key) if isinstance(found, Mapping) else None
            yield from self.script(found, where, depth + 1)
        elif isinstance(value, list):
            for number, item in enumerate(value):
                yield from self.script(item, (*where, number), depth)
        elif isinstance(value, str):
            yield where, value

    def scripts(self) -> Iterator[Hit]:
        holders: list[tuple[Where, Any]] = [((), self.body), (("default",), self.body.get("default"))]
        holders += [(job.where, job.own) for job in self.jobs]
        for where, body in holders:
            for key in SCRIPTS if isinstance(body, Mapping) else ():
                yield from self.script(body.get(key), (*where, key))

    def images(self) -> Iterator[Hit]:
        holders: list[tuple[Where, Any]] = [((), self.body), (("default",), self.body.get("default"))]
        holders += [(job.where, job.own) for job in self.jobs]
        for where, body in holders:
            if isinstance(body, Mapping):
                yield from _image((*where, "image"), body.get("image"))
                services = body.get("services")
                for number, row in enumerate(services if isinstance(services, list) else ()):
                    yield from _image((*where, "services", number), row)

    def written_out(self, _where: Where, name: str) -> Iterator[str]:
        """With each value that the file gives a variable in it."""
        key = re.search(r"\$\{?(\w+)\}?", name)
        found = [str(value) for _, variable, value in self.variables() if key and variable == key[1]]
        for job in self.jobs if key else ():
            parallel = job.body.get("parallel")
            rows = parallel.get("matrix") if isinstance(parallel, Mapping) else None
            for row in rows if isinstance(rows, list) else ():
                listed = row.get(key[1]) if isinstance(row, Mapping) and key else None
                found += map(str, listed if isinstance(listed, list) else [listed] if listed else [])
        yield from (name.replace(key[0], value) for value in found) if key and found else [name]

    def variables(self) -> Iterator[tuple[Where, str, Any]]:
        holders: list[tuple[Where, Any]] = [((), self.body), *((job.where, job.own) for job in self.jobs)]
        for where, body in holders:
            found = body.get("variables")
            for name, value in found.items() if isinstance(found, Mapping) else ():
                plain = value.get("value") if isinstance(value, Mapping) else value
                yield (*where, "variables", str(name)), str(name), plain


def _image(where: Where, value: Any) -> Iterator[Hit]:
    name = value.get("name") if isinstance(value, Mapping) else value
    if isinstance(name, str):
        yield where, name
