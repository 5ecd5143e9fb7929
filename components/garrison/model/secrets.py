"""Secrets: which paths of the secret store a workload may read, and how its application finds them. Never a value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from garrison import credentials
from garrison.manifest import variable
from garrison.model.breach import Breach, Place
from garrison.model.texts import Pairs, fields, named_variable
from garrison.words import Ref

PATH = re.compile(r"[a-z0-9][-_a-z0-9]*(/[a-z0-9][-_a-z0-9]*)*")
MAX_PATH = 200
UNQUOTED = re.compile("[\0'\n\r\ud800-\udfff]")  # what a line of a file of variables cannot have between its quotes
READ_IT = 'keep it in the secret store and say reads("PATH", env=...)'


@dataclass(frozen=True, order=True)
class Read:
    """`service` may read the static secret at `path` of the secret store, and no other."""

    service: Ref
    path: str
    env: Pairs = ()
    """The application's own variables: each a text with {path}, the place of the file, or {value}, the secret."""

    @property
    def file(self) -> str:
        """The file of the secret, among the service's secrets."""
        return self.path

    @property
    def lines(self) -> str:
        """The file of the variables that have the value; no path has a dot in it."""
        return f"{self.path}.env"

    @property
    def told(self) -> Pairs:
        """The variables; where nothing was said, one that names the file."""
        return self.env or ((f"{variable(self.path)}_FILE", "{path}"),)

    @property
    def valued(self) -> Pairs:
        """Those that have the value itself."""
        return tuple((name, text) for name, text in self.told if "value" in fields(text))

    def breaches(self, place: Place) -> Iterator[Breach]:
        if not PATH.fullmatch(self.path) or len(self.path) > MAX_PATH:
            remedy = "write it like 'psp/api-key': lower case, no wildcard, no leading or trailing slash"
            yield Breach(place, f"{self.path!r} is not a path in the secret store", remedy)
        elif self.path[0].isdigit() and not self.env:
            what = f"{self.path!r} would be the variable {self.told[0][0]}, which no shell can read"
            yield Breach(place, what, "begin the path with a letter, or name the variable: env=")
        for name, text in self.env:
            yield from named_variable(place, name)
            if fields(text) not in ({"path"}, {"value"}):
                remedy = "write {path}, the place of the file, or {value}, the secret, and no other brace"
                yield Breach(place, f"{name}={text!r} does not say where the secret belongs", remedy)
            elif UNQUOTED.search(text):
                remedy = "leave out quotes and line ends, or let the application read the file"
                yield Breach(place, f"{name}={text!r} fits no variable of a file", remedy)
            elif credentials.inside(text):
                yield Breach(place, f"{name} looks as if it had a credential in it", READ_IT)


def merged(reads: Iterable[Read]) -> Iterator[Read]:
    """One for each workload and path, with all the variables said about it."""
    said: dict[tuple[Ref, str], set[Read]] = {}
    for read in reads:
        said.setdefault((read.service, read.path), set()).add(read)
    for rows in said.values():
        one = next(iter(rows))
        yield one if len(rows) == 1 else replace(one, env=tuple(sorted({pair for row in rows for pair in row.told})))
