"""The language of rules: predicates with two readings (Python and CEL), and what they look at."""
