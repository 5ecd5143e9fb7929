"""Shell scripts as far as rules must understand them: which programs are started, with what, and what follows.

Quotes, comments, here-documents, substitutions and scripts handed to another shell are read as a shell reads them; what
is only printed is no command. Loops and functions are read as the commands in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from garrison_supply.pipelines.tokens import Token, tokens

SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "ash", "fish", "pwsh", "powershell"})
PRINTERS = frozenset({"echo", "printf", "write-host", "write-output", "cat", ":", "true"})
_RESERVED = frozenset({"if", "then", "else", "elif", "while", "until", "do", "!", "{", "time", "function"})
_ASSIGNED = re.compile(r"[A-Za-z_]\w*\+?=", re.DOTALL)
# Programs that start the one behind their options, and which of those options take a value.
_WRAPPERS = {
    "sudo": "ugCpRTUDh", "doas": "uC", "env": "uC", "nice": "n", "nohup": "", "exec": "a", "command": "",
    "xargs": "IiLnPsdaE", "timeout": "ks", "stdbuf": "ioe", "setsid": "", "ionice": "cnp", "chroot": "", "retry": "td",
    "busybox": "", "unbuffer": "", "caffeinate": "", "builtin": "",
}  # fmt: skip
_DEEPEST = 8  # scripts in scripts
_MOST = 20_000  # commands of one script; a thousandth is a long one

# Programs that read everything and are fed by feeds others write. Their word is needed, their rights are not:
# Trivy's own action was the way in of March 2026 (CVE-2026-33634), as tj-actions/changed-files was of March 2025.
SCANNERS = (
    "anchore", "bandit", "checkov", "clair-scanner", "conftest", "dependency-check", "detect-secrets",
    "docker scout", "dockle",
    "garrison scan", "gitleaks", "grype", "hadolint", "horusec", "kics", "kube-bench", "kube-hunter", "kube-linter",
    "kubeaudit", "kubescape", "npm audit", "nuclei", "osv-scanner", "pip-audit", "prowler", "semgrep", "snyk",
    "sonar-scanner", "syft", "terrascan", "tfsec", "trivy", "trufflehog", "zap-baseline.py", "ci/steps/scan",
)  # fmt: skip
_SCANNER = re.compile(
    r"(?:^|[\s;&|(/\"'])(" + "|".join(re.escape(name) for name in SCANNERS) + r")(?=[\s;:@\"')]|$)", re.MULTILINE
)


@dataclass(frozen=True)
class Command:
    """One command.

    words: without quotes, assignments and whatever only starts it (`sudo -E env A=b`).
    assigned: the variables set for it, or, where there are no words, set by it.
    redirects: operator and target.  inner: what is substituted into it, as scripts.
    document: its here-document.  then: the operator behind it: "|", "&&", "||", ";", "&", ")" or "".
    text: as written, for people.
    """

    words: tuple[str, ...]
    assigned: tuple[str, ...] = ()
    redirects: tuple[tuple[str, str], ...] = ()
    inner: tuple[str, ...] = ()
    document: str = ""
    then: str = ""
    opens: bool = False
    starts_line: bool = False
    text: str = ""

    @property
    def program(self) -> str:
        """Its name without folder and ending, in lower case."""
        name = re.split(r"[/\\]", self.words[0])[-1].lower() if self.words else ""
        return name.removesuffix(".exe")

    @property
    def arguments(self) -> tuple[str, ...]:
        return self.words[1:]

    @property
    def line(self) -> str:
        """Its words with one blank between; a text of several words is left out, because it is an argument."""
        return " ".join(word for word in self.words if not re.search(r"\s", word))


@lru_cache(maxsize=256)  # every rule reads every script
def parse(script: str) -> tuple[Command, ...]:
    """The commands in the order in which they stand, without what is inside of them."""
    found: list[Command] = []
    group: list[Token] = []
    opens = False
    for token in tokens(script):
        if token.kind == "operator":
            if group or token.text in (")", "|", "||", "&&"):
                found.append(_command(group, token.text, script, opens=opens))
            opens = token.text == "(" or (opens and not group)
            group = []
        else:
            group.append(token)
        if len(found) >= _MOST:
            break
    if group:
        found.append(_command(group, "", script, opens=opens))
    return tuple(found)


def _command(group: list[Token], then: str, script: str, *, opens: bool) -> Command:
    words = [token for token in group if token.kind == "word"]
    opens = opens or any(token.text == "{" for token in words[:1])
    while words and words[0].text in _RESERVED and not words[0].quoted:
        words = words[1:]
    assigned = []
    while words and _ASSIGNED.match(words[0].text):
        assigned.append(words.pop(0).text)
    started = _started([token.text for token in words])
    text = " ".join(script[group[0].start : group[-1].end].split()) if group else ""
    return Command(
        words=started,
        assigned=tuple(assigned),
        redirects=tuple((token.text, token.target) for token in group if token.kind == "redirect"),
        inner=tuple(script for token in group for script in token.inner),
        document="\n".join(token.document for token in group if token.document),
        then=then,
        opens=opens,
        starts_line=bool(group) and "\n" in script[script.rfind(";", 0, group[0].start) + 1 : group[0].start],
        text=text,
    )


def _started(words: list[str]) -> tuple[str, ...]:
    """The program that is really started, with its arguments."""
    while words and (name := words[0].rpartition("/")[2]) in _WRAPPERS:
        taking, rest = _WRAPPERS[name], words[1:]
        while rest and (
            rest[0].startswith("-") or _ASSIGNED.match(rest[0]) or (name == "timeout" and rest[0][:1].isdigit())
        ):
            option = rest.pop(0)
            if len(option) == 2 and option[0] == "-" and option[1] in taking and rest:
                rest.pop(0)
        if not rest:
            return tuple(words)
        words = rest
    return tuple(words)


def handed(command: Command) -> Iterator[str]:
    """Scripts that a command gives to a shell: `bash -c '...'`, `eval ...`, a here-document on its standard input."""
    if command.program in SHELLS:
        for option, script in zip(command.arguments, command.arguments[1:], strict=False):
            if re.fullmatch(r"-[a-zA-Z]*c|-Command", option):
                yield script
                return
        if all(word.startswith("-") for word in command.arguments):
            yield command.document
    elif command.program == "eval":
        yield " ".join(command.arguments)
    elif command.program in ("ssh", "su") and command.arguments:
        yield command.document or command.arguments[-1]


def commands(script: str, depth: int = 0) -> Iterator[Command]:
    """Every command of a script, those in substitutions and in scripts for other shells too."""
    for command in parse(script):
        yield command
        if depth < _DEEPEST:
            for inner in (*command.inner, *handed(command)):
                yield from commands(inner, depth + 1)


def pipelines(script: str, depth: int = 0) -> Iterator[tuple[Command, ...]]:
    """The same commands, those together whose output goes from one to the next."""
    whole: list[Command] = []
    for command in parse(script):
        whole.append(command)
        if command.then != "|":
            yield tuple(whole)
            whole = []
        if depth < _DEEPEST:
            for inner in (*command.inner, *handed(command)):
                yield from pipelines(inner, depth + 1)
    if whole:
        yield tuple(whole)


def lines(script: str) -> Iterator[str]:
    """The words of every command that does more than print."""
    for command in commands(script):
        if command.line and command.program not in PRINTERS:
            yield command.line


def scanners(script: str) -> Iterator[str]:
    """The scanners that a script starts."""
    for line in lines(script):
        for found in _SCANNER.finditer(line):
            yield found[1]
