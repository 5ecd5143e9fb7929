"""Idempotency for services whose store is memory: one effect per key, the same answer to repetitions.

A failure is not kept: the caller repeats the request and the work starts again under the same key.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar
from uuid import UUID, uuid5

from pydantic import BaseModel

from common.problem import Problem

Result = TypeVar("Result")
NAMESPACE = UUID("6f1d3c5e-52f0-5a1e-9d57-7f3a0c2b9e41")
CAPACITY = 10_000


def derived_id(kind: str, key: str) -> str:
    """An id that follows from the idempotency key, so that a repetition after a restart gives it too."""
    return str(uuid5(NAMESPACE, f"{kind}:{key}"))


class Once(Generic[Result]):
    """Results by idempotency key, the oldest forgotten first."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._running: set[str] = set()
        self._done: OrderedDict[str, tuple[str, Result]] = OrderedDict()

    def run(self, key: str, request: BaseModel, work: Callable[[], Result]) -> Result:
        """The result of `work`, done at most once for `key`."""
        fingerprint = request.model_dump_json()
        with self._guard:
            if key in self._done:
                return self._repeated(key, fingerprint)
            if key in self._running:
                raise Problem(409, "a request with this key is under way", kind="key-in-use")
            self._running.add(key)
        try:
            result = work()
            with self._guard:
                self._done[key] = (fingerprint, result)
                while len(self._done) > CAPACITY:
                    self._done.popitem(last=False)
            return result
        finally:
            with self._guard:
                self._running.discard(key)

    def _repeated(self, key: str, fingerprint: str) -> Result:
        before, result = self._done[key]
        if before != fingerprint:
            raise Problem(422, "this key was used for another request", kind="key-reused")
        return result
