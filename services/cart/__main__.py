"""Starts the service: `python -m cart`."""

from cart.app import build
from common.rpc import main

main("cart", build)
