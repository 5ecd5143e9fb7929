"""From an answer of the edge to a verdict. Pure: what is not clearly a refusal by the edge is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from garrison.prove.expect.contract import WITH_BODY
from garrison.prove.judge.classify import RBAC_BODY
from garrison.prove.model import EDGE, Party, Probe, Seen
from garrison.prove.trials import CLOSED, LAYER, Answer, EdgeLayer, Trial, Try

CLOSED_WORD: Final = "closed"  # what an Answer's error begins with where the other side ended it
LOGIN: Final = 302
CONTRACT: Final = "urn:garrison:edge:"  # of the agent that judges inputs
BY_SIDECAR: Final = (RBAC_BODY, "Jwt ", "Jwks ", "Audiences in Jwt ")  # how Envoy's filters begin what they say
THROTTLED: Final = 429
PATIENCE: Final = 90.0  # seconds that a trial waits where it is throttled, and is not about that
SLACK: Final = 2
SPEAKING: Final[Mapping[int, EdgeLayer]] = MappingProxyType({401: "token", 403: "claims"})


def read(trial: Trial, answer: Answer) -> Seen:
    """The verdict on one answer."""
    if answer.status == CLOSED:
        closed = answer.error.startswith(CLOSED_WORD)
        if not closed:
            return Seen("error", None, answer.error)
        return _refused(trial, answer) if CLOSED in trial.statuses else Seen("refused", None, answer.error)
    said = f"answered {answer.status}"
    if answer.status == THROTTLED and answer.status not in trial.statuses:
        return _throttled(trial)
    if trial.statuses == {CLOSED}:
        return Seen("allowed", None, f"{said}, where nothing answers")
    if trial.statuses and answer.status >= 400 and not _by_proxy(trial, answer):
        behind = "behind the edge" if trial.place == "edge" else "by the application"
        return Seen("allowed", None, f"{said}, {behind}") if answer.status < 500 else Seen("error", None, said)
    if answer.status in trial.statuses:
        return _refused(trial, answer)
    if trial.statuses and 400 <= answer.status < 500:
        wanted = " or ".join(str(status) for status in sorted(trial.statuses))
        return Seen("refused", _speaking(answer), f"{said} instead of {wanted}")
    if answer.status >= 500:
        return Seen("error", None, f"{said}: {answer.body[:200]}")
    if not trial.statuses and _by_the_edge(trial, answer):
        return Seen("refused", None, said)
    return Seen("allowed", None, said)


def _throttled(trial: Trial) -> Seen:
    """Nothing is known: an error, but where the route itself says that this may last longer than a run waits."""
    if slow := [str(rate) for rate in trial.route.rates if rate.seconds > PATIENCE]:
        return Seen("error", None, f"not tried again within its time ({', '.join(slow)})", throttled=True)
    return Seen("error", None, "throttled for longer than was waited for: run it again later")


def over_limit(trial: Trial, answer: Answer, replicas: int, seconds: float) -> Seen:
    """The limit holds where as many passed as it says, in every replica, and then none.

    Whoever could not ask more often than it lets pass knows nothing of it.
    """
    if not trial.rate:
        return read(trial, answer)
    most = replicas * (trial.rate.requests + seconds * trial.rate.requests / trial.rate.seconds) + SLACK
    if answer.status != THROTTLED:
        slow = f"{answer.passed} requests in {seconds:.1f} s are no more than {trial.rate} lets pass"
        return Seen("error", None, slow, throttled=True) if 0 < answer.passed <= most else read(trial, answer)
    if answer.passed > most:
        return Seen("allowed", None, f"{answer.passed} passed before the first 429, more than {most:.0f}")
    if not answer.header("retry-after"):
        return Seen("refused", None, "429 without Retry-After")
    return Seen("refused", "limit", f"429 after {answer.passed}")


def source_of(trial: Trial) -> Party:
    """A host stands for everybody who comes in there."""
    return Party("host", "", trial.host) if trial.place == "edge" else EDGE


def target_of(trial: Trial) -> Party:
    return Party("service", trial.service.namespace, trial.service.name)


def probe_of(trial: Trial, port: int) -> Probe:
    """The trial as the reports have every probe."""
    layer = trial.layer
    return Probe(
        source_of(trial),
        target_of(trial),
        port,
        trial.kind,
        trial,
        frozenset({layer}) if layer else frozenset(),
        operation=str(trial.route.operation),
    )


def _speaking(answer: Answer) -> EdgeLayer | None:
    """Which of the protections one after the other says such a thing: what comes before it has let the request pass."""
    return "contract" if _by_contract(_problem(answer)) else SPEAKING.get(answer.status)


def _refused(trial: Trial, answer: Answer) -> Seen:
    layer = LAYER.get(trial.kind, "token")
    if trial.kind == Try.UNDECLARED_METHOD and not answer.header("allow"):
        return Seen("refused", None, "405 without Allow")
    return Seen("refused", layer, f"answered {answer.status}" if answer.status else answer.error)


def _by_the_edge(trial: Trial, answer: Answer) -> bool:
    """Whether a well-formed request was answered before the service; whatever the service itself says, it got there."""
    return answer.status == LOGIN or answer.body.startswith(BY_SIDECAR) or _by_proxy(trial, answer)


def has_contract(trial: Trial) -> bool:
    """Without one, a body is none that the application takes."""
    types = dict(trial.shape.headers).get("content-type", "")
    return trial.shape.method not in WITH_BODY or types != "text/plain"


def _by_proxy(trial: Trial, answer: Answer) -> bool:
    """Whether who answered is who has to refuse: the edge, or the sidecar itself."""
    if trial.place == "edge":
        return _of_the_edge(answer)
    return answer.body.startswith(BY_SIDECAR)


def _of_the_edge(answer: Answer) -> bool:
    """Whether a problem document is the edge's own: it names the request and not why, or what the contract asks for."""
    problem = _problem(answer)
    return (problem.get("type") == "about:blank" and "request" in problem) or _by_contract(problem)


def _by_contract(problem: Mapping[str, Any]) -> bool:
    return str(problem.get("type")).startswith(CONTRACT)


def _problem(answer: Answer) -> dict[str, Any]:
    """A problem document (RFC 9457); nothing where it is none."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
