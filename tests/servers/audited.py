"""What was asked of a store, as its own audit log has it, beside the table in docs/secret-store.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from garrison.cluster import Layout
from garrison.deployment.platform.store_config import BREAK_GLASS
from harness import paths

PAGE: Final = paths.REPO / "docs" / "secret-store.md"
_ROW: Final = re.compile(r"\| `(?P<path>[^`]+)` \| (?P<does>[a-z]+(?:, [a-z]+)*) \|")
_DOES: Final = {"create": "write", "update": "write"}
ADMINISTRATORS: Final = {BREAK_GLASS, "root"}
THEIRS: Final = ("auth/userpass/", "sys/audit/")  # how they enter, and what a server says to its own log
Asked = tuple[str, str]  # what is done, and the path


def asked(log: str, tenant: str) -> set[Asked]:
    """By everybody but the store's administrator, in that namespace. Whoever logs in is nobody yet."""
    return {*_asked(log, f"{tenant}/" if tenant else "")}


def _asked(log: str, namespace: str) -> Iterator[Asked]:
    for line in log.splitlines():
        said = json.loads(line) if line.startswith('{"') else {}
        request = said.get("request", {})
        if said.get("type") != "request" or request["namespace"].get("path", "") != namespace:
            continue
        policies = {*said.get("auth", {}).get("policies", ())}
        if not policies & ADMINISTRATORS and not request["path"].startswith(THEIRS):
            yield _DOES.get(request["operation"], request["operation"]), request["path"]


def unlisted(found: set[Asked], layout: Layout) -> list[Asked]:
    """What no row of the page speaks of."""
    rows = [*_rows(layout)]
    return sorted(one for one in found if not any(does == one[0] and path.fullmatch(one[1]) for does, path in rows))


def idle(found: set[Asked], layout: Layout) -> list[Asked]:
    """Rows of the page of which nothing was asked."""
    return [
        (does, path.pattern)
        for does, path in _rows(layout)
        if not any(does == done and path.fullmatch(where) for done, where in found)
    ]


def _rows(layout: Layout) -> Iterator[tuple[str, re.Pattern[str]]]:
    words = {"KV": layout.kv, "DATABASE": layout.database, "LOGIN": layout.auth, "NAME": ".+", "PATH": ".+"}
    for row in _ROW.finditer(PAGE.read_text()):
        path = re.sub(r"[A-Z]+", lambda word: words[word[0]], row["path"])
        yield from ((does, re.compile(path)) for does in row["does"].split(", "))
