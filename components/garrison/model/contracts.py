"""Contracts: the OpenAPI document of a service (OpenAPI 3.1), and which operations are in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from garrison import defaults as d

MOST: Final = 1_000_000  # letters
VARIABLE: Final = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True)
class Contract:
    """A document as it was read; `problem` says why it is none."""

    document: Mapping[str, Any]
    problem: str = ""

    @classmethod
    def parse(cls, text: str) -> Contract:
        if len(text) > MOST:
            return cls({}, f"it has {len(text):,} letters, more than {MOST:,}")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            return cls({}, f"it is not JSON: {error}")
        if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith("3."):
            return cls({}, "it is not of OpenAPI 3")
        paths = document.get("paths")
        if not isinstance(paths, dict) or not all(isinstance(item, dict) for item in paths.values()):
            return cls({}, "it has no `paths`")
        return cls(document)

    @property
    def operations(self) -> tuple[tuple[str, str], ...]:
        """Method and path of every operation of the document, in order."""
        methods = {method.lower(): method for method in d.METHODS}
        found = (
            (methods[name], path)
            for path, item in self.document.get("paths", {}).items()
            for name in item
            if name in methods
        )
        return tuple(sorted(found))

    def entry(self, method: str, path: str) -> Mapping[str, Any] | None:
        """What the document says of an operation; what its parameters are called does not matter."""
        for known, template in self.operations:
            if known == method and _shape(template) == _shape(path):
                entry: Mapping[str, Any] = self.document["paths"][template][known.lower()]
                return entry
        return None


def _shape(path: str) -> str:
    return VARIABLE.sub("{}", path)
