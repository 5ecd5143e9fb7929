"""What a script fetches is checked before it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from garrison.findings import Severity
from garrison_supply.pipelines.rule import File, Hit, Rule
from garrison_supply.pipelines.shell import PRINTERS, SHELLS, Command, pipelines

_FETCHERS = frozenset(
    {"curl", "wget", "wget2", "fetch", "aria2c", "axel", "http", "https", "xh", "lwp-download", "iwr", "irm",
     "invoke-webrequest", "invoke-restmethod"}
)  # fmt: skip
_INTERPRETERS = re.compile(r"(?:python|pypy|node|nodejs|deno|bun|perl|ruby|php|lua|tclsh|osascript)[\d.]*\Z")
_SOURCES = ("eval", "source", ".", "iex", "invoke-expression")
# PowerShell is no such shell, so its ways are known by their words.
_POWER_FETCHES = re.compile(
    r"(?<![\w-])(?:irm|iwr|invoke-restmethod|invoke-webrequest|curl|wget)\b|\bdownload(?:string|data)\b", re.IGNORECASE
)
_POWER_RUNS = re.compile(r"(?<![\w-])(?:iex|invoke-expression)\b|\[scriptblock\]::create", re.IGNORECASE)
_POWER_FILE = re.compile(r"\s-outf(?:i(?:le?)?)?\b", re.IGNORECASE)
_POWER_SAVES = re.compile(
    r"(?<![\w-])start-bitstransfer\b|\bdownloadfile(?:async|taskasync)?\s*\(|\bcertutil(?:\.exe)?\s+-urlcache|"
    r"\bbitsadmin(?:\.exe)?\s+/transfer",
    re.IGNORECASE,
)
_NOWHERE = ("/dev/null", "-", "/dev/stdout", "$null", "/dev/stderr", "NUL")
# Programs that pass on what they read, or what it unpacks to.
_CARRIERS = frozenset(
    {
        "gunzip",
        "zcat",
        "gzip",
        "xz",
        "xzcat",
        "bunzip2",
        "bzip2",
        "zstd",
        "base64",
        "cat",
        "tee",
        "dd",
        "pv",
        "sed",
        "tr",
    }
)
_CHECKED = re.compile(
    r"\b(?:sha(?:256|384|512)(?:sum)?|shasum|b2sum|b3sum)\b.*(?:\s-\w*c\b|\s--check\b)|\bcosign\s+verify|"
    r"\bgpgv?2?\b.*--verify|\bgpgv\b|\bgh\s+(?:attestation|release)\s+verify|\bslsa-verifier\b|\bminisign\s+-\w*V|"
    r"\bsignify\s+-\w*[VC]|\bopenssl\s+dgst\b.*-verify|\bnotation\s+verify|\brekor-cli\s+verify"
)
_COMPARED = re.compile(r"\bget-filehash\b|\bcertutil\b[^\n]*-hashfile\b", re.IGNORECASE)


def _fetches(command: Command) -> bool:
    return command.program in _FETCHERS


def _fetched(scripts: Sequence[str]) -> bool:
    """Whether what is put in by a substitution comes from the network."""
    return any(_fetches(one) for script in scripts for line in pipelines(script) for one in line)


def _runs_its_input(command: Command) -> bool:
    """A shell or interpreter that is given no program but its standard input."""
    shell = command.program in SHELLS
    if not shell and not _INTERPRETERS.match(command.program):
        return command.program in _SOURCES
    options = [word for word in command.arguments if word.startswith("-") and word != "-"]
    if shell and command.arguments[-1:] == ("-c",):
        return True  # xargs adds what it reads
    if shell and any(re.fullmatch(r"-[a-zA-Z]*s[a-zA-Z]*|-s", word) for word in options):
        return True
    if any(
        re.fullmatch(r"-[a-zA-Z]*[cemnpE]\S*|-Command|-File|--eval|--print", word)
        for word in options
        if not shell or "c" in word
    ):
        return False
    given = [word for word in command.arguments if not word.startswith("-") or word == "-"]
    return not given or given[0] in ("-", "/dev/stdin", "run") or given[0].startswith(("<(", "$"))


def _piped(file: File) -> Iterator[Hit]:
    for where, script in file.scripts():
        stored: set[str] = set()
        for line in pipelines(script):
            stored |= {name.partition("=")[0] for one in line for name in one.assigned if _fetched(one.inner)}
            if _unread(line, stored):
                yield where, " | ".join(one.text for one in line)[:80]
        for text in _power_lines(script):
            if _POWER_RUNS.search(text) and _POWER_FETCHES.search(text):
                yield where, text[:80]


def _power_lines(script: str) -> Iterator[str]:
    """The lines of a script that do something, whole: PowerShell has brackets where a shell has none."""
    for line in re.sub(r"(?:`|\\)\r?\n", " ", script).splitlines():
        first = line.split(maxsplit=1)
        if first and first[0][0] != "#" and first[0].lower() not in PRINTERS:
            yield line.strip()


def _unread(line: tuple[Command, ...], stored: set[str]) -> bool:
    """Whether one command of a pipeline fetches and a later one runs it, or one runs what it fetches itself."""
    fetched = False
    for one in line:
        if fetched and _runs_its_input(one):
            return True
        fetched = fetched or _fetches(one) or (one.program in PRINTERS and _takes(one, stored))
        if _executes(one) and _takes(one, stored):
            return True
    return False


def _executes(command: Command) -> bool:
    """Whether what is substituted into it is run: as its program, or because it is a shell."""
    if command.words[:1] and command.words[0].startswith(("$(", "`")):
        return True
    named = command.program in SHELLS or command.program in _SOURCES or _INTERPRETERS.match(command.program)
    return bool(named)


def _takes(command: Command, stored: set[str]) -> bool:
    """Whether something fetched is put into it."""
    words = " ".join((*command.words, *(target for _, target in command.redirects)))
    return _fetched(command.inner) or any(re.search(rf"\$\{{?{re.escape(name)}\b", words) for name in stored)


def _unverified(file: File) -> Iterator[Hit]:
    for where, script in file.scripts():
        found = list(pipelines(script))
        checks = [number for number, line in enumerate(found) if _checks(line)]
        for number, line in enumerate(found):
            if _saves(line) and not any(later >= number for later in checks):
                yield where, " | ".join(one.text for one in line)[:80]
        for text in _power_lines(script):
            saved = _POWER_SAVES.search(text) or (_POWER_FILE.search(text) and _POWER_FETCHES.search(text))
            if saved and not _COMPARED.search(script[script.find(text) :]) and not checks:
                yield where, text[:80]


def _checks(line: tuple[Command, ...]) -> bool:
    text = " ".join(one.text for one in line)
    summed = any(re.match(r"(?:sha\d+|b[23])sum|shasum", one.program) for one in line[:-1])
    return bool(_CHECKED.search(text) or _COMPARED.search(text)) or (
        summed and line[-1].program in ("grep", "cmp", "diff")
    )


def _saves(line: tuple[Command, ...]) -> bool:
    """Whether a file from the network stays: the fetcher writes it, or what reads from the fetcher does."""
    fetched = False
    for one in line:
        if one.program in PRINTERS and not fetched:
            continue
        if _writes(one):
            return True
        fetched = fetched or _fetches(one)
        if fetched and (_unpacks(one) or ((_fetches(one) or one.program in _CARRIERS) and _into_a_file(one))):
            return True
    return False


def _writes(command: Command) -> bool:
    words = command.arguments
    if command.program in ("curl", "fetch"):
        addressed = any("://" in word or "$" in word for word in words)
        remote = any(re.fullmatch(r"-[a-zA-Z#]*O[a-zA-Z#]*|--remote-name(?:-all)?", word) for word in words)
        target = _option(words, "o", "--output")
        return addressed and (remote or (target is not None and target not in _NOWHERE))
    if command.program in ("http", "https", "xh"):
        return bool({"--download", "-d"} & set(words)) or _option(words, "o", "--output") is not None
    if command.program in ("wget", "wget2"):
        target = _option(words, "O", "--output-document")
        return bool(words) and "--spider" not in words and "--version" not in words and target not in _NOWHERE
    if command.program in ("aria2c", "axel", "lwp-download"):
        return bool(words) and "--version" not in words
    return command.program == "gh" and words[:2] == ("release", "download")


def _option(words: Sequence[str], short: str, long: str) -> str | None:
    """The value of an option: -o x, -ox, -fsSLo x, --output x, --output=x."""
    for word, following in zip(words, (*words[1:], ""), strict=True):
        if word == long:
            return following
        if word.startswith(f"{long}="):
            return word.partition("=")[2]
        if found := re.match(rf"-[a-zA-Z0-9#]*?{short}(.*)", word) if word[:1] == "-" and word[:2] != "--" else None:
            return found[1].removeprefix("=") or following
    return None


def _unpacks(command: Command) -> bool:
    """tar, in any of its spellings, and what else writes files from its standard input."""
    first = command.arguments[0] if command.arguments else ""
    if command.program in ("tar", "bsdtar", "gtar"):
        return (
            "--extract" in command.arguments
            or "--get" in command.arguments
            or any(
                "x" in word
                for word in (first, *command.arguments)
                if re.fullmatch(r"-?[a-zA-Z]+", word) and (word == first or word[0] == "-")
            )
        )
    return command.program in ("tee", "dd", "cpio", "unzip", "funzip", "sponge") and bool(command.arguments)


def _into_a_file(command: Command) -> bool:
    return any(
        operator in (">", ">>", ">|", "&>") and target not in _NOWHERE and not target.isdigit()
        for operator, target in command.redirects
    )


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
)
