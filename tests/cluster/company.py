"""Which files of tests share the one cluster: for the order in which they run, for whose worker, and for the lock."""

from __future__ import annotations

from typing import Final

FIRST: Final = ("test_edge_change.py", "test_estate.py", "test_kept.py", "test_statement.py")
"""Of the estate: they neither take down what all stand on nor ask whether anything else is there."""
BESIDE: Final = ("test_cluster.py", "test_doctor.py", "test_plugin.py", "test_policy.py")
"""Of the cluster itself, in namespaces of their own: another worker has them while the first is at those above."""
OWN_CLUSTER: Final = ("test_foreign.py", "test_recovery.py")
"""One after the other: on two cores two of these clusters at once are slower than that."""
_WORKERS = ("cluster", "beside", "clusters of their own", "cluster")


def shared(file: str) -> bool:
    """Whether it has the cluster together with others; what is in none of these lists has it alone."""
    return file in (*FIRST, *BESIDE)


def place(file: str) -> int:
    """When its turn is among the cluster's tests."""
    return next((number for number, files in enumerate((FIRST, BESIDE, OWN_CLUSTER)) if file in files), 3)


def worker(file: str) -> str:
    """Those of one name are one worker's."""
    return _WORKERS[place(file)]
