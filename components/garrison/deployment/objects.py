"""A manifest as a resource of Pulumi's Kubernetes provider, and to which cluster a provider leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pulumi

from garrison.errors import Problem
from garrison.manifest import Manifest


def kubernetes_object(item: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Any manifest as a resource of the Kubernetes provider, its fields unchanged, under the name people know."""
    meta = item["metadata"]
    name = "/".join(filter(None, [meta.get("namespace"), meta["name"]]))
    api = item["apiVersion"] if "/" in item["apiVersion"] else f"core/{item['apiVersion']}"
    return pulumi.CustomResource(f"kubernetes:{api}:{item['kind']}", name, item, opts)


def two_clusters(opts: pulumi.ResourceOptions | None, kubectl_for: str) -> Iterator[Problem]:
    """What is wrong with a Kubernetes provider of one's own where kubectl is asked, too.

    A provider's kubeconfig may be known only when another resource is made, and is a secret that has no place in the
    state of ours: so kubectl cannot follow it, and half of what is deployed would be on another cluster.

    kubectl_for: what kubectl is asked for; empty where it is not asked, and every provider is followed.
    """
    if kubectl_for and provider_of(opts):
        remedy = "leave the provider out, and point KUBECONFIG's current context at the cluster"
        what = f"a Kubernetes provider of its own, and {kubectl_for} would be on the cluster of kubectl"
        yield Problem("opts", what, remedy)


def provider_of(opts: pulumi.ResourceOptions | None) -> pulumi.ProviderResource | None:
    """The Kubernetes provider that the children of a component with these options would get, if not the default one."""
    return next((provider for provider in _providers(opts) if provider.package == "kubernetes"), None)


def _providers(opts: pulumi.ResourceOptions | None) -> Iterator[pulumi.ProviderResource]:
    """All that come down to such children, the nearest first."""
    if opts is None:
        return
    if opts.provider:
        yield opts.provider
    given = opts.providers or ()
    yield from given.values() if isinstance(given, Mapping) else given
    if opts.parent:
        yield from opts.parent._providers.values()  # noqa: SLF001 Pulumi has no other word for what is inherited
