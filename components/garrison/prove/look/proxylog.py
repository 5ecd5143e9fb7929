"""The access log of a workload's proxy: one JSON object a line, among lines that are something else."""

from __future__ import annotations

import json


def details(log: str) -> dict[str, str]:
    """What became of each request, by request id."""
    found: dict[str, str] = {}
    for line in log.splitlines():
        if line.startswith("{"):
            try:
                entry = json.loads(line)
            except ValueError:  # a line cut off at the end of the log
                continue
            found[str(entry.get("request_id"))] = str(entry.get("detail"))
    return found
