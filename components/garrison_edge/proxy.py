"""What the proxy says of its configuration, and that it is to leave: its admin interface, on a socket of this pod.

The proxy allows there nothing but `/stats` and `/healthcheck/fail` (bootstrap, `admin.allow_paths`). The agent writes a
version into each file, and the proxy shows which it has taken (`version_text`) and how many it refused
(`update_rejected`).
"""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SECONDS: Final = 2.0
_TYPE = "type.googleapis.com/envoy.config"
CLUSTER: Final = f"{_TYPE}.cluster.v3.Cluster"
ROUTES: Final = f"{_TYPE}.route.v3.RouteConfiguration"
EXTENSION: Final = f"{_TYPE}.core.v3.TypedExtensionConfig"
LEAVE: Final = "/healthcheck/fail"
"""From then on every answer tells its client to come back over another connection."""
OPEN: Final = "/stats?filter=downstream_cx_active"
_OPEN = re.compile(r"^listener\.[0-9.:_]+\.downstream_cx_active: ([0-9]+)$", re.MULTILINE)
FILTER: Final = "/stats?filter=version_text|update_rejected|config_fail"
_TEXT = re.compile(r'^(.*)\.version_text: "([^"]*)"$')
_COUNT = re.compile(r"^(.*)\.(?:update_rejected|config_fail): ([0-9]+)$")


@dataclass(frozen=True)
class State:
    """By the name of a subscription in the proxy's statistics."""

    versions: Mapping[str, str]
    refused: Mapping[str, int]

    def of(self, kind: str, name: str) -> tuple[str, ...]:
        """The subscriptions to a resource; none where the proxy listens for no such one."""
        ending = {CLUSTER: "cluster_manager.cds", ROUTES: f".rds.{name}"}.get(kind, f".{name}")
        known = (known for known in self.versions if known.endswith(ending))
        return tuple(one for one in known if kind in (CLUSTER, ROUTES) or one.startswith("extension_config_discovery."))


class Proxy:
    def __init__(self, path: Path) -> None:
        self.path = path

    async def state(self) -> State | None:
        """What it has taken; None while it is not there. Raises TimeoutError where it is, and takes its time."""
        text = await self._said("GET", FILTER)
        if text is None:
            return None
        lines = text.splitlines()
        return State(
            {found[1]: found[2] for line in lines if (found := _TEXT.match(line))},
            {found[1]: int(found[2]) for line in lines if (found := _COUNT.match(line))},
        )

    async def leave(self, seconds: float) -> bool:
        """Have clients go; whether it was told, within so many seconds."""
        clock = asyncio.get_running_loop()
        end = clock.time() + seconds
        while True:
            try:
                return await self._said("POST", LEAVE) is not None
            except TimeoutError:
                if clock.time() > end:
                    return False

    async def busy(self) -> bool:
        """Whether a client has a connection: of one that takes its time to say, yes; of one that is not there, no."""
        try:
            text = await self._said("GET", OPEN)
        except TimeoutError:
            return True
        return any(int(count) for count in _OPEN.findall(text or ""))

    async def _said(self, method: str, path: str) -> str | None:
        """Its answer; None where it is not there, which is not the same as one that takes its time (TimeoutError)."""
        try:
            return await asyncio.to_thread(self._ask, method, path)
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException):
            return None

    def _ask(self, method: str, path: str) -> str:
        line = http.client.HTTPConnection("localhost", timeout=SECONDS)
        line.sock = socket.socket(socket.AF_UNIX)
        try:
            line.sock.settimeout(SECONDS)
            line.sock.connect(str(self.path))
            line.request(method, path)
            answer = line.getresponse()
            if answer.status != http.client.OK:
                raise http.client.HTTPException(f"the proxy answers {answer.status}")
            return answer.read().decode()
        finally:
            line.close()
