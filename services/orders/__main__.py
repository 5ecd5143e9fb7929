"""Starts the service: `python -m orders`."""

from common.server import main
from orders.app import build

main("orders", build)
