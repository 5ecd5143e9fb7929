"""What must be found: every probe and its right outcome, from the graph alone."""
