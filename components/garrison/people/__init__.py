"""People and machines of an estate on a command line: who there is, a token for one of them, and other issuers."""
