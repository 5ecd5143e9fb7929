"""CI: `garrison ci lint` judges workflows, `run` makes reports, `gate` judges those."""
