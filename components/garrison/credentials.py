"""What looks like a credential: names that announce one, and values that are one whatever they are called.

Expressions are RE2 (no lookaround), so what is meant by a name is two expressions: what announces a secret, and what
only speaks about one (where it is, how long it lives). Numbers stay secrets: people do use them. Rules refuse in a
manifest what the model refuses in a program, by the same expressions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

NAME = (
    r"(?i)(passw(or)?d|passphrase|(^|[_.-])(pass|pwd|pat)([_.-]|$)|[_-]?pwd$|secrets?([^a-z]|$)|secret(key|id)|tokens?([^a-z]|$)"
    r"|credential"
    r"|(api|auth|access|account|private|encryption|signing|master|storage|license|ssh|shared|session)[_.-]?key"
    r"|(connection|conn)[_.-]?str(ing)?|bearer|jwt$)"
)
ABOUT = (
    r"(?i)([_.-]|^)(file|filename|path|dir|directory|folder|mount|url|uri|endpoint|host|hostname|server|addr|address|port|name"
    r"|ref|id|ids|ttl|lifetime|expiry|expiration|expires?|expires[_.-]?in|duration|timeout|interval|period|seconds|minutes"
    r"|hours|days|rotation|type|kind|format|algorithm|alg|policy|length|size|limit|count|max|min|header|field|claim|issuer"
    r"|audience|scopes?|prefix|suffix|enabled?|disabled?|required|mode|version|region|store|provider|backend|engine|namespace"
    r"|role|cmd|command|script|pattern|regex|public"
    r"|validators?|hashers?|realm|method|parser|class|label|title|help|hint|description|model|budget|window|usage)$"
    r"|(^|[_.-])(max|min|num|use|enable|disable|require|allow|skip|has|is|public)[_.-]"
    # Pieces of text, which language models count, and what Django and others do with passwords.
    r"|(max|min|num|total|prompt|completion|input|output|new|context|cached?|reasoning)[_.-]?tokens?$"
    r"|tokens?[_.-]?(per|budget|window|bucket|usage|limit|count)|token(iz|is)|password[_.-]?(reset|change|strength|history|login)"
)
# An access key's id is half of a credential and is leaked with the other half.
IDENTIFIES = r"(?i)access[_.-]?key[_.-]?id$"

# Not a credential: an empty value or a word, a path, a reference that something else resolves.
HARMLESS = (
    r"(?i)^(\s*|true|false|yes|no|on|off|null|none|nil|undefined|disabled|enabled)$"
    r"|^(file://)?\.{0,2}(/[A-Za-z0-9._@+-]*)+$"
    r"|^\$\([A-Za-z_][A-Za-z0-9_.-]*\)$|^\$\{[^}]*\}$|^\{\{.*\}\}$"
    r"|^(vault|ref\+[a-z]+|secretref|arn:aws[a-z-]*:(secretsmanager|ssm)|op|aws-sm|gcp-sm|azkv|sm):"
)
# A credential whatever it is called: keys and tokens of known shape, and addresses or settings with a password inside.
VALUE = (
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY"
    r"|\b(AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\b(gh[opsur]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22}|glpat-[A-Za-z0-9_-]{20}|xox[abeoprs]-[A-Za-z0-9-]{10}"
    r"|[sr]k_(live|test)_[A-Za-z0-9]{16}|AIza[0-9A-Za-z_-]{35}|hv[sb]\.[A-Za-z0-9_-]{20}|npm_[A-Za-z0-9]{36}"
    r"|dckr_pat_[A-Za-z0-9_-]{20}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})"
    r"|\beyJ[A-Za-z0-9_-]{10,500}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"
    r"|[a-z][a-z0-9+.-]{0,20}://[^\s/:@]*:[^\s/@\x24{<*][^\s/@]*@"
    r"|(?i:(password|pwd|accountkey|sharedaccesskey|secretkey)\s*=\s*[^\s;&\x24{<*][^\s;&]{2,200};)"
    # The beginning of a private key in base64, and PuTTY's.
    r"|LS0tLS1CRUdJTi(BQUklWQVRFIEtFW|BSU0EgUFJJVkFURSBLRV|BFQyBQUklWQVRFIEtFW|BPUEVOU1NIIFBSSVZBVEUgS0VZ)"
    r"|PuTTY-User-Key-File-"
)
# The names of options that a credential follows, and of variables that are set in a line of a shell.
_CALLED = (
    r"(passw(or)?d|passwd|passphrase|requirepass|masterauth|secret|token|credentials?|pass|pwd"
    r"|(api|access|secret|private|auth|account|encryption|signing|master)[_.-]?key)"
)
_NAMED = rf"(^|\s)--?([a-z0-9]+[_.-])*[a-z0-9]*{_CALLED}"
# What follows is the credential itself: no other option, path, variable, template, block, nor true and false.
_GIVEN = r"['\x22]?([^\s'\x22\x24\x60/{<.tf-][^\s]*|t([^r\s][^\s]*|\s|$)|f([^a\s][^\s]*|\s|$))"
OPTION = (
    r"(?i)(^|\s)--?[a-z0-9_.-]*(passw(or)?d|passphrase|secret|token|credential|api[_.-]?key|access[_.-]?key|private[_.-]?key)"
    r"=['\x22]?[^\s'\x22\x24/{<.][^\s]*"
    rf"|{_NAMED}='?[^\s'\x22\x24/{{<.][^\s]*"
)
# Where one argument is a whole line: an option and a blank, a variable, and the options of some programs.
LINE = (
    rf"(?i){_NAMED}[ \t]+{_GIVEN}"
    rf"|(^|[\s;&|])([a-z0-9_]*(passw(or)?d|passphrase)|([a-z0-9_]*_)?{_CALLED})='?\x22?[^\s'\x22\x24\x60/{{<.;&|][^\s]*"
    rf"|(^|[\s;&|/])(mysql|mysqldump|mysqladmin|mariadb)(-[a-z]+)?\s([^\n;&|]{{0,200}}\s)?-p['\x22]?[^\s'\x22\x24/]+"
    rf"|(^|[\s;&|/])curl\s([^\n;&|]{{0,500}}\s)?(-u|--user)[ =]?['\x22]?[a-z0-9_.@-]+:{_GIVEN}"
    rf"|(^|[\s;&|/])(redis-cli|valkey-cli)\s([^\n;&|]{{0,200}}\s)?-a[ =]?{_GIVEN}"
    rf"|(^|[\s;&|/])sshpass\s+-p[ ]?{_GIVEN}"
)
# An option whose argument is the next element. One that switches something on or off has none.
ANNOUNCES = rf"(?i)^--?([a-z0-9]+[_.-])*[a-z0-9]*{_CALLED}$"
SWITCH = r"(?i)^--?(no|use|enable|disable|require|allow|skip|has|is|show|print|with|without|refresh|rotate)[_.-]"
USER = r"^(-u|--user)$"
LOGIN = r"^[A-Za-z][A-Za-z0-9_.@-]*:[^\s\x24/{<:][^\s/]*$"

# A line of a properties, environment, YAML or JSON file that sets a credential to something: not to nothing, nor to a
# variable, a template, a path or a block. Words such as `secret` alone are left out: they mostly name a Secret.
SETTING = (
    r"(?i)(^|[\s\x22'{,;])[a-z0-9_.-]*(passw(or)?d|passphrase|[_.-](pwd|pass|secret|token)|clientsecret"
    r"|(api|auth|access|bearer|refresh|session)[_.-]?token|(api|auth|access|secret|private|encryption|account)[_.-]?key)"
    r"[\x22']?[ \t]*[=:][ \t]*[\x22']?[^\s\x22'\x24{}()<>\[\]/*%&|#!,;.][^\s\x22',;]{2,}"
)

BESIDE = r"^[-/.\x24{<]"  # what is no credential after an option: another option, a path, a template


def named(name: str, value: str) -> bool:
    """Whether a value under that name is a credential, or would be one under any name."""
    announced = (_in(NAME, name) and not _in(ABOUT, name)) or _in(IDENTIFIES, name)
    return (announced and bool(value) and not _in(HARMLESS, value)) or _in(VALUE, value)


def among(arguments: Sequence[str]) -> bool:
    """Whether the arguments of a command carry a credential."""
    alone = any(_in(pattern, one) for one in arguments for pattern in (OPTION, LINE, VALUE))
    return alone or any(_follows(first, second) for first, second in pairwise(arguments))


def inside(text: str) -> bool:
    """Whether a file's text sets a credential to something."""
    return _in(VALUE, text) or _in(SETTING, text)


def _follows(first: str, second: str) -> bool:
    given = not _in(HARMLESS, second) and not re.match(BESIDE, second)
    announced = _in(ANNOUNCES, first) and not _in(SWITCH, first)
    return (announced and given) or (_in(USER, first) and _in(LOGIN, second))


def _in(pattern: str, text: str) -> bool:
    return bool(re.search(pattern, text))
