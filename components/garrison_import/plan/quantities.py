"""Kubernetes quantities: sizes, and what a container asks for and may use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from garrison import defaults as d
from garrison.words import Resources
from garrison_import.read.shapes import within, word

_CPU = re.compile(r"[0-9]{1,9}m|[0-9]{1,6}(\.[0-9]{1,3})?")
_BYTES = re.compile(r"[0-9]{1,15}(\.[0-9]{1,3})?(k|M|G|T|[KMGT]i)?")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def size(text: str) -> str:
    """The quantity if it is one of bytes that Garrison takes; else nothing."""
    return text if _BYTES.fullmatch(text) and _amount(text) else ""


def _amount(text: str) -> Decimal:
    """What a quantity stands for, CPU or bytes; 0 for what is none."""
    match = re.fullmatch(r"([0-9.]+)(m|k|M|G|T|[KMGT]i)?", text)
    try:
        number = Decimal(match[1]) if match else Decimal(0)
    except InvalidOperation:
        return Decimal(0)
    unit = match[2] or "" if match else ""
    return number / 1000 if unit == "m" else number * _UNITS[unit]


def resources(body: Mapping[str, Any], remarks: list[str]) -> Resources | None:
    """What the container asks for, completed by Garrison's own where it does not say."""
    said = {}
    for field, end in (("requests", ""), ("limits", "_limit")):
        for name, form in (("cpu", _CPU), ("memory", _BYTES)):
            text = word(within(body, "resources", field, name))
            if text and form.fullmatch(text) and _amount(text):
                said[name + end] = text
            elif text:
                remarks.append(f"not said: {field} of {text!r} {name}, which is not written as Garrison takes it")
    if not said:
        return None
    usual = {name: getattr(d.APP_RESOURCES, name) for name in ("cpu", "memory", "cpu_limit", "memory_limit")}
    whole = usual | said
    for name in ("cpu", "memory"):
        low, high = whole[name], whole[f"{name}_limit"]
        if _amount(low) > _amount(high):  # one of the two is Garrison's own: what the manifest says counts
            whole[name if name not in said else f"{name}_limit"] = high if name not in said else low
            if name in said and f"{name}_limit" in said:
                remarks.append(f"the manifests ask for {low} {name} and allow {high}")
    return Resources(**whole)
