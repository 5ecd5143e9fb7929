"""What a script fetches is checked before it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from garrison.findings import Severity
from garrison_supply.pipelines.rule import File, Hit, Rule
from garrison_supply.pipelines.shell import lines

_FETCH = r"\b(?:curl|wget|fetch|iwr|Invoke-WebRequest)\b"
_SHELL = r"(?:ba|z|da|k)?sh|python3?|node|perl|ruby|iex|Invoke-Expression|tar\b[^|]*-\S*x"
_PIPE = re.compile(rf"{_FETCH}[^|]*\|\s*(?:sudo\s+(?:-\S+\s+)*)?(?:\S*/)?(?:{_SHELL})(?:\s|$|;)")
_SUBSTITUTED = re.compile(rf"(?:(?:ba|z)?sh\s+-c|eval|source|\.)\s+[\"']?(?:\$\(|<\(|`)\s*{_FETCH}|<\(\s*{_FETCH}")
_SAVED = re.compile(
    r"\bcurl\b(?=.*https?://|.*\$)(?=.*(?:\s-[a-zA-Z]*[oO]\b|\s--output\b|\s--remote-name\b|\s*>{1,2}\s*\S))|\bwget\b(?!.*(?:-O\s*-|--spider))"
)
_VERIFIED = re.compile(
    r"\b(?:sha(?:256|384|512)sum|shasum)\b.*(?:\s-c\b|\s--check\b)|\bcosign\s+verify|\bgpgv?\b.*(?:--verify|gpgv)|\bgh\s+attestation\s+verify|"
    r"\bslsa-verifier\b|\bminisign\s+-V"
)
_LATEST = re.compile(
    r"\bnpm\s+(?:install|i)\b(?!\s+--?(?:ci|offline))|\bnpx\s+(?!--no-install)(?!\S*@\d)|\bgo\s+(?:install|run)\s+\S+@(?!v\d)|"
    r"\bgo\s+get\s+-u|\bcurl\b.*/latest/download/|\bgem\s+install\s+(?!.*\s-v\b)|\bcargo\s+install\s+(?!.*--locked)"
)
_PIP = re.compile(r"\b(?:pip3?|uv\s+pip|pipx|uv\s+tool)\s+install\b(.*)")


def _piped(file: File) -> Iterator[Hit]:
    for where, script in file.scripts():
        for line in lines(script):
            if _PIPE.search(line) or _SUBSTITUTED.search(line):
                yield where, line[:80]


def _unverified(file: File) -> Iterator[Hit]:
    for where, script in file.scripts():
        commands = list(lines(script))
        for number, line in enumerate(commands):
            if _SAVED.search(line) and not any(_VERIFIED.search(later) for later in commands[number:]):
                yield where, line[:80]


def _adhoc(file: File) -> Iterator[Hit]:
    for where, script in file.scripts():
        for line in lines(script):
            pip = _PIP.search(line)
            if _LATEST.search(line) or (pip and not _locked(pip[1])):
                yield where, line[:80]


def _locked(arguments: str) -> bool:
    """Hashes for what comes from an index, or nothing but our own folder without dependencies."""
    own = re.search(r"\s(?:-e\s+)?\.(?:/\S*)?(?:\s|$)", arguments) and "--no-deps" in arguments
    return "--require-hashes" in arguments or bool(own)


RULES = (
    Rule(
        id="pipe-to-shell",
        title="nothing fetched from the network is run unread",
        severity=Severity.CRITICAL,
        remedy="save it, check its sha256 (`sha256sum --check`) against a value in the repository, then run it",
        references=("OWASP CICD-SEC-3", "CIS SSC 2.4.3"),
        reads=File,
        look=_piped,
        good='{on: push, jobs: {a: {steps: [{run: "curl -fsS https://a.example/status | jq .ok"}]}}}',
        bad='{on: push, jobs: {a: {steps: [{run: "curl -fsSL https://a.example/install | sudo bash"}]}}}',
    ),
    Rule(
        id="unverified-download",
        title="a downloaded file is checked against a checksum or signature in the same script",
        severity=Severity.HIGH,
        remedy="add `echo '<sha256>  FILE' | sha256sum --check` after it; the value stands in the repository",
        references=("OWASP CICD-SEC-3", "OWASP CICD-SEC-9", "CIS SSC 2.4.3"),
        reads=File,
        look=_unverified,
        good="""
            on: push
            jobs:
              a: {steps: [{run: "curl -fsSLo tool https://a.example/tool\\necho \\"$SUM  tool\\" | sha256sum --check"}]}
        """,
        bad='{on: push, jobs: {a: {steps: [{run: "curl -fsSLo tool https://a.example/tool"}]}}}',
    ),
    Rule(
        id="adhoc-packages",
        title="packages are installed from a lock with hashes",
        severity=Severity.HIGH,
        remedy="install from a lock: pip --require-hashes -r, npm ci, go install NAME@vX.Y.Z",
        references=("OWASP CICD-SEC-3", "CIS SSC 3.1.7", "zizmor adhoc-packages"),
        reads=File,
        look=_adhoc,
        good="{on: push, jobs: {a: {steps: [{run: pip install --require-hashes -r requirements.lock}]}}}",
        bad="{on: push, jobs: {a: {steps: [{run: pip install checkov}]}}}",
    ),
)
