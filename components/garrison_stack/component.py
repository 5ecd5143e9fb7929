"""The Pulumi package: `garrison:index:App`, which is `run(app)` for programs in other languages than Python.

Pulumi makes the schema of what is annotated here, and reads annotations as objects: no `__future__` in this module.
"""

import sys
from typing import Any, NotRequired, Optional, TypedDict

import pulumi
from pulumi.errors import InputPropertiesError
from pulumi.provider import ConstructResult, main
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError

from garrison import version
from garrison.declare.program import graph_of
from garrison.deployment.configuration import read
from garrison.deployment.objects import two_clusters
from garrison.errors import GarrisonError
from garrison.explain.allowed import allowed
from garrison.settings import SettingsError
from garrison_stack.arguments import alone, given
from garrison_stack.pulumi_program import check, register
from garrison_stack.whole import whole

NAME = "garrison"


class AppArgs(TypedDict):
    app: str
    """The file of a program that declares an App, or a graph in JSON, from where Pulumi runs."""
    settings: NotRequired[dict[str, Any]]
    """The settings of the cluster, by the names of docs/settings.md; without them those of the stack's file."""
    exceptions: NotRequired[str]
    """A file of exceptions to policy rules; else those of the installation."""


class App(pulumi.ComponentResource):
    """An App with everything that it needs on one cluster: admission, platform, secrets and estate."""

    addresses: pulumi.Output[dict[str, str]]
    """Where each host and service is: by what it is called, its URL."""
    identities: pulumi.Output[dict[str, str]]
    """The SPIFFE id of each workload."""
    allowed: pulumi.Output[list[str]]
    """What may be done, a sentence each; everything else is refused."""

    def __init__(self, name: str, args: AppArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:  # noqa: UP045
        """Everything is derived, rendered and checked before the first resource is registered."""
        alone(name)
        said = given(args)
        what = whole(graph_of(said.app), read(said.settings), exceptions=said.exceptions)
        if found := list(two_clusters(opts, "the keys, the secret store and all that is looked at first")):
            raise SettingsError(found)
        check(what)
        super().__init__(f"{NAME}:index:App", name, {}, opts)
        estate = register(what, parent=self)
        self.addresses = pulumi.Output.from_input(estate.addresses)
        self.identities = pulumi.Output.from_input(estate.identities)
        self.allowed = pulumi.Output.from_input([str(item) for item in allowed(what.estate.graph)])
        self.register_outputs({})


class _Package(ComponentProvider):
    """What is wrong is told as Pulumi tells of bad arguments: without the way through our code."""

    def construct(self, *args: Any, **more: Any) -> ConstructResult:
        try:
            return super().construct(*args, **more)
        except ComponentInitError as error:
            if not isinstance(error.inner, GarrisonError):
                raise
            raise InputPropertiesError(str(error.inner), []) from None


def serve() -> None:
    """Answer Pulumi's engine until it ends; the arguments are the engine's."""
    main(_Package([App], NAME, None, version.VERSION), sys.argv[1:])
