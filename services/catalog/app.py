"""The catalog service: it reads what there is to buy, the same in every replica."""

from __future__ import annotations

from pathlib import Path as File
from typing import Annotated, Protocol

from fastapi import APIRouter, FastAPI, Path, Query

from catalog.model import Item, Items
from catalog.store import Catalogue
from common import settings
from common.app import create
from common.problem import Problem


class Keeper(Protocol):
    """Who has the items; its methods are those of `catalog.store.Catalogue`."""

    def items(self, limit: int) -> list[Item]: ...
    def item(self, id: str, /) -> Item | None: ...
    def ready(self) -> None: ...
    def close(self) -> None: ...


def routes(catalogue: Keeper) -> APIRouter:
    """The operations on `catalogue`."""
    router = APIRouter(tags=["catalog"])

    @router.get("/items", operation_id="listItems", summary="What there is to buy")
    def items(limit: Annotated[int, Query(ge=1, le=100)] = 50) -> Items:
        return Items(items=catalogue.items(limit))

    @router.get("/items/{id}", operation_id="getItem", summary="One item and its price")
    def item(id: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]) -> Item:
        if (found := catalogue.item(id)) is None:
            raise Problem(404, f"there is no item {id}", kind="unknown-item")
        return found

    return router


def application(catalogue: Keeper) -> FastAPI:
    """The service on a given catalogue."""
    return create("catalog", "What the shop sells.", routes(catalogue), ready=catalogue.ready, close=catalogue.close)


def build() -> FastAPI:
    """The service as it runs: where its lease lies comes from the environment."""
    return application(Catalogue(settings.file("CATALOGUE_FILE")))


def describe() -> FastAPI:
    """The service for its OpenAPI document."""
    return application(Catalogue(File("catalogue.json")))
