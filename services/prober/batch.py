"""Runs the attempts of a batch side by side; each attempt ends in exactly one observation, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from prober import hold, inner, postgres, store, web
from prober.net import AttemptError, address, connect

Attempt = Mapping[str, Any]
Observation = dict[str, Any]
PARALLEL = 96  # Linux answers one rejected connection a second to each address, so nearly all the others time out


def _connect(attempt: Attempt, timeout: float) -> Observation:
    connect(address(attempt["host"]), attempt["port"], timeout).close()
    return {"stage": "tcp"}


ACTIONS: Mapping[str, Callable[[Attempt, float], Observation]] = {
    "connect": _connect,
    "http": web.attempt,
    "resume": web.resume,
    "hold": hold.attempt,
    "inner": inner.attempt,
    "store": store.attempt,
    "lease": store.lease,
    "postgres": postgres.attempt,
}


def run(attempts: Sequence[Attempt], timeout: float) -> list[Observation]:
    """The observations, in the order of the attempts."""
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        return list(pool.map(lambda attempt: observe(attempt, timeout), attempts))


def observe(attempt: Attempt, timeout: float) -> Observation:
    """One attempt. An unexpected failure is reported as `crash`, so that nobody can take it for a refusal."""
    blank: Observation = {"stage": "none", "error": "", "status": 0, "body": "", "peer": ""}
    try:
        return blank | ACTIONS[attempt["action"]](attempt, timeout)
    except AttemptError as failure:
        return blank | {"stage": failure.stage, "error": failure.error, "status": failure.status}
    except Exception as error:  # the boundary: the batch must survive, and the reader must be told
        return blank | {"error": f"crash: {error!r}"}
