"""The cover service. Quotes are computed, covers are kept in memory: a restart keeps the seeded ones."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from common.app import create
from common.ids import derived_id
from common.model import Identifier, Money
from common.problem import Problem
from cover.model import Cover, CoverRequest, Quote, QuoteRequest, State, premium

CAPACITY = 10_000


def _seed(id: str, amount: int, state: State) -> Cover:
    limit = Money(amount=amount, currency="EUR")
    return Cover(id=id, reference=f"order-of-{id}", limit=limit, state=state)


SEEDED = (
    _seed("cover-1", 100_000, State.ACTIVE),
    _seed("cover-2", 5_000, State.ACTIVE),
    _seed("cover-3", 100_000, State.LAPSED),
)


class Store:
    """Quotes and covers; single operations on a dictionary need no lock."""

    def __init__(self) -> None:
        self.quotes: dict[str, Quote] = {}
        self.covers = {cover.id: cover for cover in SEEDED}

    def add_quote(self, quote: Quote) -> None:
        """Keep a quote, forgetting the oldest when there are too many."""
        self.quotes[quote.id] = quote
        if len(self.quotes) > CAPACITY:
            self.quotes.pop(next(iter(self.quotes)), None)


def routes(store: Store) -> APIRouter:
    """The operations on `store`."""
    router = APIRouter(tags=["cover"])

    @router.post("/quotes", status_code=201, operation_id="quote", summary="Price a shipment's cover")
    def quote(request: QuoteRequest) -> Quote:
        made = Quote(
            id=derived_id("quote", request.model_dump_json()),
            reference=request.reference,
            value=request.value,
            premium=premium(request.value),
        )
        store.add_quote(made)
        return made

    @router.post("/covers", status_code=201, operation_id="buyCover", summary="Take up a quote")
    def buy(request: CoverRequest) -> Cover:
        quote = store.quotes.get(request.quote_id)
        if quote is None:
            raise Problem(404, f"there is no quote {request.quote_id}", kind="unknown-quote")
        id = derived_id("cover", quote.id)
        cover = Cover(id=id, reference=quote.reference, limit=quote.value, state=State.ACTIVE)
        return store.covers.setdefault(id, cover)

    @router.get("/covers/{id}", operation_id="getCover", summary="One cover and its state")
    def cover(id: Identifier) -> Cover:
        if id not in store.covers:
            raise Problem(404, f"there is no cover {id}", kind="unknown-cover")
        return store.covers[id]

    return router


def describe() -> FastAPI:
    """The service; it needs no settings."""
    return create("cover", "Shipment insurance: quotes and covers.", routes(Store()))


build = describe
