"""The mailer: a letter for each order that was placed.

A letter is a file in the outbox, where a real shop's mail server would take it from. The same order told twice is one
letter; an event that came while the mailer was away is none, since nobody keeps it.
"""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

from common import context, log, settings
from common.events import Events, Lost
from common.limits import GRACE_SECONDS
from common.log import logger

PLACED, GROUP = "orders.placed", "mailer"
KEPT = 100  # letters in the outbox, the oldest go first
AGAIN_SECONDS = 1.0
FIELDS = ("order", "customer", "amount", "currency")
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Mailer:
    """Writes letters by a template, with `$order`, `$customer`, `$amount` and `$currency` in it."""

    def __init__(self, template: Template, outbox: Path) -> None:
        self._template = template
        self._outbox = outbox

    @classmethod
    def from_environment(cls) -> Mailer:
        """The template and the outbox that the deployment gives."""
        file, outbox = settings.file("LETTER_FILE"), settings.file("OUTBOX")
        try:
            template = Template(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise settings.SettingsError(f"LETTER_FILE={str(file)!r} cannot be read") from None
        if not template.is_valid() or not {*template.get_identifiers()} <= {*FIELDS}:
            raise settings.SettingsError(f"LETTER_FILE={str(file)!r} has other fields than {', '.join(FIELDS)}")
        if not outbox.is_dir():
            raise settings.SettingsError(f"OUTBOX={str(outbox)!r} is not a folder")
        return cls(template, outbox)

    def write(self, event: Any) -> None:
        """The letter for an event, unless there is one already; what is no event of ours is logged and left."""
        if not _understood(event):
            logger.warning("an event of %s is not as agreed", PLACED)
            return
        context.correlation_id.set(context.accepted_request_id(str(event.get("correlation_id", ""))))
        letter = self._outbox / f"{event['order']}.txt"
        if not letter.exists():
            fresh = letter.with_suffix(".new")
            fresh.write_text(self._template.substitute(event), encoding="utf-8")
            fresh.replace(letter)
            self._tidy()
            logger.info("letter", extra={"fields": {"event": PLACED, "order": event["order"]}})

    def _tidy(self) -> None:
        letters = sorted(self._outbox.glob("*.txt"), key=lambda file: file.stat().st_mtime_ns)
        for letter in letters[:-KEPT]:
            letter.unlink()


def _understood(event: Any) -> bool:
    return (
        isinstance(event, dict)
        and all(isinstance(event.get(name), str | int) for name in FIELDS)
        and NAME.fullmatch(str(event["order"])) is not None
    )


def listen(events: Events, handle: Callable[[Any], None], stop: threading.Event) -> None:
    """Handle every event until told to stop; come back when the connection is lost."""
    while not stop.is_set():
        try:
            for event in events.received(PLACED, GROUP, ready=lambda: logger.info("listening to %s", PLACED)):
                _handled(handle, event)
        except Lost as lost:
            logger.warning("nats: %s", lost)
        stop.wait(AGAIN_SECONDS)


def _handled(handle: Callable[[Any], None], event: Any) -> None:
    """One event that cannot be handled is not the end of all."""
    try:
        handle(event)
    except Exception:
        logger.exception("unexpected error")


def main() -> None:
    """Work until told to stop."""
    log.set_up("mailer")
    ends = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # the thread leaves them to the wait below
    try:
        mailer, events = Mailer.from_environment(), Events.from_environment("NATS_ADDR", "mailer")
    except settings.SettingsError as error:
        sys.exit(f"mailer: {error}")
    guard, stop = threading.Lock(), threading.Event()

    def handle(event: Any) -> None:
        with guard:
            mailer.write(event)

    threading.Thread(target=listen, args=(events, handle, stop), daemon=True).start()
    signal.sigwait(ends)
    stop.set()
    guard.acquire(timeout=GRACE_SECONDS)  # a letter that is being written is finished
