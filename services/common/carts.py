"""The cart, as those see it who call it. A cart is one user's: of an issuer, a subject."""

from __future__ import annotations

import grpc
from google.protobuf.message import Message

from common import cart_pb2 as cart
from common import context
from common.client import Refused
from common.ids import derived_id
from common.log import logger
from common.problem import Problem
from common.rpc import Answer, Remote

EXPLAINED = frozenset({grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION})
AWAY = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
Lines = list[tuple[str, int]]


class Carts:
    """Calls to shop.Cart; failures are those of `common.client`."""

    def __init__(self, address: str) -> None:
        self._remote = Remote(address)

    def add(self, item: str, quantity: int) -> Lines:
        """Put more of an item into the user's cart; what is in it then."""
        line = cart.Line(item=item, quantity=quantity)
        return self._lines("Add", cart.AddRequest(cart=own(), line=line))

    def lines(self, order: str = "") -> Lines:
        """What is in the user's cart; or what this order of theirs takes, the same at every repetition."""
        return self._lines("Get", cart.GetRequest(cart=own(), order=order))

    def clear(self, order: str) -> None:
        """Take out what the order took, once."""
        self._call("Clear", cart.ClearRequest(cart=own(), order=order), cart.ClearResponse)

    def close(self) -> None:
        """Let go of the connection."""
        self._remote.close()

    def _lines(self, method: str, request: cart.AddRequest | cart.GetRequest) -> Lines:
        return [(line.item, line.quantity) for line in self._call(method, request, cart.Lines).lines]

    def _call(self, method: str, request: Message, answer: type[Answer]) -> Answer:
        try:
            return self._remote.call(f"/shop.Cart/{method}", request, answer)
        except grpc.RpcError as error:
            code = error.code()
            if code in EXPLAINED:
                raise Refused(422, error.details() or "") from None
            logger.warning("cart: %s", code.name)
            if code in AWAY:
                raise Problem(503, "cart cannot be reached", kind="callee-unavailable") from None
            raise Problem(502, f"cart answered with {code.name}", kind="callee-failed") from None


def own() -> str:
    """The cart of the user whose token came; a Problem where none did."""
    if not context.subject():
        raise Problem(422, "nobody is logged in, and a cart is a user's", kind="no-user")
    return derived_id("cart", context.own("cart"))
