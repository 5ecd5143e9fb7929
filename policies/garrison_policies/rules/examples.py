"""Good and bad examples in few words: what a rule is about, with the rest of a Pod around it."""

from __future__ import annotations

IMAGE = "registry.example/shop/app@sha256:" + "a1" * 32


def pod(*, spec: str = "", container: str = "", annotations: str = "", image: str = IMAGE) -> str:
    """A Pod as YAML with one container. `spec` and `container` are lines to add to each, `annotations` a flow map."""
    lines = ["apiVersion: v1", "kind: Pod", "metadata:", "  name: app", "  namespace: shop"]
    lines += [f"  annotations: {annotations}"] if annotations else []
    lines += ["spec:", *_indented(spec, 2), "  containers:", "  - name: app", f"    image: {image}"]
    return "\n".join([*lines, *_indented(container, 4)]) + "\n"


def _indented(text: str, by: int) -> list[str]:
    return [" " * by + line for line in text.splitlines()]
