"""The statement of the ledger: one line of the log for each account and day, and whether everything balances.

It ends with 0 when it does, with 1 when it does not, and with 2 when it could not look.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

import psycopg

from common import log, settings
from common.credentials import CredentialsFile
from common.log import logger
from common.pool import Pool
from common.problem import Problem
from statement.book import Books, read

BALANCED, UNBALANCED, NOT_READ = 0, 1, 2
TOLD = 20  # transactions that do not balance, by name; how many there are is said of all


def main() -> int:
    """Write the statement; returns how the job ends."""
    log.set_up("statement")
    try:
        file = CredentialsFile(settings.file("LEDGER_FILE"), schema="ledger", service="statement")
        pool = Pool(file, size=1)
    except settings.SettingsError as error:
        print(f"statement: {error}", file=sys.stderr)
        return NOT_READ
    today = datetime.now(UTC).date()
    try:
        return told(lambda: pool.run(lambda connection: read(connection, today)))
    finally:
        pool.close()


def told(reading: Callable[[], Books]) -> int:
    """What was read, as lines of the log."""
    try:
        books = reading()
    except Problem as problem:
        logger.error("not read: %s", problem.detail)
        return NOT_READ
    except psycopg.Error as error:
        logger.error("not read: the ledger is not as expected: %s", type(error).__name__)
        return NOT_READ
    for account in books.accounts:
        logger.info("account", extra={"fields": asdict(account) | {"day": account.day.isoformat()}})
    for wrong in books.unbalanced[:TOLD]:
        logger.error("a transaction does not balance", extra={"fields": asdict(wrong)})
    counted = {"transactions": books.transactions, "unbalanced": len(books.unbalanced)}
    if books.unbalanced:
        logger.error("the ledger does not balance", extra={"fields": counted})
        return UNBALANCED
    logger.info("the ledger balances", extra={"fields": counted})
    return BALANCED
