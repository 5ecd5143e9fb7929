"""Pulumi's home folder for a stack of ours, in which it keeps no diary.

Every command of the pinned version writes all that it says to providers into `logs` there: half of the engine's time on
an estate, up to 500 MB, and in the clear until a stack's key is known. No setting turns it off; where the folder cannot
be made it goes on without. Who wants it gives the engine a home of their own (`PULUMI_HOME`).
"""

from __future__ import annotations

import shutil
from pathlib import Path

LOGS = "logs"


def made(home: Path) -> Path:
    """The folder, there, with a file where the diary would be; what was written before is removed."""
    home.mkdir(parents=True, exist_ok=True)
    diary = home / LOGS
    if diary.is_dir():
        shutil.rmtree(diary)
    diary.touch(mode=0o600)
    return home
