"""The claims service: a claim within an active cover is refunded at payments, once.

Claims live in memory. What a cover has already paid is known to this process only; that no charge is
ever refunded beyond its amount is payments' law, kept in its database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock
from typing import Any

from fastapi import APIRouter, FastAPI

from claims.model import Claim, ClaimRequest, Cover, Refund, RefundRequest
from common import context, settings
from common.app import create
from common.client import Callee, Refused
from common.decision import Decisions
from common.model import IdempotencyKey, Identifier
from common.once import Once, derived_id
from common.problem import Problem


@dataclass(frozen=True)
class Desk:
    """Settles claims with two callees; one at a time, so that a cover's limit holds."""

    cover: Callee
    payments: Callee
    paid: dict[str, int] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def settle(self, request: ClaimRequest, key: str) -> Claim:
        """The claim, refunded; or a Problem, and nothing happened."""
        with self.lock:
            self._check(request)
            refund = self._refund(request, derived_id("claim", key))
            self.paid[request.cover_id] = self._already_paid(request) + request.amount.amount
        claim = Claim(id=derived_id("claim", key), refund_id=refund.id, **dict(request))
        self.claims[claim.id] = claim
        return claim

    def close(self) -> None:
        """Let go of every connection."""
        self.cover.close()
        self.payments.close()

    def _already_paid(self, request: ClaimRequest) -> int:
        return self.paid.get(request.cover_id, 0)

    def _check(self, request: ClaimRequest) -> None:
        try:
            cover = self.cover.get(f"/covers/{request.cover_id}", Cover)
        except Refused as refused:
            if refused.status == HTTPStatus.NOT_FOUND:
                raise Problem(422, f"no cover {request.cover_id}", kind="unknown-cover") from None
            raise Problem(502, f"cover answered with {refused.status}") from None
        if cover.state != "active":
            raise Problem(422, f"cover {cover.id} is {cover.state}", kind="cover-not-active")
        if cover.limit.currency != request.amount.currency:
            raise Problem(422, f"the cover is in {cover.limit.currency}", kind="wrong-currency")
        if self._already_paid(request) + request.amount.amount > cover.limit.amount:
            raise Problem(422, "the claim is beyond the limit of its cover", kind="beyond-limit")

    def _refund(self, request: ClaimRequest, id: str) -> Refund:
        asked = RefundRequest(charge_id=request.charge_id, amount=request.amount)
        try:
            return self.payments.post("/refunds", asked, Refund, key=f"claim-{id}")
        except Refused as refused:
            raise Problem(422, f"not refunded: {refused.detail}", kind="not-refunded") from None


PLACE, SHOW = "POST /claims", "GET /claims/{id}"


def routes(desk: Desk, decisions: Decisions) -> APIRouter:
    """The operations on `desk`. A claim is whose token it was made with."""
    router = APIRouter(tags=["claims"])
    settled: Once[Claim] = Once()
    owners: dict[str, dict[str, str]] = {}

    @router.post("/claims", status_code=201, operation_id="claim", summary="Claim on a cover")
    def post(request: ClaimRequest, idempotency_key: IdempotencyKey) -> Claim:
        decisions.check(PLACE, {"amount": request.amount.amount, "currency": request.amount.currency})
        key = context.own(idempotency_key)
        claim = settled.run(key, request, lambda: desk.settle(request, key))
        owners[claim.id] = context.owner()
        return claim

    @router.get("/claims/{id}", operation_id="getClaim", summary="One claim")
    def get(id: Identifier) -> Claim:
        decisions.check(SHOW, _known(desk.claims[id]) | owners.get(id, {}) if id in desk.claims else {})
        if id not in desk.claims:
            raise Problem(404, f"there is no claim {id}", kind="unknown-claim")
        return desk.claims[id]

    return router


def _known(claim: Claim) -> dict[str, Any]:
    """What a rule may ask of a claim, beside whose it is."""
    return {"id": claim.id, "amount": claim.amount.amount, "currency": claim.amount.currency}


def application(desk: Desk, decisions: Decisions | None = None) -> FastAPI:
    """The service on a given desk."""
    return create(
        "claims",
        "Insurance claims: checked against a cover, refunded by payments.",
        routes(desk, decisions or Decisions()),
        close=desk.close,
    )


def build() -> FastAPI:
    """The service as it runs: callees from the environment."""
    cover, payments = settings.url("COVER_URL"), settings.url("PAYMENTS_URL")
    desk = Desk(Callee("cover", cover), Callee("payments", payments))
    return application(desk, Decisions.from_environment(PLACE, SHOW))


def describe() -> FastAPI:
    """The service for its OpenAPI document."""
    return application(Desk(Callee("cover", "http://callee"), Callee("payments", "http://callee")))
