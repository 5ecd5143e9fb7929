"""Did a refused request reach the service all the same? The logs behind the edge know: its id would be in them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from garrison import defaults as d
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.prove.kubectl import Kubectl
from garrison.prove.look.pods import LABEL, ready
from garrison.prove.look.trying import Sent
from garrison.prove.model import Result, Seen
from garrison.words import Ref

IDENTIFIER: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PATIENCE: Final = 20.0  # seconds in which what has passed is in a log
FLUSH: Final = 10.0  # seconds that Envoy keeps lines back (its `file-flush-interval-msec`)
PAUSE: Final = 1.0
Read = Callable[[], str]


def logs_of(kubectl: Kubectl, graph: Graph, since: float) -> Read:
    """Reads what the proxies and applications behind the edge have logged since then (of `time.monotonic`)."""

    def read() -> str:
        seconds = int(time.monotonic() - since) + 2
        found = kubectl.items("pods", selector=d.NAME)
        return "\n".join(
            kubectl.run("logs", pod["metadata"]["name"], f"--namespace={pod['metadata']['namespace']}", *which)
            for pod in _behind(found, graph)
            for which in ([f"--container={name}", f"--since={seconds}s"] for name in ("proxy", "app"))
        )

    return read


def _behind(pods: Iterable[Manifest], graph: Graph) -> list[Manifest]:
    mine = [pod for pod in pods if LABEL not in pod["metadata"]["labels"] and ready(pod)]
    return [
        pod for pod in mine if Ref(pod["metadata"]["namespace"], pod["metadata"]["labels"][d.NAME]) in graph.routes_of
    ]


def checked(
    results: Sequence[Result], sent: Collection[Sent], read: Read, *, flush: float = FLUSH, patience: float = PATIENCE
) -> list[Result]:
    """The results, with what the logs add: a refused request that is in one has got through.

    What has passed must be in one, too, or else the logs were read wrongly and say nothing.
    """
    passed = {one.request_id for one in sent if not one.trial.statuses}
    deadline = time.monotonic() + patience
    while not passed <= (there := ids(read())) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    time.sleep(max(0.0, max((one.at for one in sent), default=0.0) + flush - time.monotonic()))  # it may be kept back
    there |= ids(read())
    through = {id(one.trial): one.request_id for one in sent if one.refused and one.request_id in there}
    silent = {id(one.trial): one.request_id for one in sent if not one.trial.statuses and one.request_id not in there}
    return [_checked(result, through, silent) for result in results]


def ids(log: str) -> set[str]:
    """Every request id in a log, in whichever field."""
    return set(IDENTIFIER.findall(log))


def _checked(result: Result, through: dict[int, str], silent: dict[int, str]) -> Result:
    trial = id(result.probe.attempt)
    if trial in through:
        return replace(result, seen=Seen("allowed", None, f"refused, and request {through[trial]} reached the service"))
    if trial in silent and result.ok:
        why = f"request {silent[trial]} is in no log behind the edge, so the logs say nothing of the others"
        return replace(result, seen=Seen("error", None, why))
    return result
