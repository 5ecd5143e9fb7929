"""The shop's catalog: what there is to buy and what it costs."""
