"""The code blocks of a document, for tests that run them."""

from __future__ import annotations

import re


def blocks(page: str, words: str) -> list[str]:
    """The blocks of `page` that begin with exactly these words, such as `sh`."""
    return re.findall(rf"^```{words}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
