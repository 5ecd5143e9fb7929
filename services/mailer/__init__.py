"""The shop's mailer: writes to customers what became of their orders. It has no port: nobody calls it."""
