"""Taking protections away one by one, to see that the probes notice."""
