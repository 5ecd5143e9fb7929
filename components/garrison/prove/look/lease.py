"""One operator at a time on a cluster: a Lease that the run holds, renews and gives back.

A killed run stops renewing: after `SECONDS` the next one takes over and says so, on the same machine at once. Times are
the API server's own, so two machines need not agree on theirs. Every change names the version it was made from: only
one of two can win.
"""

from __future__ import annotations

import getpass
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from garrison.manifest import Manifest
from garrison.prove.kubectl import HOME, Kubectl
from garrison.prove.model import ProveError

NAME = "garrison-prove"
SECONDS, RENEW_SECONDS = 90, 20.0
FORM = "%Y-%m-%dT%H:%M:%S.%fZ"


class LostError(ProveError):
    """Another run holds the Lease by now."""


@dataclass
class Holder:
    """One run, before the Lease."""

    kubectl: Kubectl
    run: str
    say: Callable[[str], None]
    dead: str = ""  # the run that had this machine's own lock before, and so is over
    behind: float = 0.0  # how far this machine's clock is behind the API server's
    lost: str = ""

    @property
    def identity(self) -> str:
        return f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}, run {self.run}"

    def acquire(self) -> None:
        """Take the Lease, or say who has it and when it would end."""
        self.behind = self._server_time() - time.time()
        found = self._read()
        if found is None:
            self._write("create", {"metadata": {"name": NAME, "namespace": HOME}})
            return
        holder, left = _holder(found), _ends(found) - self._now()
        gone = bool(self.dead) and holder.endswith(f", run {self.dead}")
        if holder and left > 0 and not gone:
            raise ProveError(
                f"another run of `garrison prove` is at work on this cluster: {holder}; wait until it ends, or if it"
                f" was killed, the {left:.0f} s until its Lease {HOME}/{NAME} does"
            )
        if holder:
            self.say(f"taking over from a run that was killed: {holder}, Lease of {SECONDS - left:.0f} s ago")
        self._write("replace", found)

    def check(self) -> None:
        """Raises LostError when the run is no longer alone."""
        if self.lost:
            raise LostError(f"{self.lost}: this run has stopped and cleaned up, and proves nothing") from None

    def renew(self) -> None:
        found = self._read()
        if found is None or _holder(found) != self.identity:
            raise LostError(f"Lease {HOME}/{NAME} was taken over by {_holder(found) if found else 'nobody'}")
        self._write("replace", found)

    def release(self) -> None:
        """Give it back, if it still is ours; the Lease stays, without a holder."""
        found = self._read()
        if found is not None and _holder(found) == self.identity:
            self._write("replace", found, holder="")

    def _write(self, verb: str, item: Manifest, *, holder: str | None = None) -> None:
        now = datetime.fromtimestamp(self._now(), UTC).strftime(FORM)
        mine = self.identity if holder is None else holder
        since = item["spec"]["acquireTime"] if "spec" in item and _holder(item) == mine else now
        spec = {"holderIdentity": mine, "leaseDurationSeconds": SECONDS, "acquireTime": since, "renewTime": now}
        meta = {
            key: item["metadata"][key] for key in ("name", "namespace", "resourceVersion") if key in item["metadata"]
        }
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}
        try:
            self.kubectl.run(verb, "--filename=-", "--output=name", stdin=json.dumps(body))
        except ProveError as error:
            if "AlreadyExists" in str(error) or "Conflict" in str(error):
                raise ProveError("another run of `garrison prove` has just started on this cluster: wait") from None
            raise

    def _read(self) -> Manifest | None:
        return self.kubectl.find("lease", NAME, HOME)

    def _now(self) -> float:
        return time.time() + self.behind

    def _server_time(self) -> float:
        """As the API server stamps a new object; nothing is kept of it."""
        meta = {"generateName": f"{NAME}-", "namespace": HOME}
        body = json.dumps({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": {}})
        made = json.loads(self.kubectl.run("create", "--dry-run=server", "--output=json", "--filename=-", stdin=body))
        return _time(made["metadata"]["creationTimestamp"])


@contextmanager
def held(holder: Holder, *, every: float = RENEW_SECONDS) -> Iterator[None]:
    """The Lease inside the `with`; a run that loses it is interrupted, for it is no longer alone."""
    over = threading.Event()
    holder.acquire()
    renewing = threading.Thread(target=_keep, args=(holder, over, every), daemon=True)
    renewing.start()
    try:
        yield
        holder.check()  # it may have been lost while nothing could be interrupted
    except KeyboardInterrupt:
        holder.check()
        raise
    finally:
        over.set()
        renewing.join()
        with suppress(ProveError):  # it ends by itself
            holder.release()


def _keep(holder: Holder, over: threading.Event, every: float) -> None:
    """Renew until it is over. A renewal that fails is tried again as long as the Lease lasts."""
    good = time.monotonic()
    while not over.wait(every):
        try:
            holder.renew()
            good = time.monotonic()
        except ProveError as error:
            if not isinstance(error, LostError) and time.monotonic() - good < SECONDS - 2 * every:
                continue
            holder.lost = str(error)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            return


def _holder(lease: Manifest) -> str:
    return str(lease["spec"].get("holderIdentity") or "")


def _ends(lease: Manifest) -> float:
    return _time(lease["spec"]["renewTime"]) + float(lease["spec"]["leaseDurationSeconds"])


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
