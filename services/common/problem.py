"""Problem documents (RFC 9457): the one shape of every error answer, whoever notices the error."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from common import context

MEDIA_TYPE = "application/problem+json"


class Document(BaseModel):
    """What a caller gets; `errors` names the parts of an invalid request."""

    model_config = ConfigDict(title="Problem")
    type: str = Field(default="about:blank", description="a name for this kind of problem")
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[dict[str, str]] = []


class Problem(Exception):
    """Raise to answer with a problem document. `kind` becomes its type, for programs to match."""

    def __init__(self, status: int, detail: str, *, kind: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind


def answer(
    status: int,
    detail: str,
    *,
    kind: str = "",
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """A problem document as a response."""
    body: dict[str, Any] = {
        "type": f"urn:garrison:problem:{kind}" if kind else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": context.request_id.get(),
    }
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers = {"retry-after": "1", **(headers or {})}
    shown = body | ({"errors": errors} if errors else {})
    return JSONResponse(shown, status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document."""

    @app.exception_handler(Problem)
    def _problem(_: Request, error: Problem) -> JSONResponse:
        return answer(error.status, error.detail, kind=error.kind)

    @app.exception_handler(HTTPException)
    def _http(_: Request, error: HTTPException) -> JSONResponse:
        return answer(error.status_code, error.detail, headers=dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        # What was sent is not repeated: it may be something nobody should see in a log.
        errors = [
            {"where": "/".join(str(part) for part in one["loc"]), "message": one["msg"]} for one in error.errors()
        ]
        unreadable = any(one["type"] == "json_invalid" for one in error.errors())
        status = HTTPStatus.BAD_REQUEST if unreadable else HTTPStatus.UNPROCESSABLE_ENTITY
        return answer(status, "the request is not valid", kind="invalid-request", errors=errors)


def documented() -> dict[int | str, dict[str, Any]]:
    """The error answers for the OpenAPI document of every operation."""
    content = {MEDIA_TYPE: {"schema": Document.model_json_schema()}}
    return {
        "4XX": {"description": "the request is at fault", "content": content},
        "5XX": {"description": "this service or one it calls is at fault", "content": content},
    }
