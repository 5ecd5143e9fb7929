"""The bank's statement: a job that reads the ledger every night, and fails when it does not balance."""
