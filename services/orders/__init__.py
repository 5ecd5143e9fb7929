"""The shop's orders: priced, covered, paid, then stored."""
