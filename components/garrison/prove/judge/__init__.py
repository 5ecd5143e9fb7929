"""Reading what came back, and telling it: verdicts, tables, the matrix."""
