"""The cart service: shop.Cart as `common/cart.proto` has it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

import grpc
from google.protobuf.message import Message

from cart.resp import Failed, Redis, Unavailable
from cart.store import Full, Lines, Store
from common import cart_pb2 as cart
from common import settings
from common.limits import MAX_QUANTITY
from common.log import logger
from common.rpc import Operation, Refusal, Served

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
URL = "REDIS_URL"


class Keeper(Protocol):
    """Where carts are kept."""

    def ready(self) -> bool: ...
    def add(self, cart: str, item: str, quantity: int) -> Lines: ...
    def lines(self, cart: str) -> Lines: ...
    def take(self, cart: str, order: str) -> Lines: ...
    def clear(self, cart: str, order: str) -> None: ...
    def close(self) -> None: ...


def served(store: Keeper) -> Served:
    """The service on a store."""

    def add(request: cart.AddRequest) -> cart.Lines:
        _named(cart=request.cart, item=request.line.item)
        if not 1 <= request.line.quantity <= MAX_QUANTITY:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"quantity is 1 to {MAX_QUANTITY}")
        try:
            return _said(store.add(request.cart, request.line.item, request.line.quantity))
        except Full:
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, "the cart takes no more of it") from None

    def get(request: cart.GetRequest) -> cart.Lines:
        _named(cart=request.cart)
        if not request.order:
            return _said(store.lines(request.cart))
        _named(order=request.order)
        return _said(store.take(request.cart, request.order))

    def clear(request: cart.ClearRequest) -> cart.ClearResponse:
        _named(cart=request.cart, **({"order": request.order} if request.order else {}))
        store.clear(request.cart, request.order)
        return cart.ClearResponse()

    operations = {
        "Add": Operation(cart.AddRequest, _kept(add)),
        "Get": Operation(cart.GetRequest, _kept(get)),
        "Clear": Operation(cart.ClearRequest, _kept(clear)),
    }
    return Served("shop.Cart", operations, lambda: _ready(store), store.close)


def build() -> Served:
    """The service as it runs: Redis and how long it keeps carts from the environment."""
    redis = Redis.of(URL, settings.text(URL))
    return served(Store(redis, settings.number("CART_DAYS", "30")))


def _kept(work: Callable[[Any], Message]) -> Callable[[Any], Message]:
    """The same, where a store that is away is said to whoever asks."""

    def kept(request: Message) -> Message:
        try:
            return work(request)
        except (Unavailable, Failed) as error:
            logger.warning("redis: %s", error)
            raise Refusal(grpc.StatusCode.UNAVAILABLE, "the carts cannot be reached") from None

    return kept


def _ready(store: Keeper) -> bool:
    try:
        return store.ready()
    except (Unavailable, Failed):  # Failed: it still reads what it kept
        return False


def _named(**said: str) -> None:
    for what, name in said.items():
        if not NAME.fullmatch(name):
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"{what} is 1 to 64 letters, digits, - and _")


def _said(lines: Lines) -> cart.Lines:
    return cart.Lines(lines=[cart.Line(item=item, quantity=quantity) for item, quantity in lines])
