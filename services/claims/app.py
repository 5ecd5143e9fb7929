"""The claims service: a claim within an active cover is refunded at payments, once.

What a cover pays is spoken for in the register before the refund is asked for, so that its limit holds over all
replicas and after any failure; that no charge is ever refunded beyond its amount is payments' law, in its database.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI

from claims.model import Claim, ClaimRequest, Cover, Refund, RefundRequest
from claims.store import Keeper, Register
from common import context, settings
from common.app import create
from common.client import Callee, Refused
from common.decision import Decisions
from common.ids import derived_id
from common.model import IdempotencyKey, Identifier
from common.once import Kept
from common.problem import Problem


@dataclass(frozen=True)
class Desk:
    """Settles claims with two callees and the register."""

    cover: Callee
    payments: Callee
    register: Keeper

    def settle(self, request: ClaimRequest, key: str) -> Claim:
        """The claim, refunded and kept; or a Problem, and the same request goes on where this one ended."""
        id = derived_id("claim", key)
        cover = self.register.begun(key, request) or self.register.begin(key, request, self._checked(request))
        if before := self.register.find(id):
            return before.record
        self.register.reserve(key, request, cover)
        refund = self._refund(request, id, key)
        claim = Claim(id=id, refund_id=refund.id, **dict(request))
        return self.register.record(key, Kept(claim, context.owner()))

    def close(self) -> None:
        """Let go of every connection."""
        self.cover.close()
        self.payments.close()
        self.register.close()

    def _checked(self, request: ClaimRequest) -> Cover:
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
        return cover

    def _refund(self, request: ClaimRequest, id: str, key: str) -> Refund:
        asked = RefundRequest(charge_id=request.charge_id, amount=request.amount)
        try:
            return self.payments.post("/refunds", asked, Refund, key=f"claim-{id}")
        except Refused as refused:
            if refused.status != HTTPStatus.CONFLICT:  # which says that another may be getting it just now
                self.register.release(key)
            raise Problem(422, f"not refunded: {refused.detail}", kind="not-refunded") from None


PLACE, SHOW = "POST /claims", "GET /claims/{id}"


def routes(desk: Desk, decisions: Decisions) -> APIRouter:
    """The operations on `desk`. A claim is whose token it was made with."""
    router = APIRouter(tags=["claims"])

    @router.post("/claims", status_code=201, operation_id="claim", summary="Claim on a cover")
    def post(request: ClaimRequest, idempotency_key: IdempotencyKey) -> Claim:
        decisions.check(PLACE, {"amount": request.amount.amount, "currency": request.amount.currency})
        return desk.settle(request, context.own(idempotency_key))

    @router.get("/claims/{id}", operation_id="getClaim", summary="One claim")
    def get(id: Identifier) -> Claim:
        kept = desk.register.find(id)
        decisions.check(SHOW, _known(kept.record) | kept.owner if kept else {})
        if kept is None:
            raise Problem(404, f"there is no claim {id}", kind="unknown-claim")
        return kept.record

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
        ready=desk.register.ready,
        close=desk.close,
    )


def build() -> FastAPI:
    """The service as it runs: callees from the environment."""
    cover, payments = settings.url("COVER_URL"), settings.url("PAYMENTS_URL")
    register = Register(settings.file("REGISTER_FILE"))
    desk = Desk(Callee("cover", cover), Callee("payments", payments), register)
    return application(desk, Decisions.from_environment(PLACE, SHOW))


def describe() -> FastAPI:
    """The service for its OpenAPI document."""
    cover, payments = (Callee(name, "http://callee") for name in ("cover", "payments"))
    return application(Desk(cover, payments, Register(Path("register.json"))))
