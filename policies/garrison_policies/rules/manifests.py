"""Examples of several objects: what they have in common, and putting them together."""

from __future__ import annotations

from textwrap import dedent


def manifests(*texts: str) -> str:
    """Several indented documents as one text."""
    return "---\n".join(dedent(text).strip() + "\n" for text in texts)


def deployment(app: str = "orders", *, spec: str = "", pod: str = "") -> str:
    """A Deployment in shop whose pods have the label `app`. `spec` and `pod` are flow entries, each after a comma."""
    labels = f"{{app: {app}}}"
    return f"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: {{name: orders, namespace: shop}}
        spec: {{selector: {{matchLabels: {labels}}}{spec}, template: {{metadata: {{labels: {labels}}}, spec: {{
          containers: [{{name: app, image: registry.example/shop/orders:1.4}}]{pod}}}}}}}
    """
