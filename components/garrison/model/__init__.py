"""The page: the frozen call graph as values, what holds for every graph, and its JSON."""
