"""One word inside another language: quoted where it is put in, although the laws let no such word come this far.

Each function is total over what it returns: what its language cannot say as plain text raises ValueError.
"""

from __future__ import annotations

import json
import re
import shlex

_PLAIN_NAME = re.compile(r"[a-z0-9_.-]+")
_EXACT_PATH = re.compile(r"[A-Za-z0-9._/-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def sql_name(text: str) -> str:
    """A quoted identifier on one line; what is not plain is written as its code points."""
    _refuse(text, "\0", "a name in SQL")
    if _PLAIN_NAME.fullmatch(text):
        return f'"{text}"'
    return 'U&"' + "".join(c if _PLAIN_NAME.fullmatch(c) else f"\\+{ord(c):06x}" for c in text) + '"'


def sql_text(text: str) -> str:
    """A string on one line, whatever is in it."""
    _refuse(text, "\0", "a text in SQL")
    escaped = text.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n").replace("\r", "\\r")
    return f"E'{escaped}'"


def access_rule_name(text: str) -> str:
    """A database in pg_hba.conf: in quotes `all`, `+x` and `@x` are names like any other."""
    if not text or _CONTROL.search(text):
        raise ValueError(f"{text!r} cannot be a database in pg_hba.conf")
    return '"' + text.replace('"', '""') + '"'


def shell_word(text: str) -> str:
    _refuse(text, "\0", "a word of the shell")
    return shlex.quote(text)


def exact_path(text: str) -> str:
    """A path of the secret store that means itself: in a policy `*` and `+` are any path, and `{{` is a template."""
    if not _EXACT_PATH.fullmatch(text):
        raise ValueError(f"{text!r} is not one path of the secret store")
    return text


def policy_line(path: str, *capabilities: str) -> str:
    """One rule of a policy in OpenBao's HCL."""
    return f"path {json.dumps(exact_path(path))} {{ capabilities = {json.dumps(capabilities)} }}"


def _refuse(text: str, what: str, where: str) -> None:
    if what in text:
        raise ValueError(f"{text!r} cannot be {where}")
