"""What a measurement says of a cluster's network policies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from garrison.doctor.enforcement import TURN_SECONDS, Measured
from garrison.findings import Finding, Severity

SENTENCES: Final = {
    "both": "enforced both ways",
    "ingress only": "enforced for ingress only",
    "egress only": "enforced for egress only",
    "none": "not enforced at all",
}
_REMEDY: Final = "use a network that enforces NetworkPolicy, or switch it on; docs/doctor.md has what is known of some"
_LATE: Final = "have the network hold a pod back until its policies are there, such as strict mode of Amazon's VPC CNI"


def word(measured: Measured) -> str:
    """Which of the sentences."""
    ways = (measured.ingress_ms is not None, measured.egress_ms is not None)
    return {(True, True): "both", (True, False): "ingress only", (False, True): "egress only"}.get(ways, "none")


def sentence(measured: Measured) -> str:
    """The verdict, with the window where there is one."""
    late = [one for one in (measured.new_ingress_ms, measured.new_egress_ms) if one]
    window = f", and a new pod is open for {max(late)} ms" if late else ""
    return SENTENCES[word(measured)] + window


def lines(measured: Measured) -> Iterator[str]:
    """Each measurement for people."""
    yield f"pods on                {', '.join(measured.nodes)}"
    for name, taken in (("ingress", measured.ingress_ms), ("egress", measured.egress_ms)):
        said = f"refused after {taken} ms" if taken is not None else f"still answered after {TURN_SECONDS:.0f} s"
        yield f"{f'default deny, {name}':<23}{said}"
    for name, taken in (("ingress", measured.new_ingress_ms), ("egress", measured.new_egress_ms)):
        said = "not looked at" if taken is None else f"open for {taken} ms" if taken else "refused from the first try"
        yield f"{f'a new pod, {name}':<23}{said}"


def findings(measured: Measured) -> Iterator[Finding]:
    """What Garrison may not rely on here."""
    ways = word(measured)
    if ways != "both":
        severity = Severity.CRITICAL if ways == "none" else Severity.HIGH
        yield _found("policies-not-enforced", severity, f"network policies are {SENTENCES[ways]}", _REMEDY)
    for name, taken in (("reached", measured.new_ingress_ms), ("answered", measured.new_egress_ms)):
        if taken:
            what = f"a new pod is {name} for {taken} ms against a policy that was there before it"
            yield _found("new-pod-open", Severity.MEDIUM, what, _LATE)


def _found(rule: str, severity: Severity, message: str, remedy: str) -> Finding:
    return Finding(rule=rule, severity=severity, file="", message=message, remedy=remedy)
