"""The four places where one rule gives one verdict: files, preview, admission and the live cluster."""
