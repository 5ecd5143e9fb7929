"""The bank's payments: charges and refunds in a double-entry ledger."""
