"""`garrison doctor`: what a cluster has, the settings that follow from it, and whether it enforces network policies."""
