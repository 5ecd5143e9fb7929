"""Runs a service for real; the harness's own, under the name that tests know."""

from harness.serving import served

__all__ = ["served"]
