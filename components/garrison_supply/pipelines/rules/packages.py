"""Packages come from a lock with hashes, whatever the manager and however the command is spelt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from garrison.findings import Severity
from garrison_supply.pipelines.rule import File, Hit, Rule
from garrison_supply.pipelines.shell import Command, commands

Words = Sequence[str]
_NPM_INSTALL = frozenset(
    {"install", "i", "in", "ins", "inst", "insta", "instal", "isnt", "isnta", "isntal", "isntall", "add", "it",
     "install-test", "update", "up", "upgrade", "udpate"}
)  # fmt: skip
_EXACT = re.compile(r"\S@v?\d+\.\d|==\d|:\d+\.\d")
_RELEASE = re.compile(r"@v\d+\.\d+\.\d+\S*\Z")


def _verb(words: Words, *taking: str) -> tuple[str, Words]:
    """The first word that is no option, and what follows it; `taking`: options whose value is the next word."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in taking and rest:
            rest.pop(0)
    return (rest[0], rest[1:]) if rest else ("", [])


def _named(words: Words) -> list[str]:
    """The words that are no options."""
    return [word for word in words if not word.startswith("-")]


def _npm(words: Words) -> bool:
    verb, rest = _verb(words, "--prefix", "-C", "--loglevel", "--registry", "-w", "--workspace")
    if verb in ("exec", "x"):
        return _run_once(rest)
    return verb in _NPM_INSTALL and not {"--ci", "--offline", "--version"} & set(words)


def _pnpm(words: Words) -> bool:
    verb, rest = _verb(words, "-C", "--dir", "--filter", "-F")
    if verb in ("dlx", "create"):
        return _run_once(rest)
    loose = "--no-frozen-lockfile" in words
    return verb in ("add", "update", "up", "upgrade") or (verb in ("install", "i") and (loose or bool(_named(rest))))


def _yarn(words: Words) -> bool:
    verb, rest = _verb(words, "--cwd")
    if verb == "dlx":
        return _run_once(rest)
    return verb in ("add", "upgrade", "up") or (verb == "global" and "add" in rest)


def _bun(words: Words) -> bool:
    verb, rest = _verb(words, "--cwd")
    if verb == "x":
        return _run_once(rest)
    if verb in ("install", "i"):
        return "--frozen-lockfile" not in words
    return verb in ("add", "a", "update")


def _run_once(words: Words) -> bool:
    """`npx NAME` and its like: fetched anew each time, unless a version is named or nothing is fetched."""
    if {"--no-install", "--no", "--offline", "--frozen", "--version", "--help"} & set(words):
        return False
    named = _named(words)
    return bool(named) and not any(_EXACT.search(word) or re.search(r"\S@\d", word) for word in (*words[:4], named[0]))


def _pip(words: Words) -> bool:
    verb, rest = _verb(words, "--python", "--log", "--proxy", "--cache-dir", "--timeout", "--retries")
    return verb == "install" and not _locked(rest)


def _locked(rest: Words) -> bool:
    """Hashes for what comes from an index, or nothing but our own folder without dependencies."""
    own = any(re.fullmatch(r"\.(?:/.*)?(?:\[.*\])?", word) for word in rest) and "--no-deps" in rest
    return "--require-hashes" in rest or own


def _pipx(words: Words) -> bool:
    verb, rest = _verb(words)
    return verb in ("install", "upgrade", "inject") or (verb == "run" and _run_once(rest))


def _uv(words: Words) -> bool:
    verb, rest = _verb(words, "--directory", "--project", "--cache-dir", "--python", "-p", "--config-file")
    if verb == "pip":
        return _pip(rest)
    if verb == "tool":
        what, behind = _verb(rest)
        return what in ("install", "upgrade") or (what == "run" and _run_once(behind))
    if verb == "run":
        return any(word == "--with" or word.startswith("--with=") for word in rest)
    return verb == "add" or (verb == "sync" and bool({"--upgrade", "-U"} & set(rest)))


def _go(words: Words) -> bool:
    verb, rest = _verb(words, "-C")
    if verb == "get":
        return any(word.startswith("-u") for word in rest) or any(
            "@" in w and not _RELEASE.search(w) for w in _named(rest)
        )
    return verb in ("install", "run") and any("@" in word and not _RELEASE.search(word) for word in _named(rest)[:8])


def _gem(words: Words) -> bool:
    verb, rest = _verb(words)
    exact = any(word in ("-v", "--version") or word.startswith("--version=") for word in rest)
    return verb in ("install", "i", "update") and not exact and not any(_EXACT.search(w) for w in rest)


def _cargo(words: Words) -> bool:
    verb, _ = _verb([word for word in words if not word.startswith("+")])
    return (verb == "install" and "--locked" not in words and "--path" not in words) or verb in (
        "binstall",
        "add",
        "update",
    )


def _adding(*verbs: str) -> Callable[[Words], bool]:
    """Managers whose install reads a lock, and whose other verbs do not."""

    def judge(words: Words) -> bool:
        verb, rest = _verb(words)
        return verb in verbs or (verb in ("global", "self") and bool(rest) and rest[0] in verbs)

    return judge


def _dotnet(words: Words) -> bool:
    return tuple(_named(words)[:2]) in {("tool", "install"), ("tool", "update")} and "--version" not in words


MANAGERS: Mapping[str, Callable[[Words], bool]] = {
    "npm": _npm, "npx": _run_once, "pnpm": _pnpm, "pnpx": _run_once, "yarn": _yarn, "yarnpkg": _yarn, "bun": _bun,
    "bunx": _run_once, "pipx": _pipx, "uv": _uv, "uvx": _run_once, "go": _go, "gem": _gem, "cargo": _cargo,
    "poetry": _adding("add", "update"), "pdm": _adding("add", "update"), "rye": _adding("add"),
    "hatch": _adding(), "composer": _adding("require", "update"), "bundle": _adding("add", "update"),
    "conda": _adding("install", "update"), "mamba": _adding("install", "update"),
    "micromamba": _adding("install", "update"), "easy_install": lambda words: bool(words),
    "cpan": lambda words: bool(words), "cpanm": lambda words: bool(words), "luarocks": _adding("install"),
    "dotnet": _dotnet,
}  # fmt: skip


def _adhoc(file: File) -> Iterator[Hit]:
    for where, script in file.scripts():
        for command in commands(script):
            if _loose(command):
                yield where, command.text[:80]


def _loose(command: Command) -> bool:
    program, words = command.program, command.arguments
    if re.fullmatch(r"python[\d.]*|pypy[\d.]*|py", program) and "-m" in words:
        at = words.index("-m")
        program, words = (words[at + 1], words[at + 2 :]) if len(words) > at + 1 else ("", ())
    if program in ("corepack", "mise", "bundle", "poetry", "pdm", "rye") and words[:1] in (("exec",), ("run",)):
        return False
    if re.fullmatch(r"pip[\d.]*", program):
        hashed = any(
            re.match(r"PIP_REQUIRE_HASHES=(?:1|true|yes|on)\Z", one, re.IGNORECASE) for one in command.assigned
        )
        return _pip(words) and not hashed
    latest = program == "curl" and any("/latest/download/" in word for word in words)
    return latest or (program in MANAGERS and MANAGERS[program](words))


RULES = (
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
