"""The supply chain: scanning, pipelines, and what is behind. Knows no graph."""
