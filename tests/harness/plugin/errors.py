"""What can go wrong, in the words of the API server.

An `ApiError` keeps the server's own status, because every decision (wait, retry, replace, give up)
is read off it and every message quotes it.
"""

# ruff: noqa: N818 - named for what happened; every one is a PluginError

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.plugin.objects import Obj, dig

_IMMUTABLE = re.compile(
    r"immutable|may not change|cannot change|can not be changed|may not be changed"
    r"|updates? to .* (is|are) forbidden",
    re.IGNORECASE,
)
_WEBHOOK = re.compile(r"failed calling webhook", re.IGNORECASE)
_WEBHOOK_STARTING = re.compile(
    r"connection refused|no endpoints available|unknown authority|deadline exceeded|timeout"
    r"|no route to host|connect: |EOF|service unavailable|not found|bad certificate",
    re.IGNORECASE,
)
_TRANSIENT_CODES = frozenset({429, 500, 502, 503, 504})


class PluginError(Exception):
    """An error to hand to the engine as one message."""


class Unreachable(PluginError):
    """The API server could not be reached at all."""


class Cancelled(PluginError):
    """The user cancelled (ctrl-C) while this was waiting."""


class KindMissing(PluginError):
    """The server does not serve this kind (yet): its CustomResourceDefinition is missing."""

    def __init__(self, api_version: str, kind: str) -> None:
        super().__init__(
            f'no matches for kind "{kind}" in version "{api_version}": the API server does not '
            "serve it. Verify that any required CRDs have been created"
        )


class NotReady(PluginError):
    """The object was written but did not become ready (or did not go away)."""

    def __init__(self, message: str, live: Obj, reasons: Sequence[str]) -> None:
        super().__init__(message)
        self.live = live
        self.reasons = [message, *reasons]


class ApiError(PluginError):
    """A refusal by the API server, with its Status object."""

    def __init__(self, code: int, status: Mapping[str, Any]) -> None:
        self.code = code
        self.reason = str(status.get("reason") or "")
        self.text = str(status.get("message") or f"HTTP {code}")
        self.causes: list[dict[str, Any]] = list(dig(status, "details", "causes") or [])
        self.kind = str(dig(status, "details", "kind", default=""))
        super().__init__(self.text)

    @property
    def not_found(self) -> bool:
        return self.code == 404

    @property
    def missing_namespace(self) -> bool:
        """The namespace of the object is not there yet."""
        return self.not_found and self.kind == "namespaces"

    @property
    def conflicts(self) -> list[str]:
        """The field managers that own what we tried to change."""
        if self.code != 409:
            return []
        found = (re.search(r'"([^"]+)"', str(c.get("message"))) for c in self.causes)
        return [match.group(1) for match in found if match]

    @property
    def field_conflict(self) -> bool:
        return any(c.get("reason") == "FieldManagerConflict" for c in self.causes)

    @property
    def immutable_fields(self) -> list[str]:
        """Paths of the fields that cannot change in place, if that is what this error says."""
        if self.code not in (403, 422):
            return []
        return [str(cause.get("field") or "") for cause in self.causes if _IMMUTABLE.search(str(cause.get("message")))]

    @property
    def webhook(self) -> bool:
        """An admission webhook could not be called (it is starting, or broken)."""
        return bool(_WEBHOOK.search(self.text) and _WEBHOOK_STARTING.search(self.text))

    @property
    def transient(self) -> bool:
        """Worth trying again: starting webhooks, busy servers, concurrent writers."""
        if self.webhook:
            return True
        if self.code == 409:
            return self.reason == "Conflict" and not self.field_conflict
        if self.code == 403:
            return "is being terminated" in self.text or "looking up service account" in self.text
        return self.code in _TRANSIENT_CODES and not _WEBHOOK.search(self.text)
