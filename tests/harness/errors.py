"""The one exception the command line prints as a line instead of a traceback."""

from __future__ import annotations


class HarnessError(Exception):
    """What went wrong, where, and what to do: one line."""
