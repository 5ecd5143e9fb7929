"""The payment provider's side: references signed with its key, which is read when needed, never kept."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from uuid import UUID

from common.log import logger
from common.problem import Problem


class Provider:
    """Signs a movement's id, so that the provider can tell our instructions from forged ones."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file

    def reference(self, id: UUID) -> str:
        """The id and its signature; a rotated key is in force at the next call."""
        try:
            key = self._key_file.read_bytes().strip()
        except OSError as error:
            logger.warning("no provider key: %s", type(error).__name__)
            key = b""
        if not key:
            raise Problem(503, "the payment provider's key is not available", kind="no-psp-key")
        return f"psp-{id.hex[:12]}-{hmac.new(key, id.bytes, hashlib.sha256).hexdigest()[:32]}"
