"""Settings come from the environment; one that is missing or wrong stops the start with one line."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit


class SettingsError(Exception):
    """Which variable is wrong and what it should hold."""


def text(name: str, default: str | None = None) -> str:
    """The variable `name`."""
    value = os.environ.get(name, default)
    if not value:
        raise SettingsError(f"{name} is not set")
    return value


def port(name: str = "PORT", default: str = "8080") -> int:
    """A TCP port."""
    value = text(name, default)
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise SettingsError(f"{name}={value!r} is not a port number")
    return int(value)


def url(name: str) -> str:
    """The address of a callee."""
    value = text(name)
    if urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname:
        raise SettingsError(f"{name}={value!r} is not an http address")
    return value.rstrip("/")


def address(name: str) -> str:
    """Where a callee is that speaks something else, as HOST:PORT."""
    value = text(name)
    host, _, number = value.rpartition(":")
    if not host or not number.isdecimal() or not 0 < int(number) < 65536:
        raise SettingsError(f"{name}={value!r} is not an address, such as 127.0.0.1:7070")
    return value


def number(name: str, default: str) -> int:
    """A whole number above zero."""
    value = text(name, default)
    if not value.isdecimal() or not int(value):
        raise SettingsError(f"{name}={value!r} is not a number above zero")
    return int(value)


def file(name: str) -> Path:
    """A path; the file itself may appear later and may change."""
    return Path(text(name))
