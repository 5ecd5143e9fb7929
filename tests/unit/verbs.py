"""The verbs as a user runs them: through the command line, which turns every error into words and a code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from garrison import cli

Verb = Callable[[Sequence[str]], int]


def verb(name: str) -> Verb:
    def run(arguments: Sequence[str]) -> int:
        return cli.main([name, *arguments])

    return run


check, scan, outdated, ci = map(verb, ("check", "scan", "outdated", "ci"))
