"""Helm, as a function: it renders charts and fetches them. No release is kept."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from garrison.errors import GarrisonError

_SECONDS = 120


class ChartError(GarrisonError):
    """A chart could not be fetched or rendered."""


def helm(arguments: Sequence[str], what: str, *, stdin: str = "") -> str:
    """What helm says, on both of its outputs for all but `template`; ChartError names `what` it could not do."""
    try:
        done = subprocess.run(
            ["helm", *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except FileNotFoundError:
        raise ChartError("helm is not in PATH; it renders the platform's charts: install it, or use make up") from None
    except subprocess.TimeoutExpired:
        raise ChartError(f"helm did not {what} within two minutes") from None
    if done.returncode != 0:
        raise ChartError(f"helm could not {what}: {' '.join(done.stderr.split())}")
    return done.stdout if arguments[0] == "template" else done.stdout + done.stderr
