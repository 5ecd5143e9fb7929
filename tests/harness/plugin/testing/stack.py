"""A Pulumi stack in a folder of its own, driven by the real engine with the plugin under test.

A program is a list of declared objects, so that a test reads like the change it makes.
"""

# ruff: noqa: N818 - Failed is what pytest.raises reads best

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
from pulumi import automation

from harness import pulumi_home
from harness.build import binary
from harness.plugin.launcher import write_launcher

Obj = dict[str, Any]
Program = Callable[[], None]


@dataclass(frozen=True)
class Declared:
    """One object of a program, registered by its token as any kind can be."""

    name: str
    manifest: Obj
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def token(self) -> str:
        group, _, version = str(self.manifest["apiVersion"]).rpartition("/")
        return f"kubernetes:{group or 'core'}/{version}:{self.manifest['kind']}"


def program(*objects: Declared) -> Program:
    """The Pulumi program that declares these objects; `after` names what must come before."""

    def run() -> None:
        made: dict[str, pulumi.CustomResource] = {}
        for item in objects:
            options = dict(item.options)
            before = [made[name] for name in options.pop("after", [])]
            chosen = pulumi.ResourceOptions(depends_on=before, **options)
            made[item.name] = pulumi.CustomResource(item.token, item.name, dict(item.manifest), opts=chosen)

    return run


@dataclass
class Outcome:
    """What the engine did: operation and changed paths per resource, and all it said."""

    operations: dict[str, str] = field(default_factory=dict)
    each: list[tuple[str, str]] = field(default_factory=list)  # URN and operation, also of what shares its name
    changed: dict[str, set[str]] = field(default_factory=dict)
    said: str = ""

    def record(self, event: automation.EngineEvent) -> None:
        """Note a step; the two halves of a replacement count as one replacement."""
        if event.diagnostic_event:
            self.said += event.diagnostic_event.message
        if event.resource_pre_event is None:
            return
        step = event.resource_pre_event.metadata
        name, operation = step.urn.rpartition("::")[2], str(step.op.value)
        if ":Stack::" in step.urn or "pulumi:providers" in step.urn:
            return
        replacing = "replace" in operation or operation == "discard-replaced"
        self.operations[name] = "replace" if replacing else operation
        self.each.append((step.urn, self.operations[name]))
        if step.detailed_diff:
            self.changed.setdefault(name, set()).update(step.detailed_diff)


class _Quick(automation.Stack):
    """Without the extra runs of the CLI that fetch outputs and history after every operation."""

    def outputs(self) -> automation.OutputMap:
        return {}

    def info(self, show_secrets: bool | None = None) -> automation.UpdateSummary:
        nothing: Any = None
        return automation.UpdateSummary("update", nothing, "", {}, nothing, "succeeded")


class Tools:
    """A folder like an installation of Pulumi, with the plugin under test in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        folder = root / "bin"
        folder.mkdir(parents=True)
        write_launcher(folder, Path(sys.executable))
        for name in ("pulumi", "pulumi-language-python"):
            (folder / name).symlink_to(binary(name))
        self.path = f"{folder}:{Path(sys.executable).parent}:/usr/bin:/bin"
        self.command = automation.PulumiCommand(root=str(root))


class Stack:
    """One stack on one cluster; every call is one run of the engine.

    With `port` the engine uses the plugin that serves there, in the test's own process, instead of
    starting one for every run: the same code, three times as fast.
    """

    def __init__(self, tools: Tools, folder: Path, more: Mapping[str, str], *, port: int = 0) -> None:
        self._state = folder / "state"
        self._state.mkdir(parents=True)
        self.environment = {
            "PATH": tools.path,
            "PULUMI_BACKEND_URL": f"file://{self._state}",
            "PULUMI_CONFIG_PASSPHRASE": "only-for-this-test",
            "PULUMI_HOME": str(pulumi_home.made(folder / "home")),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            **({"PULUMI_DEBUG_PROVIDERS": f"kubernetes:{port}"} if port else {}),
            **more,
        }
        workspace = automation.LocalWorkspace(
            env_vars=self.environment,
            pulumi_command=tools.command,
            project_settings=automation.ProjectSettings("plugin-test", "python"),
        )
        self._workspace = workspace
        self._stack = _Quick.create("test", workspace)

    def _run(self, verb: str, run: Program, **options: Any) -> Outcome:
        outcome = Outcome()
        self._workspace.program = run
        self._workspace.env_vars = self.environment
        seen_by_plugin = {k: v for k, v in self.environment.items() if k.startswith(("KUBE", "PULUMI_K8S"))}
        try:
            with patch.dict(os.environ, seen_by_plugin):
                result = getattr(self._stack, verb)(on_event=outcome.record, **options)
        except automation.CommandError as problem:
            raise Failed(outcome, str(problem)) from problem
        outcome.said += str(result.stdout)
        return outcome

    def up(self, *objects: Declared, run: Program | None = None, **options: Any) -> Outcome:
        return self._run("up", run or program(*objects), **options)

    def preview(self, *objects: Declared, run: Program | None = None, **options: Any) -> Outcome:
        return self._run("preview", run or program(*objects), **options)

    def refresh(self, *objects: Declared) -> Outcome:
        return self._run("refresh", program(*objects))

    def destroy(self) -> Outcome:
        return self._run("destroy", program())

    def resources(self) -> dict[str, Obj]:
        """The state by resource name, read from the disk: secrets are as they lie there."""
        return {str(item["urn"]).rpartition("::")[2]: item for item in self.state()}

    def exported(self) -> automation.Deployment:
        """The whole state, as `pulumi stack export` has it."""
        return self._stack.export_stack()

    def imported(self, state: automation.Deployment) -> None:
        """Put a state in the place of this one, as `pulumi stack import` does; the cluster is not asked."""
        self._stack.import_stack(state)

    def state(self) -> list[Obj]:
        """All of the state, each as it lies on the disk."""
        file = self._state / ".pulumi" / "stacks" / "plugin-test" / "test.json"
        latest = json.loads(file.read_text())["checkpoint"]["latest"] or {}
        return list(latest.get("resources") or [])


class Failed(Exception):
    """The engine ended with an error."""

    def __init__(self, outcome: Outcome, said: str) -> None:
        super().__init__(f"{outcome.said}\n{said}")
        self.outcome = outcome


Make = Callable[..., Stack]
