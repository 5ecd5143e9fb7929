"""Starts the service: `python -m cover`."""

from common.server import main
from cover.app import build

main("cover", build)
