"""The first program: what is written, and how Python says it."""
