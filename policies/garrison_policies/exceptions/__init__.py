"""Exceptions to rules: one rule, one object, an owner, a reason and a last day."""
