"""A payment provider, which stands for somebody else's: outside the cluster, with an authority of its own."""
