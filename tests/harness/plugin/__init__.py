"""A stand-in for Pulumi's Kubernetes plugin, for machines that cannot download the official one.

It speaks the same protocol, applies on the server under one field manager and plans the same
steps. Where the official plugin is installed, Pulumi finds that one instead and this is not used.
"""
