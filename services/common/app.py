"""One way to make a service: the same errors, health answer and request handling everywhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from common import problem
from common.requests import Requests


def create(
    title: str,
    description: str,
    router: APIRouter,
    *,
    ready: Callable[[], None] = lambda: None,
    close: Callable[[], None] = lambda: None,
) -> FastAPI:
    """A service with the operations of `router`; `ready` raises a Problem while it cannot serve."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        close()

    # The interactive pages and the served schema stay off: `python -m common.openapi` writes it.
    app = FastAPI(
        title=title,
        description=description,
        version="0.1.0",
        openapi_url=None,
        lifespan=lifespan,
        responses=problem.documented(),
    )
    problem.install(app)
    app.add_middleware(Requests)
    app.include_router(router)

    @app.get("/healthz", operation_id="health", summary="Ready to serve?")
    def health() -> dict[str, str]:
        ready()
        return {"status": "ok"}

    return app
