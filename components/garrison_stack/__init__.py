"""One call above all the other packages: a declared App becomes everything that has to stand on a cluster.

`run` hands it to Pulumi, `garrison render -o DIR` writes it to files. Both begin with the same value (`whole`).
"""

from garrison_stack.program import run

__all__ = ["run"]
