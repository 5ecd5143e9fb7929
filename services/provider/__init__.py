"""A payment provider, which stands for somebody else's: outside the cluster, with a certificate that others vouch for."""
