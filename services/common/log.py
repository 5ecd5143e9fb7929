"""Logs: one JSON object a line on stdout, each with the id of the request it belongs to."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from common import context

logger = logging.getLogger("service")


class JsonLines(logging.Formatter):
    """A record as JSON; `extra={"fields": {...}}` adds fields. Bodies and secrets are never given."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self.service,
            "message": record.getMessage(),
            "request_id": context.request_id.get() or None,
            "correlation_id": context.correlation_id.get() or None,
            "caller": context.caller.get() or None,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps({key: value for key, value in line.items() if value is not None})


def set_up(service: str) -> None:
    """Send everything, the server's own messages included, through the one format."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(service))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
