"""One run at a time: a run removes what earlier ones left, so it must know that none of them is still going."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from garrison.prove.kubectl import Kubectl
from garrison.prove.model import ProveError

IDENTITY = "jsonpath={.metadata.uid}"


def cluster_uid(kubectl: Kubectl) -> str:
    """What identifies a cluster by any of its names; ProveError when it does not answer."""
    return kubectl.run("get", "namespace", "kube-system", f"--output={IDENTITY}", timeout=30)


@contextmanager
def alone(uid: str, run: str) -> Iterator[str]:
    """The only run of this user and machine on a cluster; the system takes the lock back from a killed run.

    Yields which run had it before: whatever the cluster still says of that one, it is over.
    """
    path = Path(tempfile.gettempdir()) / f"garrison-prove-{os.getuid()}-{uid}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ProveError("another run of `garrison prove` is at work on this cluster: wait until it ends") from None
    try:
        before = os.pread(descriptor, 64, 0).decode(errors="replace").strip()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, run.encode(), 0)
        yield before
    finally:
        os.close(descriptor)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Cleaning up and putting back are not worth interrupting: Ctrl-C and SIGTERM are held off until it is done."""
    before = {which: signal.signal(which, signal.SIG_IGN) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
