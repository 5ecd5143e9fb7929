"""Going and looking: probe pods on the live cluster, and what they bring back."""
