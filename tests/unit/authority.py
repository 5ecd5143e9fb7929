"""A certificate authority; the harness's own, under the name that tests know."""

from harness.authority import Authority

__all__ = ["Authority"]
