"""The command lines: `garrison check` and `garrison exceptions`."""
