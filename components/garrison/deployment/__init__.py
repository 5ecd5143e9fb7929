"""Pulumi and hvac, thin: the only importers of either. What is derived is handed over unchanged."""
