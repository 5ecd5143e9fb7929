"""`garrison files`: where an installation keeps what is no module, and Pulumi or an image build wants by path."""

from __future__ import annotations

import argparse
import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from garrison.errors import IntentError, Problem

WHAT = {
    "pack": 'the policy pack: pulumi preview --policy-pack "$(garrison files pack)"',
    "exceptions": "what the platform's own charts need and a rule would refuse: GARRISON_EXCEPTIONS, --exceptions",
    "probe-tool": "the package `prober`, for the image that `garrison prove --image` runs",
    "charts": "cert-manager/ and trust-manager/, as GARRISON_CHARTS names them; they are not part of the package",
}


def parser() -> argparse.ArgumentParser:
    """Its options."""
    made = argparse.ArgumentParser(
        prog="garrison files", description="Where this installation keeps what is no module."
    )
    made.add_argument("name", nargs="?", choices=WHAT, help="print this path only")
    return made


def main(arguments: Sequence[str]) -> int:
    """Print where everything is, or the one path that was asked for; raises IntentError for what is not here."""
    name = parser().parse_args(arguments).name
    if name:
        print(_one(name))
        return 0
    width = max(map(len, WHAT))
    for one, text in WHAT.items():
        print(f"{one:<{width}}  {next(_candidates(one), None) or 'not here'}\n{'':<{width}}  {text}")
    return 0


def exceptions() -> Path:
    """The exceptions that hold where nobody names others: GARRISON_EXCEPTIONS, or those of this installation."""
    named = os.environ.get("GARRISON_EXCEPTIONS")
    return Path(named) if named else _one("exceptions")


def _one(name: str) -> Path:
    for path in _candidates(name):
        return path
    remedy = "set GARRISON_CHARTS to the folder you put them in" if name == "charts" else "install garrison whole"
    raise IntentError([Problem(name, "is not here", f"{remedy}; docs/settings.md says where to get it")])


def _candidates(name: str) -> Iterator[Path]:
    """The places of a wheel first, then those of the repository."""
    policies, here = _package("garrison_policies"), Path(__file__).parent
    places: dict[str, list[Path | None]] = {
        "pack": [policies and policies / "pack" / "pack", policies and policies.parent / "pack"],
        "exceptions": [
            policies and policies / "pack" / "exceptions.yaml",
            policies and policies.parent / "exceptions.yaml",
        ],
        "probe-tool": [here / "prove" / "tool" / "prober", here.parents[1] / "services" / "prober"],
        "charts": [Path(os.environ["GARRISON_CHARTS"]) if os.environ.get("GARRISON_CHARTS") else None],
    }
    return (path for path in places[name] if path is not None and path.exists())


def _package(name: str) -> Path | None:
    """A package by its name only: garrison imports neither of its siblings."""
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent if found and found.origin else None
