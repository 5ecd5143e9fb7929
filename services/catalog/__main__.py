"""Starts the service: `python -m catalog`."""

from catalog.app import build
from common.server import main

main("catalog", build)
