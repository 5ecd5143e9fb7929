"""Log lines: one JSON object each on standard output; never a body, a path, a query or a token."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any


def line(event: str, **fields: Any) -> None:
    """`event` is `decision`, `reload`, `alert` or `agent`; fields that are None are left out."""
    said = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **fields}
    sys.stdout.write(json.dumps({name: value for name, value in said.items() if value is not None}) + "\n")
    sys.stdout.flush()
