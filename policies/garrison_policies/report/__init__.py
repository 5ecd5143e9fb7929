"""Findings for people and for tools: table, JSON, SARIF."""
