"""The graph for people: pictures, tables, and what a change means."""
