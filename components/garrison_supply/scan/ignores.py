"""Findings that are known and accepted for a time: each has an owner, a reason and a last day."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from garrison_supply.scan.model import Finding
from garrison_supply.scan.table import Table, text

# Longer is no exception but a decision nobody looks at again; renewing one takes a commit, which is the point.
LONGEST = datetime.timedelta(days=180)


@dataclass(frozen=True, kw_only=True)
class Ignore:
    """One accepted finding. `where` (package or file) and `target` are patterns; `id` is not."""

    id: str
    where: str
    target: str
    owner: str
    reason: str
    expires: datetime.date

    def covers(self, finding: Finding) -> bool:
        """Whether it speaks of this finding; whether it is still in force is another question."""
        return (
            finding.rule == self.id and fnmatchcase(finding.path, self.where) and fnmatchcase(finding.file, self.target)
        )

    def expired(self, today: datetime.date) -> bool:
        """`expires` is the last day on which it holds."""
        return today > self.expires

    def __str__(self) -> str:
        return f"{self.id} in {self.where} ({self.owner}, until {self.expires})"


def read(table: Table, latest: datetime.date) -> Ignore:
    """One [[ignore]] that ends on `latest` or before; what is missing is a problem of the table."""

    def id_(value: Any) -> str:
        if set("*?[") & set(text(value)):
            raise ValueError("name one finding; patterns are for where and target")
        return text(value)

    def day(value: Any) -> datetime.date:
        if type(value) is not datetime.date:
            raise ValueError("write a date without quotes: 2026-12-31")
        if value > latest:
            raise ValueError(f"write {latest} or an earlier day, and renew it if it must be")
        return value

    entry = Ignore(
        id=table.take("id", id_),
        where=table.take("where", text, "*"),
        target=table.take("target", text, "*"),
        owner=table.take("owner", text),
        reason=table.take("reason", text),
        expires=table.take("expires", day),
    )
    table.done()
    return entry
