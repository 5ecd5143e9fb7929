"""What looks like a credential: names that announce one, and values that are one whatever they are called.

Expressions are RE2 (no lookaround), so what is meant by a name is two expressions: what announces a secret, and what
only speaks about one (where it is, how long it lives). Numbers stay secrets: people do use them.
"""

from __future__ import annotations

from garrison_policies.language.expr import All, Either, Is, Matches, Not, Path, Predicate, Present

NAME = (
    r"(?i)(passw(or)?d|passphrase|(^|[_.-])(pass|pwd|pat)([_.-]|$)|[_-]?pwd$|secret|token|credential"
    r"|(api|auth|access|account|private|encryption|signing|master|storage|license|ssh|shared|session)[_.-]?key"
    r"|(connection|conn)[_.-]?str(ing)?|bearer|jwt$)"
)
ABOUT = (
    r"(?i)([_.-]|^)(file|filename|path|dir|directory|folder|mount|url|uri|endpoint|host|hostname|server|addr|address|port|name"
    r"|ref|id|ids|ttl|lifetime|expiry|expiration|expires?|expires[_.-]?in|duration|timeout|interval|period|seconds|minutes"
    r"|hours|days|rotation|type|kind|format|algorithm|alg|policy|length|size|limit|count|max|min|header|field|claim|issuer"
    r"|audience|scopes?|prefix|suffix|enabled?|disabled?|required|mode|version|region|store|provider|backend|engine|namespace"
    r"|role|cmd|command|script|pattern|regex|public)$"
    r"|(^|[_.-])(max|min|num|use|enable|disable|require|allow|skip|has|is|public)[_.-]"
)
# An access key's id is half of a credential and is leaked with the other half.
_IDENTIFIES = r"(?i)access[_.-]?key[_.-]?id$"

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
    r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"
    r"|[a-z][a-z0-9+.-]*://[^\s/:@]*:[^\s/@\x24{<*][^\s/@]*@"
    r"|(?i:(password|pwd|accountkey|sharedaccesskey|secretkey)\s*=\s*[^\s;&\x24{<*][^\s;&]{2,};)"
)
# An option with a credential behind the equals sign.
OPTION = (
    r"(?i)(^|\s)--?[a-z0-9_.-]*(passw(or)?d|passphrase|secret|token|credential|api[_.-]?key|access[_.-]?key|private[_.-]?key)"
    r"=['\x22]?[^\s'\x22\x24/{<.][^\s]*"
)


def named_value(name: Path, value: Path) -> Predicate:
    """A value under a name that announces a credential, or a credential under any name."""
    announced = Either(All(Matches(name, NAME), Not(Matches(name, ABOUT))), Matches(name, _IDENTIFIES))
    given = All(Present(value), Not(Is(value, (False, True))), Not(Matches(value, HARMLESS)))
    return Either(All(announced, given), Matches(value, VALUE))


def argument(path: Path) -> Predicate:
    """An argument of a command that carries a credential."""
    return Either(Matches(path, OPTION), Matches(path, VALUE))
