"""Calls to other services: bounded in time, and every failure one of two clean problems.

503: the callee could not be reached or is not ready, try again. 502: it answered, but not as agreed.
A 4xx that the caller wants to explain itself comes back as `Refused`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from common import context
from common.log import logger
from common.problem import Problem

Answer = TypeVar("Answer", bound=BaseModel)
TIMEOUT = httpx.Timeout(5.0, connect=1.0)
EXPLAINED = frozenset({402, 404, 409, 422})


class Refused(Exception):
    """The callee said no, for a reason that is the caller's to explain."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Callee:
    """One service this one calls."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        forward_token: bool = False,
        authorization: Callable[[], str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`forward_token` passes the user's token on: only where the estate declares the call with token="forward".
        `authorization` says what shows who we are to a callee that is not the estate's, asked at each call.
        """
        self.name = name
        self._forward_token = forward_token
        self._authorization = authorization
        # One more attempt to connect, never one to send: a request may already have had its effect.
        self._http = httpx.Client(
            base_url=url,
            timeout=TIMEOUT,
            transport=transport or httpx.HTTPTransport(retries=1),
        )

    def get(self, path: str, answer: type[Answer]) -> Answer:
        """GET `path`."""
        return self._call("GET", path, answer, None, "")

    def post(self, path: str, body: BaseModel, answer: type[Answer], *, key: str = "") -> Answer:
        """POST `body` to `path`; `key` makes a repetition harmless."""
        return self._call("POST", path, answer, body.model_dump(mode="json"), key)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _call(self, method: str, path: str, answer: type[Answer], body: dict[str, Any] | None, key: str) -> Answer:
        headers = {"x-request-id": context.request_id.get(), "x-correlation-id": context.correlation_id.get()}
        if key:
            headers["idempotency-key"] = key
        if self._forward_token and (token := context.authorization.get()):
            headers["authorization"] = token
        if self._authorization:
            headers["authorization"] = self._authorization()
        try:
            response = self._http.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            logger.warning("%s: %s", self.name, type(error).__name__)
            raise Problem(503, f"{self.name} cannot be reached", kind="callee-unavailable") from None
        return self._read(response, answer)

    def _read(self, response: httpx.Response, answer: type[Answer]) -> Answer:
        status = response.status_code
        if status in EXPLAINED:
            raise Refused(status, _detail(response))
        if status in {503, 504}:
            raise Problem(503, f"{self.name} is not available", kind="callee-unavailable")
        if not response.is_success:
            raise Problem(502, f"{self.name} answered with {status}", kind="callee-failed")
        try:
            return answer.model_validate_json(response.content)
        except ValidationError:
            raise Problem(502, f"{self.name} gave an answer that is not as agreed", kind="callee-failed") from None


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"status {response.status_code}"
