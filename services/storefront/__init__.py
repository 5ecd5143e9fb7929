"""The shop's front: the page, and who is logged in. All else the page asks of the shop's other services."""
