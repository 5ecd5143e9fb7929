"""What was found, as JSON for programs and as a matrix for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TextIO

from garrison.prove.model import EDGE, Kind, Layer, Party, Result
from garrison.prove.trials import Untried
from garrison.report import as_json as as_report

LETTERS: dict[Layer, str] = {
    "network": "N",
    "identity": "I",
    "authorization": "A",
    "workload": "W",
    "store": "S",
    "database": "D",
    "entry": "E",
    "token": "T",
    "claims": "C",
    "contract": "V",
    "limit": "L",
}
MEANING: dict[Layer, str] = {
    "network": "network policy: no way there",
    "identity": "mutual TLS: wrong or no certificate, old TLS, plaintext",
    "authorization": "the callee's proxy: not for this caller, method and path",
    "workload": "nothing listens there: the application is on loopback",
    "store": "secret store: no role or policy for it",
    "database": "database: no valid credentials",
    "entry": "the edge: no such host, path or method, not over TLS 1.3, or too large",
    "token": "token rule: none, or none of the right issuer, key, audience and time",
    "claims": "claim rule: not in the group, or the route's condition does not hold",
    "contract": "contract: not what the service's document asks for",
    "limit": "limit: too often",
}
COLOURS = {"pass": "\033[32m", "stop": "\033[2m", "wrong": "\033[1;31m", "lost": "\033[33m"}
PLAIN = "\033[0m"


def as_json(results: Sequence[Result], *, run: str, seconds: float, untried: Sequence[Untried] = ()) -> str:
    """One object, the same shape whatever was found; what was not tried is said, and no part of any count."""
    told = summary(results, run, seconds) | ({"not_tried": [str(one) for one in untried]} if untried else {})
    return as_report("prove", probes=[_row(r) for r in results], summary=told)


def _row(result: Result) -> dict[str, object]:
    probe, seen = result.probe, result.seen
    return {
        "source": str(probe.source),
        "target": str(probe.target),
        "port": probe.port,
        "operation": probe.operation,
        "kind": probe.label,
        "expected": probe.expected,
        "observed": seen.verdict,
        "layer": seen.layer,
        "ok": result.ok,
    }


def summary(results: Sequence[Result], run: str, seconds: float) -> dict[str, object]:
    """Counts, and every deviation in words."""
    lost = [r for r in results if r.seen.verdict == "error"]
    wrong = [r for r in results if not r.ok and r.seen.verdict != "error"]
    layers = Counter(r.seen.layer for r in results if r.ok and r.seen.layer)
    return {
        "run": run,
        "seconds": round(seconds, 1),
        "probes": len(results),
        "attempts": sum(r.seen.looks for r in results),
        "allowed": sum(r.ok and r.seen.verdict == "allowed" for r in results),
        "refused": sum(r.ok and r.seen.verdict == "refused" for r in results),
        "refused_by": dict(sorted(layers.items())),
        "deviations": [sentence(r) for r in wrong],
        "not_run": [sentence(r) for r in lost],
        "ok": not wrong and not lost,
    }


def exit_code(results: Iterable[Result]) -> int:
    """0 as declared, 1 a deviation, 2 a probe that could not be run: then nothing is known, which is worse."""
    found = list(results)
    if not found or any(r.seen.verdict == "error" for r in found):
        return 2
    return 0 if all(r.ok for r in found) else 1


def sentence(result: Result) -> str:
    """One probe in words."""
    probe, seen = result.probe, result.seen
    operation = f" {probe.operation}" if probe.operation else ""
    what = f"{probe.source} -> {probe.target}:{probe.port}{operation} ({probe.label})"
    wanted = f"refused by {' or '.join(sorted(probe.layers))}" if probe.layers else "allowed"
    got = f"refused by {seen.layer}" if seen.verdict == "refused" else seen.verdict
    return f"{what}: expected {wanted}, was {got}: {seen.reason}"


@dataclass(frozen=True)
class Cell:
    """What happened between two parties: how many declared operations passed, and which layers refused the rest."""

    passed: int
    letters: str
    wrong: int
    lost: int

    @property
    def text(self) -> str:
        if self.lost or self.wrong:
            return f"? {self.lost}" if self.lost else f"! {self.wrong}"
        mark = f"✔ {self.passed}" if self.passed else "✕"
        return f"{mark} {self.letters}".strip()

    @property
    def style(self) -> str:
        if self.lost:
            return "lost"
        return "wrong" if self.wrong else "pass" if self.passed else "stop"


Matrix = dict[tuple[Party, Party], Cell]
COLUMNS: Final = ("service", "elsewhere", "external", "database", "store")  # what is called, in the order of the matrix


def matrix(results: Iterable[Result]) -> Matrix:
    """The cells of workloads and other places; questions to the API server are not calls and have no cell."""
    groups: dict[tuple[Party, Party], list[Result]] = {}
    for result in results:
        if result.probe.target.role in COLUMNS:
            groups.setdefault((result.probe.source, result.probe.target), []).append(result)
    return {pair: _cell(group) for pair, group in groups.items()}


def _cell(group: Sequence[Result]) -> Cell:
    layers = {r.seen.layer for r in group if r.ok}
    passed = {r.probe.operation for r in group if r.ok and r.seen.verdict == "allowed" and r.probe.phase == "closed"}
    lost = sum(r.seen.verdict == "error" for r in group)
    letters = "".join(letter for layer, letter in LETTERS.items() if layer in layers)
    return Cell(len(passed), letters, sum(not r.ok for r in group) - lost, lost)


def bare(results: Iterable[Result]) -> list[str]:
    """What the matrix says of targets with one layer less: with the network open their application answers anybody."""
    probes = [result.probe for result in results if result.probe.kind == Kind.APPLICATION_PORT]
    found = sorted({str(probe.target) for probe in probes if not probe.layers})
    return [f"One layer less, binds every address, so N alone keeps others from its port: {', '.join(found)}"] * bool(
        found
    )


def axes(cells: Matrix) -> tuple[list[Party], list[Party]]:
    """Hosts and the edge first, then rows in the order of the probes; columns in that of `COLUMNS`."""
    columns = sorted({target for _, target in cells}, key=lambda party: (COLUMNS.index(party.role), party))
    rows = dict.fromkeys(source for source, _ in cells)
    return sorted(rows, key=lambda party: (party.role != "host", party != EDGE)), columns


def coloured(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to colour: for a person at a terminal who has not said NO_COLOR (no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR")


def as_table(results: Sequence[Result], *, seconds: float, colour: bool, untried: Sequence[Untried] = ()) -> str:
    """Who may call whom as seen by the probes, the legend, and every deviation."""
    cells = matrix(results)
    rows, columns = axes(cells)
    first = max((len(str(row)) for row in rows), default=0)
    widths = [max(len(str(c)), *(len(_text(cells, r, c)) for r in rows)) for c in columns]
    head = "  ".join([" " * first, *(str(c).ljust(w) for c, w in zip(columns, widths, strict=True))])
    lines = [head.rstrip()]
    for row in rows:
        texts = [_painted(cells, row, c, w, colour) for c, w in zip(columns, widths, strict=True)]
        lines.append("  ".join([str(row).ljust(first), *texts]).rstrip())
    return (
        "\n".join(
            [*lines, "", *_legend(cells), *bare(results), "", *_verdict(results, seconds, colour), *_untried(untried)]
        )
        + "\n"
    )


def _untried(untried: Sequence[Untried]) -> list[str]:
    """Why and what; below it where, each place once however often it was to be tried there."""
    if not untried:
        return []
    rows: dict[tuple[str, str], dict[str, None]] = {}  # the inner keys are an ordered set
    for one in untried:
        operations = rows.setdefault((f"{one.why}: {one.trial.label}", one.trial.host), {})
        operations[str(one.trial.route.operation)] = None
    lines = [line for (what, host), ops in rows.items() for line in (f"  {what}", f"      {host}: {', '.join(ops)}")]
    return [f"{len(untried)} not tried, of which nothing is known:", *lines]


def _text(cells: Matrix, row: Party, column: Party) -> str:
    return cells[row, column].text if (row, column) in cells else "·"


def _painted(cells: Matrix, row: Party, column: Party, width: int, colour: bool) -> str:
    text = _text(cells, row, column).ljust(width)
    cell = cells.get((row, column))
    return f"{COLOURS[cell.style]}{text}{PLAIN}" if colour and cell else text


def _legend(cells: Matrix) -> list[str]:
    used = {letter for cell in cells.values() for letter in cell.letters}
    yes = "✔ n  n declared operations passed; the layers behind it refused everything else that was tried"
    no = "✕    nothing is declared there and nothing passed. The layers that refused, each also where it stood alone:"
    layers = [f"  {letter}  {MEANING[layer]}" for layer, letter in LETTERS.items() if letter in used]
    return [yes, no, *layers, "! n  n probes found something else; ? n  n probes could not be run; ·  not probed"]


def _verdict(results: Sequence[Result], seconds: float, colour: bool) -> list[str]:
    wrong = [sentence(r) for r in results if not r.ok]
    count = f"{len(results)} probes in {seconds:.0f} s"
    if not wrong:
        allowed = sum(r.seen.verdict == "allowed" for r in results)
        tried = f"; {sum(r.seen.looks for r in results)} attempts, from and at every ready replica"
        return [f"{count}: {allowed} allowed and {len(results) - allowed} refused, all as declared{tried}"]
    paint = (COLOURS["wrong"], PLAIN) if colour else ("", "")
    return [f"{paint[0]}{count}: {len(wrong)} not as declared{paint[1]}", *(f"  {line}" for line in wrong)]
