"""The shop's cart: what a user means to buy, until an order takes it."""
