"""The exit codes of every verb, said once: `garrison --help` and docs/verbs.md show this table."""

from __future__ import annotations

import enum


class Exit(enum.IntEnum):
    """How a command ended. Nothing that could not be done is ever 0."""

    CLEAN = 0
    FOUND = 1
    COULD_NOT = 2
    INTERRUPTED = 130  # 128 + SIGINT, as shells count
    READER_GONE = 141  # 128 + SIGPIPE


MEANINGS = {
    Exit.CLEAN: "done; for a check: nothing found",
    Exit.FOUND: "the check was done and found something, or the proof deviates",
    Exit.COULD_NOT: "could not be done, whole or in part: one line says why",
    Exit.INTERRUPTED: "interrupted; the same command can be run again",
    Exit.READER_GONE: "the reader of the output went away before its end",
}


def table() -> str:
    """One line for each code."""
    return "\n".join(f"  {code.value:>3}  {meaning}" for code, meaning in MEANINGS.items())
