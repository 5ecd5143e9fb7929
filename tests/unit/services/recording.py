"""What holds of every keeper of orders, claims and goods: those in memory that tests use, and those on PostgreSQL."""

from __future__ import annotations

from uuid import uuid4

import pytest

from catalog.app import Keeper as GoodsKeeper
from claims.model import Claim, ClaimRequest, Cover
from claims.store import Keeper as ClaimsKeeper
from common.ids import derived_id
from common.model import Money
from common.once import Kept
from common.problem import Problem
from orders.model import Decided, Line, Order, OrderRequest, PricedLine
from orders.store import Keeper as OrdersKeeper

WANTED = OrderRequest(customer="ann", items=[Line(id="nails", quantity=2)])
ANN = {"subject": "u-ann", "issuer": "https://login.example"}


def euros(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


def decided(price: int = 1250) -> Decided:
    wanted = (("tongs", 1, 3100), ("nails", 2, price))
    lines = [PricedLine(id=item, quantity=quantity, price=euros(each)) for item, quantity, each in wanted]
    goods = 3100 + 2 * price
    made = {"goods": euros(goods), "premium": euros(50), "total": euros(goods + 50)}
    return Decided(customer="ann", items=lines, quote_id="q-1", from_cart=False, **made)


def paid(of: Decided, charge_id: str = "") -> Order:
    said = of.model_dump(exclude={"from_cart"})
    return Order(id=uuid4().hex, charge_id=charge_id or uuid4().hex, **said)


class OrdersLaws:
    """For subclasses in modules that have a fixture `orders`."""

    def test_what_was_decided_first_holds(self, orders: OrdersKeeper) -> None:
        orders.ready()
        key, first = uuid4().hex, decided()
        assert orders.begun(key, WANTED) is None
        assert orders.begin(key, WANTED, first) == first
        assert orders.begin(key, WANTED, decided(price=9999)) == orders.begun(key, WANTED) == first
        assert orders.begun(uuid4().hex, WANTED) is None, "of this key alone"

    def test_a_key_is_one_requests(self, orders: OrdersKeeper) -> None:
        key, other = uuid4().hex, OrderRequest(customer="bob")
        orders.begin(key, WANTED, decided())
        with pytest.raises(Problem, match="used for another request"):
            orders.begun(key, other)
        with pytest.raises(Problem, match="used for another request"):
            orders.begin(key, other, decided())
        assert orders.begun(key, WANTED.model_copy(update={"currency": "EUR"})) == decided(), "a default, said or not"

    def test_an_order_is_kept_once_with_its_owner(self, orders: OrdersKeeper) -> None:
        key, order = uuid4().hex, paid(decided())
        orders.begin(key, WANTED, decided())
        assert orders.find(order.id) is None
        assert orders.record(key, Kept(order, ANN)) == order
        second = order.model_copy(update={"charge_id": "another"})
        assert orders.record(key, Kept(second, {})) == order
        assert orders.find(order.id) == Kept(order, ANN)

    def test_what_came_without_a_token_is_nobodys(self, orders: OrdersKeeper) -> None:
        key, order = uuid4().hex, paid(decided())
        orders.begin(key, WANTED, decided())
        orders.record(key, Kept(order))
        assert orders.find(order.id) == Kept(order, {})


Case = tuple[str, ClaimRequest, Cover]


class ClaimsLaws:
    """For subclasses in modules that have a fixture `claims`."""

    def refused(self, claims: ClaimsKeeper, case: Case) -> None:
        claims.begin(*case)
        with pytest.raises(Problem, match="beyond the limit"):
            claims.reserve(*case)

    def claim(self, amount: int, cover: str) -> Case:
        request = ClaimRequest(cover_id=cover, charge_id="c-1", amount=euros(amount))
        return uuid4().hex, request, Cover(id=cover, limit=euros(5000), state="active")

    def settled(self, claims: ClaimsKeeper, amount: int, cover: str) -> tuple[str, Claim]:
        key, request, found = self.claim(amount, cover)
        claims.begin(key, request, found)
        claims.reserve(key, request, found)
        claim = Claim(id=derived_id("claim", key), refund_id=uuid4().hex, **dict(request))
        return key, claims.record(key, Kept(claim, ANN))

    def test_the_first_cover_that_was_found_holds(self, claims: ClaimsKeeper) -> None:
        claims.ready()
        key, request, cover = self.claim(1000, uuid4().hex)
        assert claims.begun(key, request) is None
        assert claims.begin(key, request, cover) == cover
        assert claims.begin(key, request, cover.model_copy(update={"state": "lapsed"})) == cover

    def test_what_is_spoken_for_counts_until_it_is_given_back(self, claims: ClaimsKeeper) -> None:
        cover = uuid4().hex
        first, second = self.claim(3000, cover), self.claim(3000, cover)
        for case in (first, second, first):
            claims.begin(*case)
        claims.reserve(*first)
        claims.reserve(*first)
        self.refused(claims, second)
        claims.release(first[0])
        claims.reserve(*second)
        self.refused(claims, first)

    def test_what_is_settled_is_kept_once_and_not_given_back(self, claims: ClaimsKeeper) -> None:
        cover = uuid4().hex
        key, claim = self.settled(claims, 3000, cover)
        assert claims.record(key, Kept(claim.model_copy(update={"refund_id": "another"}), {})) == claim
        assert claims.find(claim.id) == Kept(claim, ANN)
        claims.release(key)
        assert claims.find(claim.id) == Kept(claim, ANN)
        self.refused(claims, self.claim(3000, cover))

    def test_what_was_paid_counts_also_where_it_was_given_up(self, claims: ClaimsKeeper) -> None:
        cover = uuid4().hex
        key, request, found = self.claim(3000, cover)
        claims.begin(key, request, found)
        claims.reserve(key, request, found)
        claims.release(key)
        claim = Claim(id=derived_id("claim", key), refund_id=uuid4().hex, **dict(request))
        assert claims.record(key, Kept(claim, {})) == claim
        self.refused(claims, self.claim(3000, cover))


class GoodsLaws:
    """For subclasses in modules that have a fixture `goods`, as the schema begins."""

    def test_goods_come_in_the_order_of_their_ids(self, goods: GoodsKeeper) -> None:
        goods.ready()
        ids = [item.id for item in goods.items(100)]
        assert ids == sorted(ids) == ["anvil", "bellows", "hammer", "lantern", "nails", "tongs"]
        assert goods.items(2) == goods.items(100)[:2]

    def test_one_is_found_by_its_id(self, goods: GoodsKeeper) -> None:
        found = goods.item("lantern")
        assert found and (found.name, found.price) == ("Lantern, brass", Money(amount=3999, currency="USD"))
        assert goods.item("unicorn") is None
