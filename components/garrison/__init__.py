"""Garrison: zero-trust Kubernetes deployments from one declared call graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from garrison.declare.app import App, Database, Elsewhere, External, Foreign, Host, Issuer, Job, Namespace, Service
from garrison.declare.conditions import claim, data, path, query
from garrison.declare.program import images
from garrison.declare.rates import Rate
from garrison.derive import render
from garrison.errors import IntentError, Problem
from garrison.model.graph import Graph
from garrison.version import VERSION
from garrison.words import Resources

if TYPE_CHECKING:
    from garrison.deployment.deploying import deploy

__all__ = [
    "App",
    "Database",
    "Elsewhere",
    "External",
    "Foreign",
    "Graph",
    "Host",
    "IntentError",
    "Issuer",
    "Job",
    "Namespace",
    "Problem",
    "Rate",
    "Resources",
    "Service",
    "claim",
    "data",
    "deploy",
    "images",
    "path",
    "query",
    "render",
]
__version__ = VERSION


def __getattr__(name: str) -> Any:
    """`deploy` is imported when it is asked for, so that everything else works where Pulumi is not installed."""
    if name == "deploy":
        from garrison.deployment.deploying import deploy

        return deploy
    raise AttributeError(f"module 'garrison' has no attribute {name!r}")
