"""The agent as a whole: judges for the proxy, brings it new routes, and says whether it is alive and ready."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar

from garrison_edge import log
from garrison_edge.contract import Contracts, Request
from garrison_edge.introspection import PREFIX, Introspection, Issuer
from garrison_edge.problem import MEDIA_TYPE, Refused, unavailable
from garrison_edge.proxy import Proxy
from garrison_edge.reload import Reload
from garrison_edge.server import Answer, serve

LEAVING = 15.0
"""Seconds at most from the word that the pod is to leave until it may: what clients still have open then is cut."""
WITHDRAWN = 5.0
"""Seconds at least: by then nobody is sent here any more."""


@dataclass(frozen=True)
class Places:
    """Where things are in the edge's pod."""

    dynamic: Path = Path("/etc/edge")
    contracts: Path = Path("/etc/edge-contracts/contracts.json")
    run: Path = Path("/run/edge")
    admin: Path = Path("/run/edge/admin.sock")
    port: int = 9002
    health: int = 9003
    introspection: Path = Path("/etc/edge-introspection/introspection.json")
    health_address: str = "0.0.0.0"  # noqa: S104 the kubelet asks from outside the pod
    ABOUT: ClassVar[dict[str, str]] = {
        "dynamic": "the mounted folder with clusters, routes and filters",
        "contracts": "the mounted file with the contracts",
        "run": "the folder that the proxy watches",
        "admin": "the socket of the proxy's statistics",
        "port": "where the proxy asks, on loopback",
        "health": "where the kubelet asks",
        "introspection": "whom to ask about opaque tokens; without this file nobody is asked",
        "health_address": "at which address",
    }


class Agent:
    def __init__(self, places: Places) -> None:
        self.places = places
        self.contracts: Contracts | None = None
        issuers = Issuer.read(places.introspection) if places.introspection.exists() else {}
        self.tokens = {name: Introspection(issuer) for name, issuer in issuers.items()}
        self.proxy = Proxy(places.admin)
        self.reload = Reload(places.dynamic, places.run, places.contracts, self.proxy, self._adopt)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serving; a judgement that has begun is finished before the end, for none of them waits."""
        health = await serve(self.places.health_address, self.places.health, self.alive)
        judging = await serve("127.0.0.1", self.places.port, self.judge)
        watch = asyncio.create_task(self.reload.forever())
        log.line("agent", outcome="started", port=judging.sockets[0].getsockname()[1])
        try:
            yield
        finally:
            watch.cancel()
            for server in (judging, health):
                server.close()
            log.line("agent", outcome="stopped")

    async def judge(self, request: Request) -> Answer:
        """200 for a request that fits its contract, or brings an active token; the refusal for any other."""
        known = request.headers.get("x-request-id", ())
        request_id = known[0][:128] if len(known) == 1 else ""
        try:
            if request.target.startswith(f"{PREFIX}/"):
                tokens = self.tokens.get(request.target.split("/", 3)[2])
                if tokens is None:
                    raise unavailable()
                return Answer(200, headers=await tokens.judge(request))
            if self.contracts is None:
                raise unavailable()
            self.contracts.judge(request)
        except Refused as refused:
            log.line(
                "decision",
                rule=refused.rule or None,
                outcome=f"{refused.status:d} {refused.kind}",
                where=sorted({f"{one.place}{one.pointer}" for one in refused.faults}) or None,
                request_id=request_id,
            )
            asked = (("www-authenticate", "Bearer"),) if refused.status == HTTPStatus.UNAUTHORIZED else ()  # RFC 6750
            return Answer(refused.status, MEDIA_TYPE, refused.document(request_id), asked)
        return Answer(200)

    async def alive(self, request: Request) -> Answer:
        """`/live` while it answers; `/copied` once the proxy can start; `/ready` once it has taken everything."""
        if (request.method, request.target) == ("GET", "/leave"):
            return await self.leave()
        holds = {"/live": True, "/copied": self.reload.copied, "/ready": self.reload.ready}.get(request.target)
        if request.method != "GET" or holds is None:
            return Answer(404)
        return Answer(200 if holds else 503)

    async def leave(self) -> Answer:
        """The kubelet asks before it ends the proxy, and waits for the answer: then clients have gone."""
        clock = asyncio.get_running_loop()
        begun = clock.time()
        told = await self.proxy.leave(LEAVING)
        log.line("agent", outcome="leaving" if told else "the proxy was not told that it is to leave")
        while (passed := clock.time() - begun) < LEAVING and (passed < WITHDRAWN or await self.proxy.busy()):
            await asyncio.sleep(0.2)
        return Answer(200)

    def _adopt(self, contracts: Contracts) -> None:
        self.contracts = contracts
