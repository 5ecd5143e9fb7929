"""The insurance's claims: checked against a cover, paid back as a refund."""
