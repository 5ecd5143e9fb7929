"""From paths to files that rules can read. What cannot be read is an answer of its own, never silence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from garrison_supply.pipelines.document import Document, read
from garrison_supply.pipelines.errors import PipelineError, UnreadableError
from garrison_supply.pipelines.github import PUBLISHERS, Workflow
from garrison_supply.pipelines.gitlab import RESERVED, Pipeline
from garrison_supply.pipelines.rule import File

# Where CI systems and our templates keep them; those that exist are read.
DEFAULT_PATHS = (Path(".github"), Path(".gitlab-ci.yml"), Path("ci/github"), Path("ci/gitlab"))
_JOB_KEYS = frozenset({"script", "trigger", "extends", "stage", "rules", "needs", "run"})


def files(paths: Iterable[Path]) -> Iterator[Path]:
    """Every YAML file in or below the paths, in order. In .github only workflows and actions are such files."""
    for path in paths:
        if path.is_dir():
            found = [file for file in path.rglob("*") if file.suffix in (".yml", ".yaml") and file.is_file()]
            yield from sorted(file for file in found if ".github" not in file.parts or _of_actions(file))
        elif path.exists():
            yield path
        else:
            raise PipelineError(f"{path}: no such file or folder; name a workflow, or a folder that holds some")


def _of_actions(file: Path) -> bool:
    return "workflows" in file.parts or file.stem == "action"


def default_paths() -> tuple[Path, ...]:
    """The usual places that exist here; none is an error, because then nothing would be checked."""
    found = tuple(path for path in DEFAULT_PATHS if path.exists())
    if not found:
        raise PipelineError(f"none of {', '.join(map(str, DEFAULT_PATHS))} is here; name the files to check")
    return found


def load(path: Path, trusted: frozenset[str] = frozenset()) -> File:
    """The file as its CI system reads it."""
    return view(read(path), trusted)


def view(document: Document, trusted: frozenset[str] = frozenset()) -> File:
    """A document as the CI system reads it whose shape it has."""
    body = document.body
    if isinstance(body.get("jobs"), Mapping) and "on" in body:
        return Workflow(document, PUBLISHERS | trusted)
    if isinstance(body.get("runs"), Mapping):
        return Workflow(document, PUBLISHERS | trusted)
    jobs = [row for name, row in body.items() if name not in RESERVED and isinstance(row, Mapping)]
    gitlab = "include" in body or "stages" in body or any(_JOB_KEYS & row.keys() for row in jobs)
    if gitlab and not {"jobs", "on"} & body.keys():
        return Pipeline(document)
    raise UnreadableError(
        document.file, "is neither a workflow (on, jobs), an action (runs) nor a GitLab pipeline (jobs with script)"
    )
