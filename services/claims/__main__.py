"""Starts the service: `python -m claims`."""

from claims.app import build
from common.server import main

main("claims", build)
