"""What a cluster needs once, before an estate: certificates, trust, and a secret store.

Only `platform.component` and `platform.seal` know Pulumi; everything else here is a pure function to manifests.
"""
