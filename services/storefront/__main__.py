"""Starts the service: `python -m storefront`."""

from common.server import main
from storefront.app import build

main("storefront", build)
