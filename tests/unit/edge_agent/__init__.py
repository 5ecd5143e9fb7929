"""The agent at the edge: what it refuses, and that it refuses nothing else."""
