"""`garrison prove`: live probes on the cluster, from inside every workload's identity, judged against the graph.

`expect` says what must be found, `look` goes and looks, `judge` reads what came back and tells it, `drill` takes the
protections away to see that it is noticed.
"""
