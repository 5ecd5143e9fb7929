"""Kubernetes quantities: sizes, and what a container asks for and may use."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from garrison import defaults as d
from garrison.model.services import CPU
from garrison.model.texts import BYTES, amount
from garrison.words import Resources
from garrison_import.read.shapes import within, word


def size(text: str) -> str:
    """The quantity if it is one of bytes that Garrison takes; else nothing."""
    return text if BYTES.fullmatch(text) and _amount(text) else ""


def _amount(text: str) -> Decimal:
    """What a quantity stands for, CPU or bytes."""
    return amount(text.removesuffix("m")) / 1000 if text.endswith("m") else amount(text)


def resources(body: Mapping[str, Any], remarks: list[str]) -> Resources | None:
    """What the container asks for, completed by Garrison's own where it does not say."""
    said = {}
    for field, end in (("requests", ""), ("limits", "_limit")):
        for name, form in (("cpu", CPU), ("memory", BYTES)):
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
