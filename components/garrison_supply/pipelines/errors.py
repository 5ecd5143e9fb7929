"""What this package cannot do, in one line: where, what, and what to do about it."""

from __future__ import annotations

from garrison.errors import GarrisonError


class PipelineError(GarrisonError):
    """Something that keeps a CI command from giving its answer; it ends with exit code 2, never with a pass."""


class UnreadableError(PipelineError):
    """A file that was asked for and is no workflow that can be judged."""

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"{file}: {why}")
        self.file, self.why = file, why
