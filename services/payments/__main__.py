"""Starts the service: `python -m payments`."""

from common.server import main
from payments.app import build

main("payments", build)
