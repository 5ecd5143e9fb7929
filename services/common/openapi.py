"""Writes the OpenAPI document of every service: `python -m common.openapi [FOLDER]`, else to stdout."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI

SERVICES = ("catalog", "claims", "cover", "orders", "payments", "storefront")


def document(service: str) -> dict[str, Any]:
    """The document of one service; it needs none of the settings a running one needs."""
    app = importlib.import_module(f"{service}.app").describe()
    assert isinstance(app, FastAPI)
    return app.openapi()


def text(service: str) -> str:
    """The document as the bytes that are kept in the repository."""
    return json.dumps(document(service), indent=2, sort_keys=True) + "\n"


def main(arguments: list[str]) -> None:
    """Write them all."""
    for service in SERVICES:
        if arguments:
            Path(arguments[0]).mkdir(parents=True, exist_ok=True)
            Path(arguments[0], f"{service}.json").write_text(text(service))
        else:
            print(text(service), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
