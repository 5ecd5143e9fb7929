"""Who calls whom, as far as the manifests show it, each with where it was seen. Nothing is taken from a mere word."""
