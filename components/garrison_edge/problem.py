"""Why a request is refused, as a problem document (RFC 9457). What was sent is never repeated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True)
class Fault:
    """One part of a request that does not fit: where (`body`, `query`, `path`, `header`), which, and why."""

    place: str
    pointer: str
    """JSON pointer (RFC 6901) within that place."""
    detail: str

    @classmethod
    def at(cls, place: str, parts: Sequence[str | int], detail: str) -> Fault:
        escaped = (str(part)[:64].replace("~", "~0").replace("/", "~1") for part in parts)
        return cls(place, "".join(f"/{part}" for part in escaped), detail)


@dataclass(eq=False)
class Refused(Exception):  # noqa: N818 a decision, not an error
    """A request that goes no further."""

    status: int
    kind: str
    detail: str
    faults: tuple[Fault, ...] = ()
    rule: str = ""
    """Of which operation, where one was found."""

    def document(self, request_id: str) -> bytes:
        said = {
            "type": f"urn:garrison:edge:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id,
        }
        faults = [{"in": one.place, "pointer": one.pointer, "detail": one.detail} for one in self.faults]
        return json.dumps(said | ({"errors": faults} if faults else {})).encode()


def unreadable(detail: str, *faults: Fault) -> Refused:
    """400: it cannot be read, or in two ways."""
    return Refused(HTTPStatus.BAD_REQUEST, "unreadable", detail, faults)


def unavailable() -> Refused:
    """503: the agent's own fault. Nothing passes that was not judged."""
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "the request cannot be judged now; try again")
