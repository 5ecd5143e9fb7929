"""The version of this distribution, for reports and for `--version`."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
