"""Orders, claims and goods in memory: for whoever needs these services and no database.

They do what the stores of the services do; the same laws hold of both, see `unit/services/recording.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel

from catalog.model import Item
from claims.model import Claim, ClaimRequest, Cover
from common.ids import derived_id
from common.model import Money
from common.once import Kept, fingerprint
from common.problem import Problem
from harness import paths
from orders.model import Decided, Order, OrderRequest

Request = TypeVar("Request", bound=BaseModel)
Decision = TypeVar("Decision", bound=BaseModel)
Record = TypeVar("Record", Order, Claim)
ITEMS = paths.REPO / "stacks/schema/catalogue/0001_items.sql"


@dataclass
class Memory(Generic[Request, Decision, Record]):
    """Requests by their key, and what came of them by its id."""

    decisions: dict[str, tuple[str, Decision]] = field(default_factory=dict)
    kept: dict[str, Kept[Record]] = field(default_factory=dict)

    def begun(self, key: str, request: Request) -> Decision | None:
        before, decided = self.decisions.get(key, (fingerprint(request), None))
        if before != fingerprint(request):
            raise Problem(422, "this key was used for another request", kind="key-reused")
        return decided

    def begin(self, key: str, request: Request, decided: Decision) -> Decision:
        self.decisions.setdefault(key, (fingerprint(request), decided))
        return self.begun(key, request) or decided

    def record(self, key: str, kept: Kept[Record]) -> Record:
        assert key in self.decisions
        return self.kept.setdefault(kept.record.id, kept).record

    def find(self, name: str) -> Kept[Record] | None:
        return self.kept.get(name)

    def ready(self) -> None:
        pass

    def close(self) -> None:
        pass


class Orders(Memory[OrderRequest, Decided, Order]):
    """What `orders.store.Orderbook` does."""


@dataclass
class Claims(Memory[ClaimRequest, Cover, Claim]):
    """What `claims.store.Register` does."""

    reserved: dict[str, ClaimRequest] = field(default_factory=dict)

    def reserve(self, key: str, request: ClaimRequest, cover: Cover) -> None:
        others = [one for other, one in self.reserved.items() if other != key and one.cover_id == request.cover_id]
        if sum(one.amount.amount for one in (*others, request)) > cover.limit.amount:
            raise Problem(422, "the claim is beyond the limit of its cover", kind="beyond-limit")
        self.reserved[key] = request

    def release(self, key: str) -> None:
        if derived_id("claim", key) not in self.kept:
            self.reserved.pop(key, None)

    def record(self, key: str, kept: Kept[Claim]) -> Claim:
        self.reserved.setdefault(key, ClaimRequest(**kept.record.model_dump(include={*ClaimRequest.model_fields})))
        return super().record(key, kept)


@dataclass(frozen=True)
class Goods:
    """What `catalog.store.Catalogue` does, with the items that its schema begins with."""

    kept: tuple[Item, ...]

    @classmethod
    def sown(cls) -> Goods:
        """Those of the first step."""
        found = re.findall(r"\('([\w-]+)', '([^']+)', (\d+), '([A-Z]{3})'\)", ITEMS.read_text())
        items = (Item(id=i, name=name, price=Money(amount=int(price), currency=c)) for i, name, price, c in found)
        return cls(tuple(sorted(items, key=lambda item: item.id)))

    def items(self, limit: int) -> list[Item]:
        return [*self.kept[:limit]]

    def item(self, name: str) -> Item | None:
        return next((item for item in self.kept if item.id == name), None)

    def ready(self) -> None:
        pass

    def close(self) -> None:
        pass
