"""Runs a service: address from the environment, clean stop on SIGTERM, one line for a bad setting."""

from __future__ import annotations

import sys
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from common import log, settings
from common.limits import GRACE_SECONDS

# Much longer than the proxy keeps an idle connection (4 s): whoever closes first must be the one that sends,
# or a request meets a connection that is just being closed.
KEEP_ALIVE_SECONDS = 3900


def main(service: str, build: Callable[[], FastAPI]) -> None:
    """Serve until told to stop; requests under way are finished first."""
    log.set_up(service)
    try:
        app, host, port = build(), settings.text("HOST", "127.0.0.1"), settings.port()
    except settings.SettingsError as error:
        sys.exit(f"{service}: {error}")
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
